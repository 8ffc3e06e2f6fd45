import type { Bytes, Jwk } from "../crypto.ts";
import { base64url, concat, equalBytes, fromBase64url } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

// Owners' keys have two kinds, and DER has one spelling of each: what stands before the point never varies.
const P256_PREFIX = Uint8Array.from([
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
  0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
]);
const ED25519_PREFIX = Uint8Array.from([
  0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
]);

function after(prefix: Bytes, byteCount: number, spki: Bytes): Bytes | undefined {
  const fits =
    spki.length === prefix.length + byteCount &&
    equalBytes(spki.subarray(0, prefix.length), prefix);
  return fits ? spki.subarray(prefix.length) : undefined;
}

/**
 * The key in a DER SubjectPublicKeyInfo of an owner: P-256 uncompressed, or Ed25519.
 * @throws Refusal `key_unsupported` for every other kind or spelling
 */
export function readOwnerSpki(spki: Bytes): Jwk {
  const point = after(P256_PREFIX, 64, spki);
  if (point !== undefined)
    return {
      kty: "EC",
      crv: "P-256",
      x: base64url(point.subarray(0, 32)),
      y: base64url(point.subarray(32)),
    };
  const edwards = after(ED25519_PREFIX, 32, spki);
  if (edwards !== undefined) return { kty: "OKP", crv: "Ed25519", x: base64url(edwards) };
  throw new Refusal("key_unsupported", "spki is neither P-256 nor Ed25519");
}

/**
 * The DER SubjectPublicKeyInfo of an owner's key.
 * @throws Refusal `key_unsupported` for P-384 and P-521
 */
export function writeOwnerSpki(key: Jwk): Bytes {
  if (key.kty === "OKP") return concat(ED25519_PREFIX, fromBase64url(key.x));
  if (key.crv !== "P-256") throw new Refusal("key_unsupported", `keys of ${key.crv} do not enrol`);
  return concat(P256_PREFIX, fromBase64url(key.x), fromBase64url(key.y));
}
