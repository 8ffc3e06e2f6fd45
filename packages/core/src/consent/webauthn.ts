import type { Bytes, Crypto } from "../crypto.ts";
import { concat, equalBytes, fromBase64url } from "../bytes.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readEcdsaDer } from "../x509/algorithm.ts";
import { FLAG, HEAD_BYTES, readAuthenticatorHead } from "./authenticator-data.ts";
import type { AuthenticatorHead } from "./authenticator-data.ts";
import { readClientData } from "./client-data.ts";
import type { ConsentPages } from "./client-data.ts";
import type { OwnerPublicKey } from "./owner-signature.ts";

/** The three fields of an assertion, each base64url: authenticator data, client data, signature. */
export interface Assertion {
  readonly a: string;
  readonly c: string;
  readonly s: string;
}

/**
 * What a verified assertion says of its making; user presence and verification are demanded, not told. Of the counter
 * two zeros in a row prove nothing: synced passkeys do not count.
 */
export type AssertionFacts = Omit<AuthenticatorHead, "flags">;

const MAX_EXTENSION_BYTES = 1024;
const CBOR_MAP = 5;

const refuse = (why: string): never => {
  throw new Refusal("signature_invalid", why);
};

/** Base64url that is none is refused as a signature. */
function octetsOf(text: string, what: string): Bytes {
  try {
    return fromBase64url(text);
  } catch (problem) {
    if (problem instanceof Refusal) return refuse(`${what}: ${problem.message}`);
    throw problem;
  }
}

function checkChallenge({ challenge: signed }: JsonObject, challenge: Bytes): void {
  if (typeof signed !== "string" || !equalBytes(octetsOf(signed, "challenge"), challenge))
    throw new Refusal("challenge_mismatch");
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
  checkChallenge(readClientData(clientData, "webauthn.get", pages), challenge);
  const head = readAuthenticatorHead(c, authenticatorData, pages.rpId);
  const { flags, counter, backupEligible, backedUp } = head;
  checkLength(authenticatorData, flags);
  const signed = concat(authenticatorData, c.sha256(clientData));
  if (!(await isSigned(c, key, signed, octetsOf(assertion.s, "signature"))))
    refuse("the assertion does not verify");
  return { counter, backupEligible, backedUp };
}
