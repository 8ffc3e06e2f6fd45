import type { Bytes, Crypto, Signer } from "../crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { openNote, parseVkey, signNote } from "./note.ts";

/** The head of a log: who, how many entries, and the root over them. */
export interface TreeHead {
  /** Identity of the log and name of its key, `id.<trust domain>/log`. */
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
}

/** A tree head whose signature was verified, with the note as received. */
export interface Checkpoint extends TreeHead {
  readonly text: string;
}

const SIZE = /^(0|[1-9][0-9]{0,15})$/;

function refuse(why: string): never {
  throw new Refusal("checkpoint_invalid", why);
}

/** Reads a decimal number without leading zeroes; `undefined` for everything else. */
export function readDecimal(text: string): number | undefined {
  const value = SIZE.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** One SHA-256 hash in padded base64; `undefined` for everything else. */
export function readHashLine(line: string): Bytes | undefined {
  if (line.length !== 44) return undefined;
  try {
    const hash = fromBase64(line);
    return hash.length === 32 ? hash : undefined;
  } catch {
    return undefined;
  }
}

/** The three lines of a checkpoint's text; nothing is verified. @throws Refusal `checkpoint_invalid` */
export function readTreeHead(body: string): TreeHead {
  const [origin = "", second = "", third = "", ...extensions] = body.slice(0, -1).split("\n");
  const size = readDecimal(second);
  const root = readHashLine(third);
  if (origin === "" || size === undefined || root === undefined)
    return refuse("not a checkpoint's three lines");
  if (extensions.includes("")) refuse("an empty extension line");
  return { origin, size, root };
}

/**
 * Signs a tree head as a C2SP tlog-checkpoint, the key named like the origin, and opens it with the code a
 * stranger would use.
 * @param by an Ed25519 signer that signs nothing else
 * @throws Refusal `checkpoint_invalid` for other keys, and origins that a key name cannot carry
 */
export async function signCheckpoint(c: Crypto, head: TreeHead, by: Signer): Promise<string> {
  const body = `${head.origin}\n${head.size}\n${base64(head.root)}\n`;
  const told = readTreeHead(body);
  if (told.origin !== head.origin) refuse("the origin is not one line");
  return signNote(c, body, head.origin, by);
}

/**
 * Opens a C2SP tlog-checkpoint. The origin is compared exactly with the key's name, so a key of one log never
 * vouches for another. Signature lines of other keys and extension lines are ignored.
 * @param vkey the configured verifier key
 * @throws Refusal `checkpoint_invalid`
 */
export async function openCheckpoint(c: Crypto, text: string, vkey: string): Promise<Checkpoint> {
  const key = parseVkey(c, vkey);
  const head = readTreeHead(await openNote(c, text, key));
  if (head.origin !== key.name) refuse("the checkpoint is of another log");
  return { ...head, text };
}
