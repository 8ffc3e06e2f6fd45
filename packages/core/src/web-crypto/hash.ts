import type { Bytes } from "../crypto.ts";

// WebCrypto hashes asynchronously only, and core asks for a hash in the middle of synchronous reading.
// FIPS 180-4; the constants are derived there from the first eighty primes, and here too.

/** Words that a round of SHA-512 and SHA-256 adds, and what both start from; SHA-256 takes the upper halves. */
interface Constants {
  readonly round: readonly bigint[];
  readonly start: readonly bigint[];
}

const ROUND_COUNT = 80;
const FRACTION_BITS = 64n;

function primes(count: number): readonly bigint[] {
  const found: bigint[] = [];
  for (let n = 2n; found.length < count; n += 1n)
    if (found.every((prime) => n % prime !== 0n)) found.push(n);
  return found;
}

/** The first 64 bits of the fraction of the root of `n`, by Newton's method on integers from above. */
function rootFraction(n: bigint, degree: bigint): bigint {
  const scaled = n << (FRACTION_BITS * degree);
  let root = n << FRACTION_BITS;
  for (;;) {
    const next = ((degree - 1n) * root + scaled / root ** (degree - 1n)) / degree;
    if (next >= root) return BigInt.asUintN(64, root);
    root = next;
  }
}

let derived: Constants | undefined;

function derive(): Constants {
  const first = primes(ROUND_COUNT);
  return {
    round: first.map((prime) => rootFraction(prime, 3n)),
    start: first.slice(0, 8).map((prime) => rootFraction(prime, 2n)),
  };
}

/** Derived at first use: nothing works at import. */
const constants = (): Constants => (derived ??= derive());

const upper = (words: readonly bigint[]): Int32Array =>
  Int32Array.from(words, (word) => Number(word >> 32n) | 0);

/** The message, one bit, zeros, and its length in bits at the end of the last block. */
function padded(data: Bytes, blockBytes: number): DataView {
  const lengthBytes = blockBytes / 8;
  const blocks = Math.ceil((data.length + 1 + lengthBytes) / blockBytes);
  const whole = new Uint8Array(blocks * blockBytes);
  whole.set(data);
  whole[data.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setBigUint64(whole.length - 8, BigInt(data.length) * 8n);
  return view;
}

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));
/** An item that is there: every index below is inside its array. */
const at = (words: Int32Array, i: number): number => words[i] ?? 0;

let k256: Int32Array | undefined;

function compress256(state: Int32Array, w: Int32Array, k: Int32Array): void {
  for (let i = 16; i < 64; i += 1) {
    const w15 = at(w, i - 15);
    const w2 = at(w, i - 2);
    const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
    const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
    w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(k, i) + at(w, i)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (at(state, i) + word) | 0;
  });
}

/** SHA-256 (FIPS 180-4 section 6.2). */
export function sha256(data: Bytes): Bytes {
  const k = (k256 ??= upper(constants().round.slice(0, 64)));
  const state = upper(constants().start);
  const w = new Int32Array(64);
  const view = padded(data, 64);
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getInt32(block + i * 4);
    compress256(state, w, k);
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setInt32(i * 4, word));
  return new Uint8Array(out.buffer);
}

/** A 64-bit word as two halves, which are far faster than big integers. */
interface Word {
  readonly hi: number;
  readonly lo: number;
}

const unsigned = (half: number): number => half >>> 0;

/** Sums of words: the low halves exactly, and what they carry into the high ones. */
function sum(...words: readonly Word[]): Word {
  let hi = 0;
  let lo = 0;
  for (const word of words) {
    hi = (hi + word.hi) | 0;
    lo += unsigned(word.lo);
  }
  return { hi: (hi + Math.floor(lo / 0x1_0000_0000)) | 0, lo: lo | 0 };
}

const xor = (...words: readonly Word[]): Word =>
  words.reduce((x, y) => ({ hi: x.hi ^ y.hi, lo: x.lo ^ y.lo }));
const shift64 = ({ hi, lo }: Word, n: number): Word => ({
  hi: hi >>> n,
  lo: (lo >>> n) | (hi << (32 - n)),
});
/** By less than 32: turned halves first for more. */
const turn = ({ hi, lo }: Word, n: number): Word => ({
  hi: (hi >>> n) | (lo << (32 - n)),
  lo: (lo >>> n) | (hi << (32 - n)),
});
const rotate64 = ({ hi, lo }: Word, n: number): Word =>
  n < 32 ? turn({ hi, lo }, n) : turn({ hi: lo, lo: hi }, n - 32);

const ZERO: Word = { hi: 0, lo: 0 };
const wordAt = (words: readonly Word[], i: number): Word => words[i] ?? ZERO;
const wordOf = (value: bigint): Word => ({
  hi: Number(value >> 32n) | 0,
  lo: Number(BigInt.asIntN(32, value)),
});

let k512: readonly Word[] | undefined;

function compress512(state: readonly Word[], w: Word[], k: readonly Word[]): readonly Word[] {
  for (let i = 16; i < ROUND_COUNT; i += 1) {
    const w15 = wordAt(w, i - 15);
    const w2 = wordAt(w, i - 2);
    const s0 = xor(rotate64(w15, 1), rotate64(w15, 8), shift64(w15, 7));
    const s1 = xor(rotate64(w2, 19), rotate64(w2, 61), shift64(w2, 6));
    w[i] = sum(wordAt(w, i - 16), s0, wordAt(w, i - 7), s1);
  }
  let [a = ZERO, b = ZERO, c = ZERO, d = ZERO, e = ZERO, f = ZERO, g = ZERO, h = ZERO] = state;
  for (let i = 0; i < ROUND_COUNT; i += 1) {
    const s1 = xor(rotate64(e, 14), rotate64(e, 18), rotate64(e, 41));
    const choice = { hi: (e.hi & f.hi) ^ (~e.hi & g.hi), lo: (e.lo & f.lo) ^ (~e.lo & g.lo) };
    const t1 = sum(h, s1, choice, wordAt(k, i), wordAt(w, i));
    const s0 = xor(rotate64(a, 28), rotate64(a, 34), rotate64(a, 39));
    const majority = {
      hi: (a.hi & b.hi) ^ (a.hi & c.hi) ^ (b.hi & c.hi),
      lo: (a.lo & b.lo) ^ (a.lo & c.lo) ^ (b.lo & c.lo),
    };
    [h, g, f, e, d, c, b, a] = [g, f, e, sum(d, t1), c, b, a, sum(t1, s0, majority)];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => sum(word, wordAt(state, i)));
}

/** SHA-512 (FIPS 180-4 section 6.4). */
export function sha512(data: Bytes): Bytes {
  const k = (k512 ??= constants().round.map(wordOf));
  let state: readonly Word[] = constants().start.map(wordOf);
  const view = padded(data, 128);
  for (let block = 0; block < view.byteLength; block += 128) {
    const words = Array.from({ length: 16 }, (_, i) => ({
      hi: view.getInt32(block + i * 8),
      lo: view.getInt32(block + i * 8 + 4),
    }));
    state = compress512(state, words, k);
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach(({ hi, lo }, i) => {
    out.setInt32(i * 8, hi);
    out.setInt32(i * 8 + 4, lo);
  });
  return new Uint8Array(out.buffer);
}
