import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { vkeyOf } from "./note.ts";
import { parseTlogProof, verifyTlogProof, writeTlogProof } from "./tlog-proof.ts";
import { leafHash, MerkleTree } from "./tree.ts";

const log = generateSigner("Ed25519");
const ORIGIN = "id.example.com/log";
const vkey = vkeyOf(c, ORIGIN, log.key);
const entries = Array.from({ length: 13 }, (_, i) => utf8(`entry ${i}`));
const tree = new MerkleTree(c);
for (const entry of entries) tree.append(leafHash(c, entry));

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

describe("tlog-proof", async () => {
  const checkpoint = await signCheckpoint(c, { origin: ORIGIN, size: 13, root: tree.root() }, log);
  const parts = { index: 9, proof: tree.inclusionProof(9), checkpoint };
  const proof = writeTlogProof(parts);
  const entry = utf8("entry 9");

  it("reads what it writes", () => {
    expect(parseTlogProof(proof)).toEqual(parts);
    expect(parseTlogProof(writeTlogProof({ ...parts, proof: [] })).proof).toEqual([]);
  });

  it("says where the entry stands and under which checkpoint", async () => {
    const at = await verifyTlogProof(c, { proof, entry, vkey });
    expect(at.index).toBe(9);
    expect(at.checkpoint.size).toBe(13);
    expect(at.checkpoint.text).toBe(checkpoint);
  });

  const lines = proof.split("\n");
  const [, , firstHash = ""] = lines;
  it.each<[string, { proof?: string; entry?: Uint8Array; vkey?: string }, string]>([
    ["the proof", {}, "ok"],
    ["another entry", { entry: utf8("entry 8") }, "log_proof_invalid"],
    [
      "another log",
      { vkey: vkeyOf(c, ORIGIN, generateSigner("Ed25519").key) },
      "checkpoint_invalid",
    ],
    [
      "a log of another name",
      { vkey: vkeyOf(c, "other.example/log", log.key) },
      "checkpoint_invalid",
    ],
    ["another index", { proof: proof.replace("index 9", "index 8") }, "log_proof_invalid"],
    [
      "an index with a zero in front",
      { proof: proof.replace("index 9", "index 09") },
      "log_proof_invalid",
    ],
    [
      "an index outside the tree",
      { proof: proof.replace("index 9", "index 13") },
      "log_proof_invalid",
    ],
    ["no index", { proof: proof.replace("index 9\n", "") }, "log_proof_invalid"],
    ["an extra line", { proof: proof.replace("index", "extra AAAA\nindex") }, "log_proof_invalid"],
    ["another version", { proof: proof.replace("@v1", "@v2") }, "log_proof_invalid"],
    ["one hash less", { proof: proof.replace(`${firstHash}\n`, "") }, "log_proof_invalid"],
    [
      "one hash twice",
      { proof: proof.replace(firstHash, `${firstHash}\n${firstHash}`) },
      "log_proof_invalid",
    ],
    [
      "a hash without padding",
      { proof: proof.replace(firstHash, firstHash.slice(0, 43)) },
      "log_proof_invalid",
    ],
    [
      "hashes without end",
      { proof: proof.replace(firstHash, `${firstHash}\n`.repeat(70).trim()) },
      "log_proof_invalid",
    ],
    ["no checkpoint", { proof: lines.slice(0, -6).join("\n") }, "log_proof_invalid"],
    [
      "a checkpoint of another size",
      { proof: proof.replace("\n13\n", "\n14\n") },
      "checkpoint_invalid",
    ],
    ["a text without end", { proof: proof + "x".repeat(200_000) }, "log_proof_invalid"],
    ["nothing", { proof: "" }, "log_proof_invalid"],
  ])("judges %s", async (_, change, code) => {
    expect(await codeOf(() => verifyTlogProof(c, { proof, entry, vkey, ...change }))).toBe(code);
  });

  it("refuses any change of one character", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(proof.length - 1), async (at) => {
        const changed = proof.slice(0, at) + (proof[at] === "A" ? "B" : "A") + proof.slice(at + 1);
        const code = await codeOf(() => verifyTlogProof(c, { proof: changed, entry, vkey }));
        expect(["log_proof_invalid", "checkpoint_invalid"]).toContain(code);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it("answers any text with a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (noise) => {
        expect(await codeOf(() => parseTlogProof(noise))).toBe("log_proof_invalid");
      }),
      { seed: 4, numRuns: 100 },
    );
  });
});
