import type { Bytes, Jwk, SignatureAlgorithm, Signer } from "../crypto.ts";
import { algorithmOf } from "../crypto.ts";
import { base64url, utf8 } from "../bytes.ts";
import { writeCompact } from "../jose/compact.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { Refusal } from "../refusal.ts";
import { readEcdsaDer } from "../x509/algorithm.ts";
import type { JwsSignature } from "./owner-signature.ts";

/** `typ` of an owner's JWS: it separates an approval from everything else that the key signs. */
export const OWNER_JWS_TYPE = "agent-consent+jwt";

const RAW_BYTES = 64;
const P256_FIELD_BYTES = 32;

/** The header in base64url: the same for every statement that a key of this algorithm signs. */
export function ownerJwsHeader(alg: SignatureAlgorithm): string {
  return base64url(canonicalBytes({ alg, typ: OWNER_JWS_TYPE }));
}

/** What an owner's JWS signs: header and the octets of the statement, in base64url, joined by a dot. */
export function ownerJwsInput(alg: SignatureAlgorithm, statement: Bytes): string {
  return `${ownerJwsHeader(alg)}.${base64url(statement)}`;
}

/** Signs the octets of a statement as an owner's JWS (owner.md 1.2). Verified by `verifyOwnerSignature`. */
export async function makeOwnerJws(by: Signer, statement: Bytes): Promise<JwsSignature> {
  const input = ownerJwsInput(by.alg, statement);
  return { k: "jws", s: writeCompact(input, await by.sign(utf8(input))) };
}

/**
 * The owner's JWS around a signature that was made elsewhere over `ownerJwsInput`: r ‖ s, the 64 octets of Ed25519, or
 * ECDSA in DER, as OpenSSL writes it. Nothing is verified.
 * @throws Refusal `key_unsupported` for a key that signs no owner's JWS here; `signature_invalid` for another form
 */
export function ownerJwsOf(key: Jwk, statement: Bytes, signature: Bytes): JwsSignature {
  if (key.crv !== "P-256" && key.crv !== "Ed25519") throw new Refusal("key_unsupported", key.crv);
  const isDer = key.kty === "EC" && signature.length !== RAW_BYTES;
  const raw = isDer ? readEcdsaDer(signature, P256_FIELD_BYTES, "signature_invalid") : signature;
  if (raw.length !== RAW_BYTES)
    throw new Refusal("signature_invalid", "not the 64 octets of a signature");
  return { k: "jws", s: writeCompact(ownerJwsInput(algorithmOf(key), statement), raw) };
}
