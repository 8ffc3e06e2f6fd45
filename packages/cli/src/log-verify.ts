import {
  equalBytes,
  fromBase64url,
  leafHash,
  MerkleTree,
  openCheckpoint,
  openRecord,
  parseTlogProof,
  readLeaf,
  Refusal,
  utf8,
  verifyTlogProof,
} from "@countersign/core";
import type { Bytes, Checkpoint, Crypto, JsonObject, Leaf } from "@countersign/core";
import { number, text } from "./sockets.ts";

/** What the server says of its log before its rows are read. */
export interface LogHead {
  /** The newest signed checkpoint. */
  readonly checkpoint: string;
  /** The log's verifier key. */
  readonly vkey: string;
}

export interface LogReport {
  readonly checkpoint: Checkpoint;
  readonly opened: number;
  /** Rows whose record was erased, as its time had come: their leaves still count. */
  readonly erased: number;
}

/** Says which row a refusal is about. */
function inRow<T>(seq: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.code, `row ${seq}: ${error.message}`, NEXT);
  }
}

const NEXT =
  "Keep a copy of the data directory and of this output: the log was changed, or the row was damaged on disk.";

function leafOf(row: JsonObject, seq: number): { readonly octets: Bytes; readonly leaf: Leaf } {
  if (number(row, "seq") !== seq)
    throw new Refusal("log_proof_invalid", `row ${seq} is missing`, NEXT);
  const octets = fromBase64url(text(row, "leaf"));
  const leaf = readLeaf(octets);
  if (leaf.type !== row["type"] || leaf.t !== row["t"])
    throw new Refusal("log_proof_invalid", "type or time are not those of the leaf");
  return { octets, leaf };
}

/** @returns whether there was a record to open */
function openRow(c: Crypto, row: JsonObject, leaf: Leaf): boolean {
  const { record, salts } = row;
  if (record === undefined) return false;
  const salt = fromBase64url(text(salts as JsonObject, "record")); // our own daemon's answer
  openRecord(c, leaf, utf8(text(row, "record")), salt);
  return true;
}

/** Reads rows and proofs. Rows come in order from 0, at least as many as the checkpoint covers. */
export interface LogSource {
  readonly rows: AsyncIterable<JsonObject>;
  /** The tlog-proof of a row; the log may have grown. */
  readonly proofOf: (seq: number) => Promise<string>;
}

/**
 * Recomputes a log from its rows: every leaf, every record that opens it, the root under the signed checkpoint, and
 * the inclusion proof of the newest row under it.
 * @throws Refusal `checkpoint_invalid`, `log_proof_invalid`, `record_invalid`, naming the row
 */
export async function verifyLog(c: Crypto, head: LogHead, source: LogSource): Promise<LogReport> {
  const checkpoint = await openCheckpoint(c, head.checkpoint, head.vkey);
  const tree = new MerkleTree(c);
  let opened = 0;
  let newest: Bytes | undefined;
  for await (const row of source.rows) {
    const seq = tree.size;
    if (seq >= checkpoint.size) break; // written after the checkpoint that we look at
    const { octets, leaf } = inRow(seq, () => leafOf(row, seq));
    if (inRow(seq, () => openRow(c, row, leaf))) opened += 1;
    tree.append(leafHash(c, octets));
    newest = octets;
  }
  if (tree.size < checkpoint.size)
    throw new Refusal(
      "log_proof_invalid",
      `the checkpoint covers ${checkpoint.size} rows, there are ${tree.size}`,
      NEXT,
    );
  if (!equalBytes(tree.root(), checkpoint.root))
    throw new Refusal("checkpoint_invalid", "the rows lead to another root than was signed", NEXT);
  if (newest !== undefined) await checkNewest(c, head, source, tree, newest);
  return { checkpoint, opened, erased: checkpoint.size - opened };
}

/** The proof that the server gives out for the newest row must be one of our tree's. */
async function checkNewest(
  c: Crypto,
  head: LogHead,
  source: LogSource,
  tree: MerkleTree,
  entry: Bytes,
): Promise<void> {
  const seq = tree.size - 1;
  const proof = await source.proofOf(seq);
  if (parseTlogProof(proof).index !== seq)
    throw new Refusal("log_proof_invalid", `the proof of row ${seq} is of another row`, NEXT);
  const { checkpoint } = await verifyTlogProof(c, { proof, entry, vkey: head.vkey });
  const isSameTree = checkpoint.size !== tree.size || equalBytes(checkpoint.root, tree.root());
  if (!isSameTree) throw new Refusal("checkpoint_invalid", "two roots of one size", NEXT);
}
