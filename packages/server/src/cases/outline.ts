import { markedLines, Refusal } from "@countersign/core";
import type { AskRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { sinceLastApproval } from "./last-approval.ts";
import { draftFor } from "./open-request.ts";

/** What a list says of a text before it is made. The sheet alone says what is signed. */
export interface Outline {
  /** Lines that must be seen before signing, and those of them that cannot be undone. */
  readonly marked: number;
  readonly irreversible: number;
  /** Terms that differ from what the owner approved last; absent where he never did. */
  readonly changes?: number;
}

/**
 * Of a question that waits, as a key of the owner would sign it now; undefined where it could not.
 * @param jkt thumbprint of the key
 */
export async function outlineOf(
  w: World,
  { req, entry }: AskRow,
  jkt: string,
): Promise<Outline | undefined> {
  try {
    const draft = await draftFor(w, req, jkt);
    const lines = markedLines(draft);
    const diff = await sinceLastApproval(w, entry, draft);
    return {
      marked: lines.length,
      irreversible: lines.filter((marks) => marks.includes("irreversible_action")).length,
      ...(diff === undefined ? {} : { changes: diff.changes.length }),
    };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
