import { fromBase64url } from "../bytes.ts";
import type { Jwk } from "../crypto.ts";
import { isSoundEd25519 } from "../jose/ed25519.ts";
import { hasFullCoordinates } from "../jose/jwk.ts";

/** y² = x³ − 3x + b over the field of p elements (FIPS 186-5, SP 800-186 section 3.2.1). */
interface Curve {
  readonly p: bigint;
  readonly b: bigint;
}

const CURVES: Readonly<Partial<Record<Jwk["crv"], Curve>>> = {
  "P-256": {
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  "P-384": {
    p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
};

function integerOf(text: string): bigint {
  return fromBase64url(text).reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function isOnCurve({ p, b }: Curve, x: bigint, y: bigint): boolean {
  // the point at infinity has no coordinates, and both curves have no other points of small order
  return x < p && y < p && (y * y - (x * x - 3n) * x - b) % p === 0n;
}

/**
 * Whether the key is a point of its curve: core asks synchronously, and WebCrypto imports asynchronously. P-521 is no
 * key of ours: false.
 */
export function isPoint(key: Jwk): boolean {
  try {
    if (key.kty === "OKP") return isSoundEd25519(key);
    const curve = CURVES[key.crv];
    if (curve === undefined || !hasFullCoordinates(key)) return false;
    return isOnCurve(curve, integerOf(key.x), integerOf(key.y));
  } catch {
    return false; // not base64url: readers refuse it before
  }
}
