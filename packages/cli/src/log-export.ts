import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  equalBytes,
  fromBase64url,
  leafHash,
  MerkleTree,
  openCheckpoint,
  Refusal,
  TILE_WIDTH,
  tileOf,
  tilePath,
  tilesIn,
  writeEntries,
} from "@countersign/core";
import type { Bytes, Checkpoint, Crypto, JsonObject, Tile } from "@countersign/core";
import { writePublicFile } from "@countersign/node";
import type { LogHead } from "./log-verify.ts";
import { number, text } from "./sockets.ts";

/** What was written. */
export interface Exported {
  readonly checkpoint: Checkpoint;
  readonly files: number;
}

async function write(folder: string, name: string, data: Bytes | string): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writePublicFile(path, data);
}

/** The checkpoint that an earlier export has left. @throws Refusal `checkpoint_invalid` for one of another log */
async function earlier(c: Crypto, folder: string, vkey: string): Promise<Checkpoint | undefined> {
  let before: string;
  try {
    before = await readFile(join(folder, "checkpoint"), "utf8");
  } catch {
    return undefined;
  }
  return openCheckpoint(c, before, vkey);
}

/** Who follows the files must never see them go back. */
function demandContinued(tree: MerkleTree, before: Checkpoint | undefined): void {
  if (before === undefined) return;
  const isContinued = before.size <= tree.size && equalBytes(tree.root(before.size), before.root);
  if (!isContinued)
    throw new Refusal(
      "checkpoint_invalid",
      "the folder holds a later or another state of this log",
      "Keep that folder: it may show that the log was changed. Export into an empty one.",
    );
}

/** Writes entry bundles as the rows come. @throws Refusal `log_proof_invalid` for rows that are not in order */
async function writeRows(
  c: Crypto,
  folder: string,
  size: number,
  rows: AsyncIterable<JsonObject>,
): Promise<MerkleTree> {
  const tree = new MerkleTree(c);
  let waiting: Bytes[] = [];
  for await (const row of rows) {
    if (tree.size >= size) break; // written after the checkpoint that we look at
    if (number(row, "seq") !== tree.size)
      throw new Refusal("log_proof_invalid", `row ${tree.size} is missing`);
    const leaf = fromBase64url(text(row, "leaf"));
    waiting.push(leaf);
    tree.append(leafHash(c, leaf));
    if (waiting.length < TILE_WIDTH && tree.size < size) continue;
    const index = Math.floor((tree.size - 1) / TILE_WIDTH);
    const tile: Tile = { level: "entries", index, width: waiting.length };
    await write(folder, tilePath(tile), writeEntries(waiting));
    waiting = [];
  }
  return tree;
}

/**
 * Writes a log as static files (C2SP tlog-tiles), which any web server can serve: entries and hash tiles first, the
 * checkpoint last, so that it never stands before what it covers. Partial tiles of earlier exports stay.
 * @param rows in order from 0, at least as many as the checkpoint covers
 * @throws Refusal `checkpoint_invalid`, `log_proof_invalid`
 */
export async function exportLog(
  c: Crypto,
  folder: string,
  head: LogHead,
  rows: AsyncIterable<JsonObject>,
): Promise<Exported> {
  const checkpoint = await openCheckpoint(c, head.checkpoint, head.vkey);
  const before = await earlier(c, folder, head.vkey);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const tree = await writeRows(c, folder, checkpoint.size, rows);
  if (tree.size !== checkpoint.size || !equalBytes(tree.root(), checkpoint.root))
    throw new Refusal(
      "checkpoint_invalid",
      "the rows lead to another root than was signed",
      "Run: countersign log verify",
    );
  demandContinued(tree, before);
  let files = 1;
  for (const tile of tilesIn(tree.size)) {
    files += 1;
    if (tile.level !== "entries") await write(folder, tilePath(tile), tileOf(tree, tile));
  }
  await write(folder, "checkpoint", checkpoint.text);
  return { checkpoint, files };
}
