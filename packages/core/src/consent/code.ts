import type { Bytes, Crypto, Digest, Random, Seconds } from "../crypto.ts";
import { concat, fromBase64url, utf8 } from "../bytes.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE = /^[0-9A-HJKMNP-TV-Z]{10}$/;
const CODE_BYTES = 7; // the 50 bits that are shown need seven octets
const MAX_TYPED_LENGTH = 64;

/** The first `charCount` Crockford characters of the octets read as one big-endian string of bits. */
export function crockford(data: Bytes, charCount: number): string {
  let out = "";
  let held = 0;
  let bits = 0;
  for (const octet of data) {
    held = (held << 8) | octet;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += CROCKFORD.charAt((held >> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return out.slice(0, charCount);
}

/**
 * The code that both ends show for a request: the first 50 bits of SHA-256 of R's octets, as ten Crockford
 * characters in two groups of five (formats.md 1). Always computed from the octets, never taken from an answer.
 */
export function requestCode(c: Crypto, octets: string): string {
  return codeOf(c.sha256(utf8(octets)));
}

/** The code of a request that is known by its digest alone: for a list of questions, never for what is signed. */
export function requestCodeOf(req: Digest): string {
  return codeOf(fromBase64url(req.slice("sha-256:".length)));
}

function codeOf(hash: Bytes): string {
  const text = crockford(hash.subarray(0, CODE_BYTES), 10);
  return `${text.slice(0, 5)}-${text.slice(5)}`;
}

/**
 * The code that a person typed, in the form in which `requestCode` writes it; `undefined` when it is none. Lower
 * case, `o` for 0, `i` and `l` for 1, spaces and hyphens are taken.
 */
export function readCode(typed: string): string | undefined {
  if (typed.length > MAX_TYPED_LENGTH) return undefined;
  const text = typed.replace(/[ -]/g, "").toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
  return CODE.test(text) ? `${text.slice(0, 5)}-${text.slice(5)}` : undefined;
}

/** A fresh `jti` of a statement: a ULID, 48 bits of milliseconds and 80 random bits in 26 characters. */
export function statementId(now: Seconds, random: Random): string {
  const time = new Uint8Array(6);
  let rest = now * 1000;
  for (let i = 5; i >= 0; i -= 1) {
    time[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  // 128 bits in 26 characters leave two bits in front, which are zero
  const bits = concat(time, random(10));
  const shifted = new Uint8Array(17);
  bits.forEach((octet, i) => {
    shifted[i] = (shifted[i] ?? 0) | (octet >> 2);
    shifted[i + 1] = (octet & 3) << 6;
  });
  return crockford(shifted, 26);
}
