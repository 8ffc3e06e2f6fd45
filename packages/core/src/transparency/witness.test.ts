import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64, utf8 } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { openCheckpoint, signCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { checkWitnesses, cosign, cosignaturesOn } from "./cosignature.ts";
import { vkeyOf } from "./note.ts";
import { leafHash, MerkleTree } from "./tree.ts";
import {
  cosignatureIn,
  judgeSubmission,
  openSubmission,
  parseAddCheckpoint,
  readSizeAnswer,
  writeAddCheckpoint,
} from "./witness.ts";
import type { AddCheckpoint } from "./witness.ts";

const ORIGIN = "id.example.org/log";
const NAME = "witness.example/w1";
const T = 1_800_000_000;
const logSigner = generateSigner("Ed25519");
const strangeLog = generateSigner("Ed25519");
const one = generateSigner("Ed25519");
const two = generateSigner("Ed25519");
const three = generateSigner("Ed25519");
const vkey = vkeyOf(c, ORIGIN, logSigner.key);
const vkeyOne = vkeyOf(c, NAME, one.key, "cosignature");
const vkeyTwo = vkeyOf(c, "witness.example/w2", two.key, "cosignature");
const vkeyThree = vkeyOf(c, "witness.example/w3", three.key, "cosignature");

function treeOf(size: number, from = 0, seed = "entry"): MerkleTree {
  const tree = new MerkleTree(c);
  for (let i = 0; i < size; i += 1)
    tree.append(leafHash(c, utf8(`${i < from ? "entry" : seed} ${i}`)));
  return tree;
}
const tree = treeOf(20);
const fork = treeOf(20, 5, "other");

async function checkpointOf(size: number, of = tree, by = logSigner): Promise<string> {
  return signCheckpoint(c, { origin: ORIGIN, size, root: of.root(size) }, by);
}
const opened = async (size: number, of = tree): Promise<Checkpoint> =>
  openCheckpoint(c, await checkpointOf(size, of), vkey);

describe("a cosignature", () => {
  it("holds for the checkpoint it was made on, and says when", async () => {
    const checkpoint = await checkpointOf(7);
    const cosigned = checkpoint + (await cosign(c, checkpoint, NAME, T, one));
    expect(await cosignaturesOn(c, cosigned, [vkeyOne])).toEqual([{ name: NAME, at: T }]);
    expect((await openCheckpoint(c, cosigned, vkey)).size).toBe(7);
  });

  it("is ignored by those who do not know the witness", async () => {
    const checkpoint = await checkpointOf(7);
    const cosigned = checkpoint + (await cosign(c, checkpoint, NAME, T, one));
    expect(await cosignaturesOn(c, cosigned, [vkeyTwo])).toEqual([]);
  });

  it("is not the log's own signature, nor the other way round", async () => {
    const checkpoint = await checkpointOf(7);
    const asWitness = vkeyOf(c, ORIGIN, logSigner.key, "cosignature");
    expect(await cosignaturesOn(c, checkpoint, [asWitness])).toEqual([]);
    expect(await outcomeOf(() => cosignaturesOn(c, checkpoint, [vkey]))).toBe("checkpoint_invalid");
    const cosigned = checkpoint + (await cosign(c, checkpoint, NAME, T, one));
    const asLog = vkeyOf(c, NAME, one.key);
    expect(await outcomeOf(() => openCheckpoint(c, cosigned, asLog))).toBe("checkpoint_invalid");
  });

  it("does not hold once any character of the checkpoint was changed", async () => {
    const checkpoint = await checkpointOf(7);
    const line = await cosign(c, checkpoint, NAME, T, one);
    const body = checkpoint.slice(0, checkpoint.indexOf("\n\n"));
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), async (at) => {
        const changed = `${body.slice(0, at)}${body[at] === "7" ? "8" : "7"}${body.slice(at + 1)}`;
        const code = await outcomeOf(async () => {
          const found = await cosignaturesOn(c, `${changed}\n\n${line}`, [vkeyOne]);
          expect(found).toEqual([]);
        });
        expect(code).toBe("checkpoint_invalid");
      }),
    );
  });

  it("does not hold for another time", async () => {
    const checkpoint = await checkpointOf(7);
    const line = await cosign(c, checkpoint, NAME, T, one);
    const octets = Buffer.from(line.split(" ")[2] ?? "", "base64");
    octets[11] = (octets[11] ?? 0) ^ 1; // last octet of the time
    const changed = `${checkpoint}— ${NAME} ${base64(octets)}\n`;
    expect(await outcomeOf(() => cosignaturesOn(c, changed, [vkeyOne]))).toBe("checkpoint_invalid");
  });

  it.each([
    ["without its time", 4 + 64],
    ["that is too long", 4 + 8 + 65],
  ])("is refused %s", async (_name, length) => {
    const checkpoint = await checkpointOf(7);
    const line = await cosign(c, checkpoint, NAME, T, one);
    const octets = Buffer.concat([
      Buffer.from(line.split(" ")[2] ?? "", "base64"),
      Buffer.alloc(9),
    ]);
    const changed = `${checkpoint}— ${NAME} ${base64(octets.subarray(0, length))}\n`;
    expect(await outcomeOf(() => cosignaturesOn(c, changed, [vkeyOne]))).toBe("checkpoint_invalid");
  });

  it("counts once when a witness has signed twice, the newest", async () => {
    const checkpoint = await checkpointOf(7);
    const lines = [
      await cosign(c, checkpoint, NAME, T + 9, one),
      await cosign(c, checkpoint, NAME, T, one),
    ];
    expect(await cosignaturesOn(c, checkpoint + lines.join(""), [vkeyOne])).toEqual([
      { name: NAME, at: T + 9 },
    ]);
  });
});

describe("k of n witnesses", () => {
  const POLICY = [vkeyOne, vkeyTwo, vkeyThree];
  const by = { one, two, three };
  const rows: readonly (readonly [string, readonly (keyof typeof by)[], number, string])[] = [
    ["two of three, two there", ["one", "three"], 2, "accepted"],
    ["two of three, all there", ["one", "two", "three"], 2, "accepted"],
    ["two of three, one there", ["two"], 2, "witnesses_missing"],
    ["two of three, one there twice", ["two", "two"], 2, "witnesses_missing"],
    ["one of three, none there", [], 1, "witnesses_missing"],
    ["a threshold of none", ["one"], 0, "configuration_invalid"],
  ];
  it.each(rows)("%s: %s", async (_name, present, threshold, wanted) => {
    let note = await checkpointOf(7);
    for (const who of present)
      note += await cosign(
        c,
        await checkpointOf(7),
        `witness.example/w${Object.keys(by).indexOf(who) + 1}`,
        T,
        by[who],
      );
    expect(await outcomeOf(() => checkWitnesses(c, note, { vkeys: POLICY, threshold }))).toBe(
      wanted,
    );
  });

  it("does not count one key under two names", async () => {
    const checkpoint = await checkpointOf(7);
    const alias = vkeyOf(c, "witness.example/alias", one.key, "cosignature");
    const note =
      checkpoint +
      (await cosign(c, checkpoint, NAME, T, one)) +
      (await cosign(c, checkpoint, "witness.example/alias", T, one));
    const policy = { vkeys: [vkeyOne, alias], threshold: 2 };
    expect(await outcomeOf(() => checkWitnesses(c, note, policy))).toBe("configuration_invalid");
  });
});

describe("add-checkpoint", () => {
  const LOGS = new Map([[ORIGIN, [vkey]]]);
  const request = async (oldSize: number, size: number): Promise<AddCheckpoint> => ({
    oldSize,
    proof: tree.consistencyProof(oldSize, size),
    checkpoint: await checkpointOf(size),
  });

  it("reads what it writes", async () => {
    for (const [from, to] of [
      [0, 0],
      [0, 9],
      [3, 9],
      [9, 9],
    ] as const) {
      const made = await request(from, to);
      expect(parseAddCheckpoint(writeAddCheckpoint(made))).toEqual(made);
    }
  });

  it("answers any text with a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (head, rest) => {
        const text = `old ${head}\n\n${rest}`;
        expect(await outcomeOf(() => parseAddCheckpoint(text))).toMatch(
          /^(accepted|malformed_request)$/,
        );
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["no old size", "\n\nx\n"],
    ["a size with a zero before it", "old 01\n\nx\n"],
    ["a size with a sign", "old -1\n\nx\n"],
    ["two spaces", "old  1\n\nx\n"],
    ["a line that is no hash", "old 1\nAAAA\n\nx\n"],
    ["too many hashes", `old 1\n${`${base64(new Uint8Array(32))}\n`.repeat(64)}\nx\n`],
  ])("refuses %s", async (_name, text) => {
    expect(await outcomeOf(() => parseAddCheckpoint(text))).toBe("malformed_request");
  });

  it("takes 63 hashes", async () => {
    const text = `old 1\n${`${base64(new Uint8Array(32))}\n`.repeat(63)}\nx\n`;
    expect(parseAddCheckpoint(text).proof).toHaveLength(63);
  });

  it.each<[string, () => Promise<AddCheckpoint>, string]>([
    ["a true one", () => request(0, 7), "judge"],
    [
      "another log's",
      async () => ({
        ...(await request(0, 7)),
        checkpoint: await signCheckpoint(
          c,
          { origin: "other.example/log", size: 7, root: tree.root(7) },
          logSigner,
        ),
      }),
      "404",
    ],
    [
      "one that a stranger signed",
      async () => ({
        ...(await request(0, 7)),
        checkpoint: await checkpointOf(7, tree, strangeLog),
      }),
      "403",
    ],
    [
      "one that is smaller than the old size",
      async () => ({ ...(await request(0, 7)), oldSize: 8 }),
      "400",
    ],
    ["no checkpoint", async () => ({ ...(await request(0, 7)), checkpoint: "hello\n" }), "400"],
  ])("opens %s: %s", async (_name, make, wanted) => {
    const found = await openSubmission(c, await make(), LOGS);
    expect(found.do === "refuse" ? String(found.status) : found.do).toBe(wanted);
  });

  it.each<[string, number | undefined, () => Promise<AddCheckpoint>, number | string]>([
    ["the first", undefined, () => request(0, 7), "cosign"],
    ["the first, empty", undefined, () => request(0, 0), "cosign"],
    ["the next", 7, () => request(7, 12), "cosign"],
    ["the same again", 7, () => request(7, 7), "cosign"],
    ["one that starts before", 7, () => request(3, 12), "conflict 7"],
    ["one that starts after", 7, () => request(9, 12), "conflict 7"],
    ["one from nothing", 7, () => request(0, 12), "conflict 7"],
    ["one from something, where nothing is known", undefined, () => request(3, 12), "conflict 0"],
    ["a proof that is missing", 7, async () => ({ ...(await request(7, 12)), proof: [] }), 422],
    [
      "a proof of another step",
      7,
      async () => ({ ...(await request(7, 12)), proof: tree.consistencyProof(6, 12) }),
      422,
    ],
    [
      "a proof where none is due",
      undefined,
      async () => ({ ...(await request(0, 12)), proof: [new Uint8Array(32)] }),
      422,
    ],
    [
      "a fork with a proof of its own",
      7,
      async () => ({
        oldSize: 7,
        proof: fork.consistencyProof(7, 12),
        checkpoint: await checkpointOf(12, fork),
      }),
      422,
    ],
    [
      "another root of the same size",
      7,
      async () => ({ oldSize: 7, proof: [], checkpoint: await checkpointOf(7, fork) }),
      "conflict 7",
    ],
  ])("judges %s", async (_name, known, make, wanted) => {
    const made = await make();
    const checkpoint = await openCheckpoint(c, made.checkpoint, vkey);
    const latest = known === undefined ? undefined : await opened(known);
    const found = judgeSubmission(c, made, checkpoint, latest);
    const said =
      found.do === "refuse"
        ? found.status
        : found.do === "conflict"
          ? `conflict ${found.size}`
          : found.do;
    expect(said).toBe(wanted);
  });

  it.each([
    ["20852014\n", 20_852_014],
    ["0\n", 0],
    ["7", undefined],
    ["07\n", undefined],
    ["7\n7\n", undefined],
    ["", undefined],
  ])("reads the size in a 409: %j", (body, size) => {
    expect(readSizeAnswer(body)).toBe(size);
  });

  it("takes from an answer the one line that holds", async () => {
    const checkpoint = await checkpointOf(7);
    const ours = await cosign(c, checkpoint, NAME, T, one);
    const foreign = await cosign(c, checkpoint, "witness.example/w2", T, two);
    const wrong = await cosign(c, await checkpointOf(8), NAME, T, one);
    expect(await cosignatureIn(c, checkpoint, foreign + wrong + ours, vkeyOne)).toBe(ours);
    for (const body of ["", "\n", foreign, wrong, "hello\n", ours.slice(0, -5)])
      expect(await outcomeOf(() => cosignatureIn(c, checkpoint, body, vkeyOne))).toBe(
        "checkpoint_invalid",
      );
  });
});
