import type { Bytes, Crypto, Jwk } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { parseCompact } from "../jose/compact.ts";
import type { CompactJws } from "../jose/compact.ts";
import { algorithmsFor } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { OWNER_JWS_TYPE } from "./owner-jws.ts";
import { sshKeyOf } from "./ssh/key.ts";
import { CONSENT_NAMESPACE, verifySshsig } from "./ssh/sshsig.ts";
import { statementChallenge } from "./statement.ts";
import { verifyAssertion } from "./webauthn.ts";
import type { ConsentPages } from "./client-data.ts";

/** SSHSIG blob, as base64 with padding on one line. */
export interface SshsigSignature {
  readonly k: "sshsig";
  readonly s: string;
}
/** Compact JWS, `typ: agent-consent+jwt`, whose payload is the statement's octets. */
export interface JwsSignature {
  readonly k: "jws";
  readonly s: string;
}
/** WebAuthn assertion: authenticator data, client data and signature, each base64url. */
export interface WebauthnSignature {
  readonly k: "webauthn";
  readonly a: string;
  readonly c: string;
  readonly s: string;
}
/** An owner's signature as it stands on the wire, in records and in bundles (owner.md 1.5). */
export type OwnerSignature = SshsigSignature | JwsSignature | WebauthnSignature;

/**
 * The key that is expected to have signed. `app` is the FIDO application of an authenticator's key: of an `sk-` key the
 * one that OpenSSH gave it, of a WebAuthn credential its RP ID. Without it the key is software, whatever it signs.
 */
export interface OwnerPublicKey {
  readonly jwk: Jwk;
  readonly app?: string;
}

/** What a verified signature says of its making. */
export interface SignatureFacts {
  readonly kind: OwnerSignature["k"];
  /** Whether an authenticator says, inside the signature, that it was touched. */
  readonly userPresent: boolean;
  /** Whether it says that it knew its user by PIN or biometrics. */
  readonly userVerified: boolean;
  /** The authenticator's counter, where there is one. Whoever keeps state refuses one that went back. */
  readonly counter?: number;
  /** WebAuthn alone: whether the key may be, and is, copied to other devices. */
  readonly backup?: { readonly eligible: boolean; readonly done: boolean };
}

export const MAX_OWNER_SIGNATURE_BYTES = 16_384;
const MAX_SSHSIG_TEXT = 6000;
const MAX_WEBAUTHN_TEXT = 8192;
const JWS_HEADER: readonly string[] = ["alg", "typ"];

/**
 * Reads an owner's signature; closed. Nothing is verified.
 * @throws Refusal `code`, default `malformed_request`
 */
export function readOwnerSignature(
  value: Json | undefined,
  code: RefusalCode = "malformed_request",
): OwnerSignature {
  const members = new Members(value, code, "sig");
  const k = members.choice("k", ["sshsig", "jws", "webauthn"] as const);
  const text = (name: string, maxLength: number): string => members.text(name, { maxLength });
  const signature: OwnerSignature =
    k === "webauthn"
      ? {
          k,
          a: text("a", MAX_WEBAUTHN_TEXT),
          c: text("c", MAX_WEBAUTHN_TEXT),
          s: text("s", MAX_WEBAUTHN_TEXT),
        }
      : { k, s: text("s", k === "sshsig" ? MAX_SSHSIG_TEXT : MAX_OWNER_SIGNATURE_BYTES) };
  members.end();
  return signature;
}

/** What is verified: the octets signed, by which key, in which SSH namespace or on which pages. */
interface Claim<S extends OwnerSignature> {
  readonly statementBytes: Bytes;
  readonly signature: S;
  readonly key: OwnerPublicKey;
  readonly namespace: string;
  readonly pages?: ConsentPages;
}
type Verifier<S extends OwnerSignature> = (c: Crypto, claim: Claim<S>) => Promise<SignatureFacts>;

async function verifySsh(c: Crypto, claim: Claim<SshsigSignature>): Promise<SignatureFacts> {
  const { counter } = await verifySshsig(c, {
    signature: claim.signature.s,
    message: claim.statementBytes,
    namespace: claim.namespace,
    key: sshKeyOf(claim.key.jwk, claim.key.app),
  });
  // verifySshsig has refused an sk- signature without touch or without verified user
  return counter === undefined
    ? { kind: "sshsig", userPresent: false, userVerified: false }
    : { kind: "sshsig", userPresent: true, userVerified: true, counter };
}

function splitJws(octets: string): CompactJws {
  try {
    return parseCompact(octets, MAX_OWNER_SIGNATURE_BYTES);
  } catch {
    throw new Refusal("signature_invalid", "not a compact JWS");
  }
}

async function verifyJws(c: Crypto, claim: Claim<JwsSignature>): Promise<SignatureFacts> {
  const { jwk, app } = claim.key;
  if (app !== undefined) throw new Refusal("signature_invalid", "a security key signs no JWS");
  const jws = splitJws(claim.signature.s);
  const names = Object.keys(jws.header);
  if (names.length !== JWS_HEADER.length || !JWS_HEADER.every((name) => names.includes(name)))
    throw new Refusal("signature_invalid", "the JWS header is not exactly alg and typ");
  if (jws.header["typ"] !== OWNER_JWS_TYPE)
    throw new Refusal("signature_invalid", `typ is not ${OWNER_JWS_TYPE}`);
  // the key says which algorithms there are, never the header alone
  const alg = algorithmsFor(jwk).find((candidate) => candidate === jws.header["alg"]);
  if (alg === undefined) throw new Refusal("signature_invalid", "alg is not one of the key");
  if (!equalBytes(jws.payload, claim.statementBytes)) throw new Refusal("payload_mismatch");
  if (!(await c.verify(alg, jwk, jws.signingInput, jws.signature)))
    throw new Refusal("signature_invalid", "the JWS does not verify");
  return { kind: "jws", userPresent: false, userVerified: false };
}

async function verifyWebauthn(
  c: Crypto,
  { statementBytes, signature, key, pages }: Claim<WebauthnSignature>,
): Promise<SignatureFacts> {
  if (pages === undefined) throw new Refusal("origin_mismatch", "no consent page is configured");
  const challenge = statementChallenge(c, statementBytes);
  const facts = await verifyAssertion(c, { assertion: signature, challenge, pages, key });
  // verifyAssertion has refused one without touch or without verified user
  return {
    kind: "webauthn",
    userPresent: true,
    userVerified: true,
    counter: facts.counter,
    backup: { eligible: facts.backupEligible, done: facts.backedUp },
  };
}

const VERIFIERS: { readonly [S in OwnerSignature as S["k"]]: Verifier<S> } = {
  sshsig: verifySsh,
  jws: verifyJws,
  webauthn: verifyWebauthn,
};

function verifierOf<S extends OwnerSignature>(signature: S): Verifier<S> {
  // each row takes the signature whose `k` is its name; the compiler does not follow a lookup by union
  return VERIFIERS[signature.k] as unknown as Verifier<S>;
}

/**
 * Verifies an owner's signature over the octets of a statement with the key that is expected. Says nothing of what
 * the statement means, nor whether the key is accepted.
 * @throws Refusal `signature_invalid`, `key_not_enrolled`, `namespace_mismatch`, `payload_mismatch`, `user_not_present`, `user_not_verified`, `key_unsupported`, `challenge_mismatch`, `origin_mismatch`
 */
export function verifyOwnerSignature<S extends OwnerSignature>(
  c: Crypto,
  input: {
    readonly statementBytes: Bytes;
    readonly signature: S;
    readonly key: OwnerPublicKey;
    /** SSH namespace; default `CONSENT_NAMESPACE`. */
    readonly namespace?: string;
    /** Where owners sign with WebAuthn; default nowhere: assertions are refused. */
    readonly pages?: ConsentPages;
  },
): Promise<SignatureFacts> {
  return verifierOf(input.signature)(c, { namespace: CONSENT_NAMESPACE, ...input });
}
