import type { Bytes, Crypto } from "../crypto.ts";
import { concat, equalBytes, fromBase64url, utf8 } from "../bytes.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readEcdsaDer } from "../x509/algorithm.ts";
import type { OwnerPublicKey } from "./owner-signature.ts";

/** Where owners sign with WebAuthn: the relying party's configuration, never read from a signature. */
export interface ConsentPages {
  readonly rpId: string;
  /** Exact origins: scheme, host and port. */
  readonly origins: readonly string[];
}

/** The three fields of an assertion, each base64url: authenticator data, client data, signature. */
export interface Assertion {
  readonly a: string;
  readonly c: string;
  readonly s: string;
}

/** What a verified assertion says of its making; user presence and verification are demanded, not told. */
export interface AssertionFacts {
  /** signCount. Two zeros in a row prove nothing: synced passkeys do not count. */
  readonly counter: number;
  /** BE: the key may be copied to other devices. */
  readonly backupEligible: boolean;
  /** BS: it has been. */
  readonly backedUp: boolean;
}

const CLIENT_DATA_LIMITS = {
  maxBytes: 4096,
  maxDepth: 4,
  nullAllowed: true,
  fractionsAllowed: true,
} as const;
const RP_ID_HASH_BYTES = 32;
const HEAD_BYTES = 37;
const MAX_EXTENSION_BYTES = 1024;
const CBOR_MAP = 5;
const FLAG = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10, AT: 0x40, ED: 0x80 } as const;

const refuse = (why: string): never => {
  throw new Refusal("signature_invalid", why);
};

/** What other rules refuse is refused as a signature. */
function within<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (problem) {
    if (problem instanceof Refusal) return refuse(`${what}: ${problem.message}`);
    throw problem;
  }
}

const octetsOf = (text: string, what: string): Bytes => within(what, () => fromBase64url(text));

/** Browsers add members of their own (WebAuthn 5.8.1): unknown ones are ignored, duplicates refused by the parser. */
function checkClientData(data: JsonObject, challenge: Bytes, pages: ConsentPages): void {
  const { type, challenge: signed, origin, crossOrigin = false } = data;
  if (type !== "webauthn.get") refuse("the client data are of another ceremony");
  if (typeof signed !== "string" || !equalBytes(octetsOf(signed, "challenge"), challenge))
    throw new Refusal("challenge_mismatch");
  if (!pages.origins.some((page) => page === origin)) throw new Refusal("origin_mismatch");
  // a page inside a frame of another origin is not what its owner sees
  if (crossOrigin !== false || Object.hasOwn(data, "topOrigin"))
    throw new Refusal("origin_mismatch", "made inside a frame of another origin");
}

/** Exactly 37 octets, or with ED a bounded CBOR map after them. Assertions hold no attested key (WebAuthn 6.1). */
function checkLength(data: Bytes, flags: number): void {
  if ((flags & FLAG.AT) !== 0) refuse("attested data in an assertion");
  const extensions = data.length - HEAD_BYTES;
  if ((flags & FLAG.ED) === 0) {
    if (extensions !== 0) refuse("octets after the authenticator data");
    return;
  }
  const isMap = (data[HEAD_BYTES] ?? 0) >> 5 === CBOR_MAP;
  if (!isMap || extensions > MAX_EXTENSION_BYTES) refuse("extension data");
}

function readAuthenticatorData(c: Crypto, data: Bytes, rpId: string): AssertionFacts {
  if (data.length < HEAD_BYTES) refuse("authenticator data too short");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const flags = view.getUint8(RP_ID_HASH_BYTES);
  checkLength(data, flags);
  if (!equalBytes(data.subarray(0, RP_ID_HASH_BYTES), c.sha256(utf8(rpId))))
    throw new Refusal("origin_mismatch", "another RP ID");
  if ((flags & FLAG.UP) === 0) throw new Refusal("user_not_present");
  if ((flags & FLAG.UV) === 0) throw new Refusal("user_not_verified");
  const backupEligible = (flags & FLAG.BE) !== 0;
  const backedUp = (flags & FLAG.BS) !== 0;
  if (backedUp && !backupEligible) refuse("backed up, and not eligible for it");
  return { counter: view.getUint32(RP_ID_HASH_BYTES + 1), backupEligible, backedUp };
}

/** The algorithm is the key's, whatever was asked of the authenticator: ES256 in DER, or Ed25519. */
async function isSigned(
  c: Crypto,
  { jwk }: OwnerPublicKey,
  data: Bytes,
  signature: Bytes,
): Promise<boolean> {
  if (jwk.kty === "OKP") return c.verify("Ed25519", jwk, data, signature);
  if (jwk.crv !== "P-256") throw new Refusal("key_unsupported", "WebAuthn with another curve");
  return c.verify("ES256", jwk, data, readEcdsaDer(signature, 32, "signature_invalid"));
}

/**
 * Verifies a WebAuthn assertion over a challenge (WebAuthn 7.2; owner.md 1.2), offline. The key must be one that is
 * enrolled, or pinned, as a credential of `pages.rpId` (its `app`): the holder of a software key could write the
 * flags of an authenticator that never was. Counter and backup flags are told, and judged by whoever keeps state.
 * @param challenge octets that the page asked to be signed: the statement's digest
 * @throws Refusal `signature_invalid`, `challenge_mismatch`, `origin_mismatch`, `user_not_present`, `user_not_verified`, `key_unsupported`
 */
export async function verifyAssertion(
  c: Crypto,
  input: {
    readonly assertion: Assertion;
    readonly challenge: Bytes;
    readonly pages: ConsentPages;
    readonly key: OwnerPublicKey;
  },
): Promise<AssertionFacts> {
  const { assertion, challenge, pages, key } = input;
  if (key.app !== pages.rpId) refuse("the key is no WebAuthn credential of the consent page");
  const clientData = octetsOf(assertion.c, "client data");
  const authenticatorData = octetsOf(assertion.a, "authenticator data");
  const data = within("client data", () => parseJsonObject(clientData, CLIENT_DATA_LIMITS));
  checkClientData(data, challenge, pages);
  const facts = readAuthenticatorData(c, authenticatorData, pages.rpId);
  const signed = concat(authenticatorData, c.sha256(clientData));
  if (!(await isSigned(c, key, signed, octetsOf(assertion.s, "signature"))))
    refuse("the assertion does not verify");
  return facts;
}
