import { Refusal } from "@countersign/core";
import type { LogRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { concerns, recordOf } from "./owner-record.ts";

const ROWS_A_PAGE = 25;
/** As many as one read of the store gives. */
const ROWS_AT_A_TIME = 1000;
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
 * @returns `next`: where to go on, if there may be more
 * @throws Refusal `hold`, `malformed_request`
 */
export async function ownLog(
  w: World,
  owner: string,
  before?: number,
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
  while (at > end && found.length < ROWS_A_PAGE) {
    const from = Math.max(end, at - ROWS_AT_A_TIME);
    const rows = await w.store.logRows(from, at);
    for (const row of rows.toReversed()) {
      if (found.length === ROWS_A_PAGE) break;
      at = row.seq;
      if (concerns(recordOf(row), owner)) found.push(row);
    }
    if (found.length < ROWS_A_PAGE) at = from;
  }
  const entries = await Promise.all(
    found.map(async (row) => ({ row, proof: await w.store.proofFor(row.seq) })),
  );
  return { entries, size, ...(at > 0 ? { next: at } : {}) };
}
