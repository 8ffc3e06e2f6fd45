import {
  fromBase64url,
  openRecord,
  readLeaf,
  Refusal,
  utf8,
  verifyTlogProof,
} from "@countersign/core";
import type { Crypto, JsonObject } from "@countersign/core";
import { number, object, text } from "./read.ts";

/** An entry of the log as this browser judged it. */
export interface CheckedEntry {
  readonly seq: number;
  readonly type: string;
  readonly t: number;
  readonly record: JsonObject;
  readonly proof: string;
  /** Absent: it is in the log, and what is shown is what the log committed to. */
  readonly problem?: string;
}

async function judge(c: Crypto, entry: JsonObject, vkey: string): Promise<JsonObject> {
  const leafOctets = fromBase64url(text(entry, "leaf"));
  const { index } = await verifyTlogProof(c, {
    proof: text(entry, "proof"),
    entry: leafOctets,
    vkey,
  });
  if (index !== number(entry, "seq")) throw new Refusal("log_proof_invalid", "at another place");
  const leaf = readLeaf(leafOctets);
  if (leaf.type !== text(entry, "type") || leaf.t !== number(entry, "t"))
    throw new Refusal("log_proof_invalid", "of another event");
  const salt = fromBase64url(text(object(entry["salts"]), "record"));
  return openRecord(c, leaf, utf8(text(entry, "record")), salt);
}

/**
 * Judges an entry by itself: it is under a checkpoint of the log's key, at this place, and what is shown of it is what
 * it commits to. Nothing of it rests on the server's word but the key, which this browser keeps from the first time.
 */
export async function checkEntry(
  c: Crypto,
  entry: JsonObject,
  vkey: string,
): Promise<CheckedEntry> {
  const common = {
    seq: number(entry, "seq"),
    type: text(entry, "type"),
    t: number(entry, "t"),
    proof: text(entry, "proof"),
  };
  try {
    return { ...common, record: await judge(c, entry, vkey) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...common, record: {}, problem: error.message };
  }
}

const KEPT = "countersign-log";

/** What a browser keeps for this origin. */
export interface Kept {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

/** Whether the log is the one that this browser has known so far; the first one is kept. */
export function isKnownLog(storage: Kept, vkey: string): boolean {
  const kept = storage.getItem(KEPT);
  if (kept === null) storage.setItem(KEPT, vkey);
  return kept === null || kept === vkey;
}
