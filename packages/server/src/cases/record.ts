import { base64url, makeLeaf } from "@countersign/core";
import type { Actor, Bytes, LeafType, Seconds } from "@countersign/core";
import type { Decision } from "../store/store.ts";
import type { World } from "../world.ts";

const SALT_BYTES = 16;

/** One log row to be: the leaf commits to the record, and to further payloads under salts of their own. */
export interface LogDraft {
  readonly type: LeafType;
  readonly t: Seconds;
  readonly actor: Actor;
  /** Public: a refusal code or nothing. */
  readonly reason?: string;
  /** Complete, access-controlled; never a token or a key. */
  readonly record: object;
  readonly forms?: readonly {
    readonly name: string;
    readonly salt: Bytes;
    readonly payload: Bytes;
  }[];
}

/** A salt for one commit. */
export function newSalt(w: Pick<World, "random">): Bytes {
  return w.random(SALT_BYTES);
}

/** The log part of a decision. */
export function logRow(
  w: Pick<World, "c" | "random">,
  draft: LogDraft,
): NonNullable<Decision["log"]> {
  const recordSalt = newSalt(w);
  const { leaf, record } = makeLeaf(w.c, { ...draft, recordSalt });
  const salts: Record<string, string> = { record: base64url(recordSalt) };
  for (const form of draft.forms ?? []) salts[form.name] = base64url(form.salt);
  return { type: draft.type, t: draft.t, leaf, record, salts };
}
