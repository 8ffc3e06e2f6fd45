import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  leafHash,
  openCheckpoint,
  Refusal,
  readEntries,
  readLeaf,
  readTile,
  tiledTree,
  tilePath,
  tilesIn,
  verifyInclusion,
} from "@countersign/core";
import type { JsonObject, Tile } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { exportLog } from "./log-export.ts";
import { TestLog } from "./published.testing.ts";

const root = await mkdtemp(join(tmpdir(), "countersign-export-"));
afterAll(() => rm(root, { recursive: true }));
let count = 0;
let folder: string;
let log: TestLog;
beforeEach(() => {
  count += 1;
  folder = join(root, String(count), "log");
  log = new TestLog().grow(5);
});

async function write(
  from: TestLog = log,
  rows: AsyncIterable<JsonObject> = from.each(),
): Promise<string> {
  try {
    const head = { checkpoint: await from.checkpoint(), vkey: from.vkey };
    return `ok ${(await exportLog(c, folder, head, rows)).files}`;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const file = async (tile: Tile): Promise<Uint8Array> =>
  new Uint8Array(await readFile(join(folder, tilePath(tile))));

/** What a stranger does who has the files and the key, and nothing else. */
async function verifyFiles(vkey: string): Promise<number> {
  const checkpoint = await openCheckpoint(
    c,
    await readFile(join(folder, "checkpoint"), "utf8"),
    vkey,
  );
  const tree = tiledTree(c, checkpoint.size, file);
  expect(await tree.root()).toEqual(checkpoint.root);
  let index = 0;
  for (const tile of tilesIn(checkpoint.size)) {
    if (tile.level !== "entries") continue;
    const hashes = readTile({ ...tile, level: 0 }, await file({ ...tile, level: 0 }));
    for (const [at, entry] of readEntries(tile, await file(tile)).entries()) {
      readLeaf(entry);
      expect(hashes[at]).toEqual(leafHash(c, entry));
      const proof = index % 97 === 0 ? await tree.inclusionProof(index) : undefined;
      if (proof !== undefined)
        verifyInclusion(c, { index, ...checkpoint, leafHash: leafHash(c, entry), proof });
      index += 1;
    }
  }
  return index;
}

describe("countersign log export", () => {
  it.each([0, 1, 5, 255, 256, 257, 600])(
    "writes files that verify alone: %d entries",
    async (size) => {
      log = new TestLog().grow(size);
      expect(await write()).toMatch(/^ok/);
      expect(await verifyFiles(log.vkey)).toBe(size);
    },
  );

  it("goes on where it was, and leaves tiles of earlier checkpoints", async () => {
    await write();
    log.grow(300);
    expect(await write()).toMatch(/^ok/);
    expect(await verifyFiles(log.vkey)).toBe(305);
    expect(await readdir(join(folder, "tile", "0"))).toEqual(["000", "000.p", "001.p"]);
  });

  const without = async function* (at: number): AsyncGenerator<JsonObject> {
    for (const row of log.rows) if (row["seq"] !== at) yield row;
  };
  it.each<[string, () => Promise<string>, string]>([
    ["a row is missing", () => write(log, without(2)), "log_proof_invalid"],
    ["the newest row is missing", () => write(log, without(4)), "checkpoint_invalid"],
    [
      "the rows are another log's",
      () => write(log, new TestLog().grow(5).each()),
      "checkpoint_invalid",
    ],
  ])("writes no checkpoint when %s", async (_name, run, wanted) => {
    expect(await run()).toBe(wanted);
    await expect(readFile(join(folder, "checkpoint"))).rejects.toThrow("ENOENT");
  });

  it.each<[string, () => TestLog]>([
    ["smaller", () => new TestLog(log.signer).grow(4)],
    ["forked", () => new TestLog(log.signer).grow(9, "other")],
    ["of another key", () => new TestLog().grow(9)],
  ])("keeps what was published when the log is %s", async (_name, other) => {
    await write();
    const before = await readFile(join(folder, "checkpoint"), "utf8");
    expect(await write(other())).toBe("checkpoint_invalid");
    expect(await readFile(join(folder, "checkpoint"), "utf8")).toBe(before);
  });

  it("refuses a folder with something else in it", async () => {
    await write();
    await writeFile(join(folder, "checkpoint"), "hello\n");
    expect(await write()).toBe("checkpoint_invalid");
  });
});
