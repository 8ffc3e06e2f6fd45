import type { Bytes, Crypto } from "../crypto.ts";
import { concat, equalBytes } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { consistencyRanges, inclusionRanges, subtreesOf } from "./ranges.ts";
import type { Range } from "./ranges.ts";

/** No tree whose size is a safe integer has longer paths; a longer proof is refused unread. */
export const MAX_PROOF_HASHES = 64;

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

/** Root of the tree without entries: SHA-256 of nothing (RFC 9162 section 2.1.1). */
export function emptyRoot(c: Crypto): Bytes {
  return c.sha256(new Uint8Array(0));
}

/** Hash of one entry: SHA-256(0x00 ‖ entry). */
export function leafHash(c: Crypto, entry: Bytes): Bytes {
  return c.sha256(concat(LEAF, entry));
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(c: Crypto, left: Bytes, right: Bytes): Bytes {
  return c.sha256(concat(NODE, left, right));
}

/** Hash over subtrees that stand side by side, the largest first. */
export function joinHashes(c: Crypto, hashes: readonly Bytes[]): Bytes {
  return hashes.reduceRight((right, left) => nodeHash(c, left, right));
}

/**
 * RFC 6962 / RFC 9162 Merkle tree over SHA-256, from leaf hashes in order. Keeps the hash of every complete
 * subtree: 64 octets a leaf, `append` constant on average, roots and proofs logarithmic. Earlier sizes stay
 * answerable, because the log only grows.
 */
export class MerkleTree {
  readonly #c: Crypto;
  /** `#levels[l][i]`: hash of the complete subtree over the entries i·2^l … (i+1)·2^l − 1. */
  readonly #levels: Bytes[][] = [[]];

  constructor(c: Crypto) {
    this.#c = c;
  }

  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  append(hash: Bytes): void {
    let carried = hash;
    for (let level = 0; ; level += 1) {
      const row = (this.#levels[level] ??= []);
      row.push(carried);
      const left = row[row.length - 2];
      if (row.length % 2 === 1 || left === undefined) return;
      carried = nodeHash(this.#c, left, carried);
    }
  }

  /**
   * The root at `size`, default the newest.
   * @throws RangeError for a size that the tree has not reached
   */
  root(size: number = this.size): Bytes {
    this.#checkSize(size);
    return size === 0 ? emptyRoot(this.#c) : this.#over({ start: 0, end: size });
  }

  /**
   * Audit path from the sibling of the entry up to the child of the root (RFC 9162 section 2.1.3.1).
   * @throws RangeError unless index < size ≤ the tree's size
   */
  inclusionProof(index: number, size: number = this.size): readonly Bytes[] {
    this.#checkSize(size);
    if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new RangeError("index");
    return inclusionRanges(index, size).map((range) => this.#over(range));
  }

  /**
   * Proof that the tree of size `to` only appends to the tree of size `from` (RFC 9162 section 2.1.4.1).
   * Empty for `from` 0 and for `from` = `to`.
   * @throws RangeError unless from ≤ to ≤ the tree's size
   */
  consistencyProof(from: number, to: number = this.size): readonly Bytes[] {
    this.#checkSize(to);
    if (!Number.isSafeInteger(from) || from < 0 || from > to) throw new RangeError("from");
    return consistencyRanges(from, to).map((range) => this.#over(range));
  }

  #checkSize(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.size) throw new RangeError("size");
  }

  /**
   * Hashes of complete subtrees that stand side by side: `count` of those over 2^level entries, from `start` on.
   * @throws RangeError where the tree does not have them
   */
  row(level: number, start: number, count: number): readonly Bytes[] {
    const found = this.#levels[level]?.slice(start, start + count) ?? [];
    if (found.length !== count) throw new RangeError("row");
    return found;
  }

  #over(range: Range): Bytes {
    const parts = subtreesOf(range).flatMap(({ level, index }) => this.row(level, index, 1));
    return joinHashes(this.#c, parts);
  }
}

/** What an inclusion proof claims. */
export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Bytes;
  readonly root: Bytes;
  readonly proof: readonly Bytes[];
}

function refuse(why: string): never {
  throw new Refusal("log_proof_invalid", why);
}

function checkHashes(hashes: readonly Bytes[]): void {
  if (hashes.length > MAX_PROOF_HASHES + 2) refuse("proof is too long");
  if (hashes.some((hash) => hash.length !== 32)) refuse("a hash is not 32 octets");
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/**
 * Checks an audit path (RFC 9162 section 2.1.3.2). Throws instead of answering, so that a forgotten answer fails closed.
 * @throws Refusal `log_proof_invalid`
 */
export function verifyInclusion(c: Crypto, claim: Inclusion): void {
  const { index, size, root, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) refuse("index outside the tree");
  checkHashes([...proof, root, claim.leafHash]);
  let node = index;
  let last = size - 1;
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0) refuse("proof is too long");
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(c, sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else hash = nodeHash(c, hash, sibling);
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) refuse("proof is too short");
  if (!equalBytes(hash, root)) refuse("the path leads to another root");
}

/** What a consistency proof claims. */
export interface Consistency {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Bytes;
  readonly toRoot: Bytes;
  readonly proof: readonly Bytes[];
}

/**
 * Checks that one tree is a prefix of another (RFC 9162 section 2.1.4.2). Every tree continues the empty one.
 * @throws Refusal `log_proof_invalid`
 */
export function verifyConsistency(c: Crypto, claim: Consistency): void {
  const { from, to, fromRoot, toRoot, proof } = claim;
  if (!isSize(from) || !isSize(to) || from > to) refuse("sizes are not in order");
  checkHashes([...proof, fromRoot, toRoot]);
  if (from === 0 || from === to) {
    if (proof.length > 0) refuse("proof is too long");
    if (!equalBytes(fromRoot, from === to ? toRoot : emptyRoot(c))) refuse("the roots differ");
    return;
  }
  let node = from - 1;
  let last = to - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  // where the old tree is one complete subtree, its root starts the path and is not sent
  const path = node === 0 ? [fromRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return refuse("proof is too short");
  let older = first;
  let newer = first;
  for (const sibling of rest) {
    if (last === 0) refuse("proof is too long");
    if (node % 2 === 1 || node === last) {
      older = nodeHash(c, sibling, older);
      newer = nodeHash(c, sibling, newer);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else newer = nodeHash(c, newer, sibling);
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) refuse("proof is too short");
  if (!equalBytes(older, fromRoot) || !equalBytes(newer, toRoot))
    refuse("the path leads to other roots");
}
