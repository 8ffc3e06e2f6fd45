import { Refusal } from "@countersign/core";
import type { LogRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { concerns, recordOf } from "./owner-record.ts";

/** Entries of one answer, where the caller says nothing. */
export const ENTRIES_A_PAGE = 25;
/** Entries of one answer at most: some hundred kilobytes with their proofs. */
export const MAX_ENTRIES_A_PAGE = 250;
/** Rows that one read of the store looks through: it holds everybody else up. */
const ROWS_AT_A_TIME = 2000;
/** As many as one read gives. */
const ROWS_OF_ONE_READ = 100;
/** Rows that one call looks through; who wants older ones asks again. */
const MAX_LOOKED_THROUGH = 20_000;

/** An entry of the log that speaks of this owner. */
export interface OwnEntry {
  readonly row: LogRow;
  readonly proof: string;
}

/**
 * The owner's entries, newest first, each with the proof that it is in the log.
 * @param before only entries before this index; default: from the end
 * @param count entries at most, 1 to 250; default 25
 * @returns `next`: where to go on, if there may be more
 * @throws Refusal `hold`, `malformed_request`
 */
export async function ownLog(
  w: World,
  owner: string,
  { before, count = ENTRIES_A_PAGE }: { readonly before?: number; readonly count?: number } = {},
): Promise<{
  readonly entries: readonly OwnEntry[];
  readonly size: number;
  readonly next?: number;
}> {
  const size = await w.store.logSize();
  if (before !== undefined && before > size)
    throw new Refusal("malformed_request", "the log is not as long");
  const found: LogRow[] = [];
  const start = before ?? size;
  const end = Math.max(0, start - MAX_LOOKED_THROUGH);
  let at = start;
  while (at > end && found.length < count) {
    const from = Math.max(end, at - ROWS_AT_A_TIME);
    const rows = await w.store.logRowsHolding(owner, from, at);
    const last = rows.at(-1);
    at = last === undefined || rows.length < ROWS_OF_ONE_READ ? from : last.seq;
    for (const row of rows) {
      if (!concerns(recordOf(row), owner)) continue;
      found.push(row);
      if (found.length < count) continue;
      at = row.seq;
      break;
    }
    await new Promise((resolve) => setImmediate(resolve)); // others have work
  }
  const entries = await Promise.all(
    found.map(async (row) => ({ row, proof: await w.store.proofFor(row.seq) })),
  );
  return { entries, size, ...(at > 0 ? { next: at } : {}) };
}
