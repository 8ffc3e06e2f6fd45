import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { hex, utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { emptyRoot, leafHash, MerkleTree, verifyConsistency, verifyInclusion } from "./tree.ts";
import type { Consistency, Inclusion } from "./tree.ts";

const SIZE = 64;

function treeOf(size: number): MerkleTree {
  const tree = new MerkleTree(c);
  for (let i = 0; i < size; i += 1) tree.append(leafHash(c, utf8(`entry ${i}`)));
  return tree;
}

const tree = treeOf(SIZE);

/** The definition of RFC 9162 section 2.1.1, word for word, to judge the incremental one. */
function rootByDefinition(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) return c.sha256(new Uint8Array(0));
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const left = rootByDefinition(leaves.slice(0, k));
  const right = rootByDefinition(leaves.slice(k));
  return c.sha256(new Uint8Array([1, ...left, ...right]));
}

function inclusionOf(index: number, size: number): Inclusion {
  return {
    index,
    size,
    leafHash: leafHash(c, utf8(`entry ${index}`)),
    root: tree.root(size),
    proof: tree.inclusionProof(index, size),
  };
}

function consistencyOf(from: number, to: number): Consistency {
  return {
    from,
    to,
    fromRoot: tree.root(from),
    toRoot: tree.root(to),
    proof: tree.consistencyProof(from, to),
  };
}

function flipped(data: Bytes, at: number): Bytes {
  return data.map((octet, i) => (i === at ? octet ^ 1 : octet));
}

function codeOf(run: () => void): string {
  try {
    run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

describe("Merkle tree", () => {
  it("has at every size the root of the definition", () => {
    const leaves = Array.from({ length: SIZE }, (_, i) => leafHash(c, utf8(`entry ${i}`)));
    for (let size = 0; size <= SIZE; size += 1)
      expect(hex(tree.root(size))).toBe(hex(rootByDefinition(leaves.slice(0, size))));
    expect(hex(new MerkleTree(c).root())).toBe(hex(emptyRoot(c)));
  });

  it("proves every entry at every size", () => {
    for (let size = 1; size <= SIZE; size += 1)
      for (let index = 0; index < size; index += 1) verifyInclusion(c, inclusionOf(index, size));
  });

  it("proves every size to continue every smaller one", () => {
    for (let to = 0; to <= SIZE; to += 1)
      for (let from = 0; from <= to; from += 1) verifyConsistency(c, consistencyOf(from, to));
  });

  it("keeps proofs logarithmic", () => {
    expect(tree.inclusionProof(17, 33)).toHaveLength(6);
    expect(tree.consistencyProof(31, 64).length).toBeLessThanOrEqual(7);
  });

  it.each([
    ["a size not reached", () => tree.root(SIZE + 1)],
    ["a negative size", () => tree.root(-1)],
    ["an index at the size", () => tree.inclusionProof(5, 5)],
    ["a fractional index", () => tree.inclusionProof(0.5, 5)],
    ["sizes out of order", () => tree.consistencyProof(6, 5)],
  ])("does not answer for %s", (_, run) => {
    expect(run).toThrow(RangeError);
  });
});

const pair = fc
  .tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1))
  .map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) + 1 }));

describe("verifyInclusion", () => {
  const valid = inclusionOf(11, 43);
  it.each<[string, Partial<Inclusion>, string]>([
    ["the proof", {}, "ok"],
    ["another index", { index: 12 }, "log_proof_invalid"],
    ["an index at the size", { index: 43 }, "log_proof_invalid"],
    ["a negative index", { index: -1 }, "log_proof_invalid"],
    ["a fractional size", { size: 43.5 }, "log_proof_invalid"],
    ["a size beyond the safe integers", { size: 2 ** 60 }, "log_proof_invalid"],
    ["another size", { size: 100 }, "log_proof_invalid"],
    ["one hash less", { proof: valid.proof.slice(1) }, "log_proof_invalid"],
    ["one hash more", { proof: [...valid.proof, valid.root] }, "log_proof_invalid"],
    ["a short hash", { proof: valid.proof.map((h) => h.subarray(1)) }, "log_proof_invalid"],
    ["a short root", { root: valid.root.subarray(1) }, "log_proof_invalid"],
    [
      "hashes without end",
      { proof: Array.from({ length: 80 }, () => valid.root) },
      "log_proof_invalid",
    ],
    ["another root", { root: tree.root(42) }, "log_proof_invalid"],
  ])("judges %s", (_, change, code) => {
    expect(codeOf(() => verifyInclusion(c, { ...valid, ...change }))).toBe(code);
  });

  it("refuses any one-octet change of any hash", () => {
    fc.assert(
      fc.property(pair, fc.nat(99), fc.nat(31), ({ low, high }, which, at) => {
        const claim = inclusionOf(low, high);
        const slot = which % (claim.proof.length + 2);
        const changed = {
          ...claim,
          proof: claim.proof.map((hash, i) => (i === slot ? flipped(hash, at) : hash)),
          ...(slot === claim.proof.length ? { root: flipped(claim.root, at) } : {}),
          ...(slot === claim.proof.length + 1 ? { leafHash: flipped(claim.leafHash, at) } : {}),
        };
        expect(codeOf(() => verifyInclusion(c, changed))).toBe("log_proof_invalid");
      }),
      { seed: 6962, numRuns: 200 },
    );
  });
});

describe("verifyConsistency", () => {
  const valid = consistencyOf(21, 50);
  it.each<[string, Consistency, string]>([
    ["the proof", valid, "ok"],
    ["the empty tree", consistencyOf(0, 50), "ok"],
    [
      "an empty tree with another root",
      { ...consistencyOf(0, 50), fromRoot: tree.root(1) },
      "log_proof_invalid",
    ],
    [
      "a proof from the empty tree",
      { ...consistencyOf(0, 50), proof: [tree.root(3)] },
      "log_proof_invalid",
    ],
    ["the same tree", consistencyOf(50, 50), "ok"],
    [
      "the same size with two roots",
      { ...consistencyOf(50, 50), fromRoot: tree.root(49) },
      "log_proof_invalid",
    ],
    ["sizes out of order", { ...valid, from: 51 }, "log_proof_invalid"],
    ["another old size", { ...valid, from: 24 }, "log_proof_invalid"],
    ["another new size", { ...valid, to: 900 }, "log_proof_invalid"],
    ["another old root", { ...valid, fromRoot: tree.root(20) }, "log_proof_invalid"],
    ["another new root", { ...valid, toRoot: tree.root(51) }, "log_proof_invalid"],
    ["no hashes", { ...valid, proof: [] }, "log_proof_invalid"],
    ["one hash less", { ...valid, proof: valid.proof.slice(0, -1) }, "log_proof_invalid"],
    ["one hash more", { ...valid, proof: [...valid.proof, valid.toRoot] }, "log_proof_invalid"],
  ])("judges %s", (_, claim, code) => {
    expect(codeOf(() => verifyConsistency(c, claim))).toBe(code);
  });

  it("refuses any one-octet change of any hash", () => {
    fc.assert(
      fc.property(pair, fc.nat(99), fc.nat(31), ({ low, high }, which, at) => {
        const claim = consistencyOf(low + 1, high);
        const slot = which % (claim.proof.length + 2);
        const changed = {
          ...claim,
          proof: claim.proof.map((hash, i) => (i === slot ? flipped(hash, at) : hash)),
          ...(slot === claim.proof.length ? { fromRoot: flipped(claim.fromRoot, at) } : {}),
          ...(slot === claim.proof.length + 1 ? { toRoot: flipped(claim.toRoot, at) } : {}),
        };
        expect(codeOf(() => verifyConsistency(c, changed))).toBe("log_proof_invalid");
      }),
      { seed: 9162, numRuns: 200 },
    );
  });
});
