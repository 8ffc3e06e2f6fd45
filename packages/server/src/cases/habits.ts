import { HABITS_SECONDS, habitsOf } from "@countersign/core";
import type { EndedAsk, Habits, Seconds } from "@countersign/core";
import type { EndedAskRow } from "../store/opened.ts";
import type { AskRow, OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";

/** A signature over a text that was opened here. */
export interface SignedText {
  readonly by: EndedAsk["by"];
  /** From the first opening of the text. */
  readonly seconds: Seconds;
}

const byOf = (kind: OwnerRow["kind"]): EndedAsk["by"] => (kind === "person" ? "person" : "machine");

/** Tells whoever counts that an owner has signed. */
export function tellSigned(w: World, row: AskRow, key: OwnerKeyRow, now: Seconds): void {
  const openedAt = row.opened?.[key.owner];
  if (openedAt !== undefined)
    w.onSigned?.({ by: byOf(key.kind), seconds: Math.max(0, now - openedAt) });
}

/** What nobody signed was left by whoever the owner is. What was signed elsewhere, or by a gateway, was not opened here. */
function endedOf(
  { state, at, openedAt, ownerKind, model }: EndedAskRow,
  owner: OwnerRow,
): EndedAsk {
  const isOpenedHere = openedAt !== undefined && (model === undefined || model === "server");
  return {
    how: state,
    at,
    by: model === "owner" ? "machine" : byOf(ownerKind ?? owner.kind),
    ...(isOpenedHere ? { openedAt } : {}),
  };
}

/** How an owner decides, by what is kept of his questions (owner.md 1.7). */
export async function habitsOfOwner(w: World, owner: OwnerRow): Promise<Habits> {
  const now = w.clock();
  const rows = await w.store.endedAsks(owner.id, now - HABITS_SECONDS);
  return habitsOf(
    rows.map((row) => endedOf(row, owner)),
    now,
  );
}
