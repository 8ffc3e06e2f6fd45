import type { OkpJwk } from "../crypto.ts";
import { fromBase64url, hex } from "../bytes.ts";

const KEY_BYTES = 32;
/** The y coordinates of the eight points of order 1, 2, 4 and 8, little-endian, without the sign of x. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  `01${"00".repeat(31)}`,
  `ec${"ff".repeat(30)}7f`,
  "00".repeat(32),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);
/** Encodings of p and more begin so: `ed` to `ff`, then the octets of 2^255 − 1. */
const LEAST_NOT_CANONICAL = 0xed;
const HIGHEST_REST = `${"ff".repeat(30)}7f`;

/**
 * Whether an Ed25519 public key is one that somebody can own: 32 octets, y below p, and not of small order. Under a
 * key of small order one signature fits many messages, or all of them, and the platforms' verifiers take it (RFC 8032
 * leaves it to the user): who enrols one has signed nothing. That the point lies on the curve is not looked at: no
 * signature fits one that does not.
 */
export function isSoundEd25519(key: OkpJwk): boolean {
  const octets = Uint8Array.from(fromBase64url(key.x));
  if (octets.length !== KEY_BYTES) return false;
  octets[KEY_BYTES - 1] = (octets[KEY_BYTES - 1] ?? 0) & 0x7f;
  const y = hex(octets);
  const isCanonical = (octets[0] ?? 0) < LEAST_NOT_CANONICAL || y.slice(2) !== HIGHEST_REST;
  return isCanonical && !SMALL_ORDER.has(y);
}
