import { beforeAll, describe, expect, it } from "vitest";
import {
  base64url,
  fromBase64url,
  fromUtf8,
  leafHash,
  makeLeaf,
  MerkleTree,
  signCheckpoint,
  vkeyOf,
  writeTlogProof,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto as c, nodeRandom } from "@countersign/node";
import { verifyLog } from "./log-verify.ts";
import type { LogHead } from "./log-verify.ts";
import { text } from "./sockets.ts";

const ORIGIN = "id.example.org/log";
const SIZE = 5;

interface Made {
  readonly head: LogHead;
  readonly rows: readonly JsonObject[];
  readonly proofOf: (seq: number) => string;
}

async function makeLog(): Promise<Made> {
  const signer = generateSigner("Ed25519");
  const tree = new MerkleTree(c);
  const rows = Array.from({ length: SIZE }, (_, seq): JsonObject => {
    const recordSalt = nodeRandom(16);
    const record = { v: 1, entry: `spiffe://example.org/agent/a${seq}` };
    const made = makeLeaf(c, {
      type: "entry.added",
      t: 1_800_000_000 + seq,
      actor: "admin",
      record,
      recordSalt,
    });
    tree.append(leafHash(c, made.leaf));
    return {
      seq,
      type: "entry.added",
      t: 1_800_000_000 + seq,
      leaf: base64url(made.leaf),
      record: fromUtf8(made.record),
      salts: { record: base64url(recordSalt) },
    };
  });
  const checkpoint = await signCheckpoint(
    c,
    { origin: ORIGIN, size: SIZE, root: tree.root() },
    signer,
  );
  const proofOf = (seq: number): string =>
    writeTlogProof({ index: seq, proof: tree.inclusionProof(seq), checkpoint });
  return { head: { checkpoint, vkey: vkeyOf(c, ORIGIN, signer.key) }, rows, proofOf };
}

let log: Made;
let other: Made;
beforeAll(async () => {
  log = await makeLog();
  other = await makeLog();
});

async function* each(rows: readonly JsonObject[]): AsyncGenerator<JsonObject> {
  yield* rows;
}

async function codeOf(made: Made): Promise<string> {
  const source = {
    rows: each(made.rows),
    proofOf: (seq: number) => Promise.resolve(made.proofOf(seq)),
  };
  return verifyLog(c, made.head, source).then(
    (report) => `ok ${report.opened}+${report.erased}`,
    (error: { code: string; message: string }) =>
      `${error.code} ${/row \d/.exec(error.message)?.[0] ?? ""}`.trim(),
  );
}

/** One row of the log changed. */
const rowChanged = (at: number, change: (row: JsonObject) => JsonObject) => (): Made => ({
  ...log,
  rows: log.rows.map((row, i) => (i === at ? change(row) : row)),
});

/** A member's text with one byte of what it encodes changed. */
function flipped(row: JsonObject, name: "leaf", at: number): JsonObject {
  const octets = fromBase64url(text(row, name));
  octets[at] = (octets[at] ?? 0) ^ 1;
  return { ...row, [name]: base64url(octets) };
}

const withoutRecord = (row: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(row).filter(([name]) => name !== "record"));

const ROWS: readonly (readonly [string, () => Made, string])[] = [
  ["a true log", () => log, "ok 5+0"],
  [
    "rows written after the checkpoint",
    () => ({ ...log, rows: [...log.rows, { seq: 5 }] }),
    "ok 5+0",
  ],
  ["an erased record", rowChanged(2, withoutRecord), "ok 4+1"],
  [
    "one byte of a record",
    rowChanged(3, (row) => ({ ...row, record: text(row, "record").replace("a3", "b3") })),
    "record_invalid row 3",
  ],
  [
    "one byte of a salt",
    rowChanged(1, (row) => ({ ...row, salts: { record: "A".repeat(22) } })),
    "record_invalid row 1",
  ],
  [
    "one byte of a leaf",
    rowChanged(2, (row) => flipped(row, "leaf", 0)),
    "log_proof_invalid row 2",
  ],
  [
    "another leaf with its own record",
    () => ({ ...log, rows: log.rows.map((row, i) => (i === 0 ? (other.rows[0] ?? row) : row)) }),
    "checkpoint_invalid",
  ],
  [
    "another type than the leaf says",
    rowChanged(4, (row) => ({ ...row, type: "entry.removed" })),
    "log_proof_invalid row 4",
  ],
  [
    "another time than the leaf says",
    rowChanged(4, (row) => ({ ...row, t: 7 })),
    "log_proof_invalid row 4",
  ],
  [
    "a row left out",
    () => ({ ...log, rows: log.rows.filter((_, i) => i !== 2) }),
    "log_proof_invalid row 2",
  ],
  ["the newest row left out", () => ({ ...log, rows: log.rows.slice(0, -1) }), "log_proof_invalid"],
  [
    "two rows exchanged",
    () => ({
      ...log,
      rows: log.rows.map((row, i) => ({
        ...(log.rows[i === 1 ? 2 : i === 2 ? 1 : i] ?? row),
        seq: i,
      })),
    }),
    "checkpoint_invalid",
  ],
  ["a checkpoint of another log", () => ({ ...log, head: other.head }), "checkpoint_invalid"],
  [
    "a checkpoint that another key signed",
    () => ({ ...log, head: { ...log.head, vkey: other.head.vkey } }),
    "checkpoint_invalid",
  ],
  [
    "the proof of another row",
    () => ({ ...log, proofOf: () => log.proofOf(3) }),
    "log_proof_invalid row 4",
  ],
  ["the proof of another log", () => ({ ...log, proofOf: other.proofOf }), "checkpoint_invalid"],
];

describe("countersign log verify", () => {
  it.each(ROWS)("judges %s", async (_name, made, wanted) => {
    expect(await codeOf(made())).toBe(wanted);
  });

  it("takes an empty log", async () => {
    const signer = generateSigner("Ed25519");
    const head = { origin: ORIGIN, size: 0, root: new MerkleTree(c).root() };
    const checkpoint = await signCheckpoint(c, head, signer);
    const empty = {
      head: { checkpoint, vkey: vkeyOf(c, ORIGIN, signer.key) },
      rows: [],
      proofOf: log.proofOf,
    };
    expect(await codeOf(empty)).toBe("ok 0+0");
  });
});
