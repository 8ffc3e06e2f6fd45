import type { Bytes, Crypto, EcJwk, Jwk } from "../crypto.ts";
import { base64url, concat, fromBase64url } from "../bytes.ts";
import { readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import { bitString, oid, sequence } from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { OID } from "./oids.ts";

const MAX_SPKI_BYTES = 512;
const UNCOMPRESSED = 4;
/** Octets of RFC 7093 section 2 method 1: the leftmost 160 bits of the hash. */
const KEY_ID_BYTES = 20;

const CURVES: readonly {
  readonly crv: EcJwk["crv"];
  readonly oid: string;
  readonly bytes: number;
}[] = [
  { crv: "P-256", oid: OID.p256, bytes: 32 },
  { crv: "P-384", oid: OID.p384, bytes: 48 },
  { crv: "P-521", oid: OID.p521, bytes: 66 },
];

function pointOf(key: Jwk): Bytes {
  if (key.kty === "OKP") return fromBase64url(key.x);
  return concat(Uint8Array.of(UNCOMPRESSED), fromBase64url(key.x), fromBase64url(key.y));
}

function algorithmOctets(key: Jwk): Bytes {
  if (key.kty === "OKP") return sequence(oid(OID.ed25519));
  const curve = CURVES.find((candidate) => candidate.crv === key.crv);
  return sequence(oid(OID.ecPublicKey), oid(curve?.oid ?? ""));
}

/** DER SubjectPublicKeyInfo of a public key (RFC 5480, RFC 8410); EC points are uncompressed. */
export function spkiOf(key: Jwk): Bytes {
  return sequence(algorithmOctets(key), bitString(pointOf(key)));
}

/** Key identifier: leftmost 160 bits of SHA-256 of the public key's bits (RFC 7093 section 2, method 1). */
export function keyIdOf(c: Crypto, key: Jwk): Bytes {
  return c.sha256(pointOf(key)).subarray(0, KEY_ID_BYTES);
}

function readEcPoint(reader: DerReader, curve: (typeof CURVES)[number]): Jwk {
  const point = reader.wholeBits();
  if (point[0] !== UNCOMPRESSED || point.length !== 1 + 2 * curve.bytes)
    return reader.fail("not an uncompressed point of its curve");
  const x = base64url(point.subarray(1, 1 + curve.bytes));
  return { kty: "EC", crv: curve.crv, x, y: base64url(point.subarray(1 + curve.bytes)) };
}

/** Reads the next element as SubjectPublicKeyInfo; algorithms not known here throw `unsupported`. */
export function readSpki(
  reader: DerReader,
  unsupported: RefusalCode,
): { readonly key: Jwk; readonly spki: Bytes } {
  const element = reader.element(0x30);
  const outer = reader.inside(element);
  const algorithm = outer.sequence();
  const name = algorithm.oid();
  let key: Jwk;
  if (name === OID.ecPublicKey) {
    const curveName = algorithm.oid();
    const curve = CURVES.find((candidate) => candidate.oid === curveName);
    if (curve === undefined) throw new Refusal(unsupported, "curve");
    key = readEcPoint(outer, curve);
  } else if (name === OID.ed25519) {
    const x = outer.wholeBits();
    if (x.length !== 32) return outer.fail("not an Ed25519 key");
    key = { kty: "OKP", crv: "Ed25519", x: base64url(x) };
  } else throw new Refusal(unsupported, "public key algorithm");
  algorithm.end();
  outer.end();
  return { key, spki: element.der };
}

/**
 * The public key in a DER SubjectPublicKeyInfo: EC on a named curve (P-256, P-384, P-521) or Ed25519. Whether the
 * point lies on its curve is for `Crypto.isValidKey`.
 * @throws Refusal `invalid_key`, `unsupported_alg`
 */
export function jwkOfSpki(spki: Bytes): Jwk {
  const reader = readDer(spki, MAX_SPKI_BYTES, "invalid_key");
  const { key } = readSpki(reader, "unsupported_alg");
  reader.end();
  return key;
}
