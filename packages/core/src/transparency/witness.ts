import type { Bytes, Crypto } from "../crypto.ts";
import { base64, equalBytes } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { openCheckpoint, readDecimal, readHashLine, readTreeHead } from "./checkpoint.ts";
import type { Checkpoint, TreeHead } from "./checkpoint.ts";
import { cosignaturesOn, MAX_WITNESSES } from "./cosignature.ts";
import { MAX_NOTE_LENGTH, parseNote } from "./note.ts";
import { emptyRoot, verifyConsistency } from "./tree.ts";

/** Most lines of a consistency proof that a client may send. */
const MAX_PROOF_LINES = 63;

/** Octets that no request of a client exceeds. */
export const MAX_ADD_CHECKPOINT_BYTES: number = MAX_NOTE_LENGTH + 45 * MAX_PROOF_LINES + 64;

/** Media type of the answer that names the size which the witness knows. */
export const TLOG_SIZE_TYPE = "text/x.tlog.size";

/** Body of `POST add-checkpoint` (C2SP tlog-witness); nothing is verified. */
export interface AddCheckpoint {
  /** Size that the witness is thought to know; 0 for none. */
  readonly oldSize: number;
  /** Consistency from there to the checkpoint. */
  readonly proof: readonly Bytes[];
  /** The signed note. */
  readonly checkpoint: string;
}

function refuse(why: string): never {
  throw new Refusal("malformed_request", why);
}

export function writeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  const lines = [`old ${oldSize}`, ...proof.map((hash) => base64(hash))];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

/** @throws Refusal `malformed_request` */
export function parseAddCheckpoint(text: string): AddCheckpoint {
  if (text.length > MAX_ADD_CHECKPOINT_BYTES) refuse("longer than a request may be");
  const blank = text.indexOf("\n\n");
  if (blank < 0) refuse("no empty line before the checkpoint");
  const [first = "", ...hashes] = text.slice(0, blank).split("\n");
  const oldSize = first.startsWith("old ") ? readDecimal(first.slice(4)) : undefined;
  if (oldSize === undefined) return refuse("no line with the old size");
  if (hashes.length > MAX_PROOF_LINES) refuse("too many proof lines");
  const proof = hashes.map((line) => readHashLine(line) ?? refuse("not a hash"));
  return { oldSize, proof, checkpoint: text.slice(blank + 2) };
}

/** A request that is not cosigned, with its status. */
export interface WitnessRefusal {
  readonly do: "refuse";
  readonly status: 400 | 403 | 404 | 422;
  readonly why: string;
}

/** What a witness answers to a checkpoint that its log has signed. */
export type WitnessRuling =
  | { readonly do: "cosign" }
  | WitnessRefusal
  /** 409: the client's idea of what we know is wrong. */
  | { readonly do: "conflict"; readonly size: number };

function no(status: WitnessRefusal["status"], why: string): WitnessRefusal {
  return { do: "refuse", status, why };
}

function treeHeadOf(checkpoint: string): TreeHead | undefined {
  try {
    return readTreeHead(parseNote(checkpoint).text);
  } catch {
    return undefined;
  }
}

/** The checkpoint as one of the log's keys has signed it. */
async function openByAny(
  c: Crypto,
  text: string,
  vkeys: readonly string[],
): Promise<Checkpoint | undefined> {
  for (const vkey of vkeys)
    try {
      return await openCheckpoint(c, text, vkey);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  return undefined;
}

/**
 * The checkpoint of a request, as the log that it is of has signed it.
 * @param logs verifier keys by origin
 */
export async function openSubmission(
  c: Crypto,
  request: AddCheckpoint,
  logs: ReadonlyMap<string, readonly string[]>,
): Promise<WitnessRefusal | { readonly do: "judge"; readonly checkpoint: Checkpoint }> {
  const head = treeHeadOf(request.checkpoint);
  if (head === undefined) return no(400, "no checkpoint");
  const vkeys = logs.get(head.origin);
  if (vkeys === undefined) return no(404, "a log that is not known here");
  const checkpoint = await openByAny(c, request.checkpoint, vkeys);
  if (checkpoint === undefined) return no(403, "not signed by a key of this log");
  if (request.oldSize > checkpoint.size) return no(400, "the old size is larger than the new one");
  return { do: "judge", checkpoint };
}

/**
 * What a witness does with a checkpoint that its log has signed. Pure: the caller makes asking, deciding and
 * remembering one step for each log, and remembers before it signs.
 * @param latest the newest checkpoint that was cosigned for this log
 */
export function judgeSubmission(
  c: Crypto,
  { oldSize, proof }: AddCheckpoint,
  checkpoint: TreeHead,
  latest: TreeHead | undefined,
): WitnessRuling {
  const known = latest ?? { size: 0, root: emptyRoot(c) };
  const isFork = known.size === checkpoint.size && !equalBytes(known.root, checkpoint.root);
  if (oldSize !== known.size || isFork) return { do: "conflict", size: known.size };
  try {
    verifyConsistency(c, {
      from: oldSize,
      to: checkpoint.size,
      fromRoot: known.root,
      toRoot: checkpoint.root,
      proof,
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return no(422, "the log does not show that it only appended");
  }
  return { do: "cosign" };
}

/** The size in the body of a 409 answer; `undefined` for another body. */
export function readSizeAnswer(body: string): number | undefined {
  return body.endsWith("\n") ? readDecimal(body.slice(0, -1)) : undefined;
}

async function isCosignature(c: Crypto, note: string, vkey: string): Promise<boolean> {
  try {
    return (await cosignaturesOn(c, note, [vkey])).length > 0;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/**
 * The line of a witness's answer that is its cosignature on this checkpoint, with its newline. Other lines are
 * ignored.
 * @param body of the 200 answer
 * @throws Refusal `checkpoint_invalid` when there is none
 */
export async function cosignatureIn(
  c: Crypto,
  checkpoint: string,
  body: string,
  vkey: string,
): Promise<string> {
  const { text } = parseNote(checkpoint);
  for (const line of body.split("\n").slice(0, MAX_WITNESSES))
    if (await isCosignature(c, `${text}\n${line}\n`, vkey)) return `${line}\n`;
  throw new Refusal("checkpoint_invalid", "the witness has answered without its cosignature");
}
