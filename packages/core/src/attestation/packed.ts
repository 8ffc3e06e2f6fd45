import type { Bytes, Crypto, Jwk } from "../crypto.ts";
import { Refusal } from "../refusal.ts";
import { readEcdsaDer } from "../x509/algorithm.ts";
import { closedMap } from "./cbor.ts";
import type { Cbor } from "./cbor.ts";
import { checkAttestationCertificate } from "./certificate.ts";
import { parseMakerCertificate } from "./maker-certificate.ts";
import { MAX_MAKER_PATH } from "./maker-path.ts";

/** An attestation statement of the format `packed` that a certificate stands behind (WebAuthn 8.2). */
export interface PackedStatement {
  /** COSE algorithm of the signature. */
  readonly alg: number;
  readonly sig: Bytes;
  /** DER: the attestation certificate first, then its issuers upwards. */
  readonly x5c: readonly [Bytes, ...Bytes[]];
}

const refuse = (why: string): never => {
  throw new Refusal("signature_invalid", `attestation: ${why}`);
};

function isOctets(value: Cbor): value is Bytes {
  return value instanceof Uint8Array;
}

/**
 * Reads the statement; undefined where the credential key signed for itself, which says nothing of hardware.
 * @throws Refusal `malformed_request`
 */
export function readPacked(value: Cbor | undefined): PackedStatement | undefined {
  if (value instanceof Map && !value.has("x5c")) return undefined;
  const map = closedMap(value, ["alg", "sig", "x5c"]);
  const [alg, sig, x5c] = [map.get("alg"), map.get("sig"), map.get("x5c")];
  const isForm = typeof alg === "number" && sig instanceof Uint8Array && Array.isArray(x5c);
  if (!isForm) throw new Refusal("malformed_request", "attestation: members of other types");
  const list: readonly Cbor[] = x5c;
  const [first, ...more] = list.filter(isOctets);
  if (first === undefined || 1 + more.length !== list.length || list.length > MAX_MAKER_PATH)
    throw new Refusal("malformed_request", "attestation: x5c is no list of certificates");
  return { alg, sig, x5c: [first, ...more] };
}

/** The key says which algorithm there is; the statement must name the same. */
function isSigned(c: Crypto, key: Jwk, alg: number, data: Bytes, sig: Bytes): Promise<boolean> {
  if (key.kty === "OKP" && alg === -8) return c.verify("Ed25519", key, data, sig);
  if (key.crv === "P-256" && alg === -7)
    return c.verify("ES256", key, data, readEcdsaDer(sig, 32, "signature_invalid"));
  if (key.crv === "P-384" && alg === -35)
    return c.verify("ES384", key, data, readEcdsaDer(sig, 48, "signature_invalid"));
  return refuse("its algorithm is not the certificate's");
}

/**
 * Verifies that the attestation certificate signed for what the authenticator said (WebAuthn 8.2), and that it is of
 * the form that 8.2.1 asks. Says nothing of who issued it.
 * @param signed authenticator data, followed by the hash of the client data
 * @throws Refusal `malformed_certificate`, `unsupported_alg`, `signature_invalid`
 */
export async function verifyPacked(
  c: Crypto,
  { alg, sig, x5c }: PackedStatement,
  signed: Bytes,
  aaguid: Bytes,
): Promise<void> {
  const leaf = parseMakerCertificate(x5c[0]);
  checkAttestationCertificate(leaf, aaguid);
  const { key } = leaf;
  if (key === undefined) throw new Refusal("unsupported_alg", "an attestation by an RSA key");
  if (!c.isValidKey(key)) refuse("the certificate's key is no point of its curve");
  if (!(await isSigned(c, key, alg, signed, sig))) refuse("its signature does not verify");
}
