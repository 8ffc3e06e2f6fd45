import type { Bytes, SignatureAlgorithm } from "../crypto.ts";
import { concat } from "../bytes.ts";
import { readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import { bitString, integer, oid, sequence } from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { OID } from "./oids.ts";

/** Signature algorithms of certificates and requests here; each is bound to one curve. `fieldBytes` is the width of r and of s. */
interface Row {
  readonly alg: SignatureAlgorithm;
  readonly oid: string;
  readonly fieldBytes: 32 | 48 | undefined;
}
const ALGORITHMS: readonly Row[] = [
  { alg: "ES256", oid: OID.ecdsaWithSha256, fieldBytes: 32 },
  { alg: "ES384", oid: OID.ecdsaWithSha384, fieldBytes: 48 },
  { alg: "Ed25519", oid: OID.ed25519, fieldBytes: undefined },
];
const MAX_SIGNATURE_BYTES = 128;

function rowOf(alg: SignatureAlgorithm): Row {
  const row = ALGORITHMS.find((candidate) => candidate.alg === (alg === "EdDSA" ? "Ed25519" : alg));
  if (row === undefined) throw new Refusal("signer_unsuitable", `${alg} signs no certificate here`);
  return row;
}

/** AlgorithmIdentifier without parameters (RFC 5758 section 3.2, RFC 8410 section 3). */
export function writeAlgorithm(alg: SignatureAlgorithm): Bytes {
  return sequence(oid(rowOf(alg).oid));
}

/** The next element as an AlgorithmIdentifier of a signature. */
export function readAlgorithm(reader: DerReader, unsupported: RefusalCode): SignatureAlgorithm {
  const inner = reader.sequence();
  const name = inner.oid();
  const row = ALGORITHMS.find((candidate) => candidate.oid === name);
  if (row === undefined) throw new Refusal(unsupported, "signature algorithm");
  inner.end();
  return row.alg;
}

/** BIT STRING that holds a signature: ECDSA as SEQUENCE { r, s }, Ed25519 as it is. */
export function writeSignature(alg: SignatureAlgorithm, signature: Bytes): Bytes {
  const { fieldBytes } = rowOf(alg);
  if (fieldBytes === undefined) return bitString(signature);
  const r = integer(signature.subarray(0, fieldBytes));
  return bitString(sequence(r, integer(signature.subarray(fieldBytes))));
}

function padded(magnitude: Bytes, width: number): Bytes {
  return concat(new Uint8Array(width - magnitude.length), magnitude);
}

/** An ECDSA signature in DER, SEQUENCE { r, s }, as r ‖ s, each of the field's width. */
export function readEcdsaDer(octets: Bytes, fieldBytes: number, code: RefusalCode): Bytes {
  const outer = readDer(octets, MAX_SIGNATURE_BYTES, code);
  const pair = outer.sequence();
  const r = padded(pair.unsigned(fieldBytes), fieldBytes);
  const s = padded(pair.unsigned(fieldBytes), fieldBytes);
  pair.end();
  outer.end();
  return concat(r, s);
}

/** The next element as the BIT STRING of a signature; ECDSA comes back as r ‖ s, each of the field's width. */
export function readSignature(
  reader: DerReader,
  alg: SignatureAlgorithm,
  code: RefusalCode,
): Bytes {
  const octets = reader.wholeBits();
  const { fieldBytes } = rowOf(alg);
  if (fieldBytes === undefined)
    return octets.length === 64 ? octets : reader.fail("signature is not of 64 octets");
  return readEcdsaDer(octets, fieldBytes, code);
}
