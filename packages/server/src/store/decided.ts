import type { AskRow } from "./rows.ts";
import type { Sqlite } from "./sqlite.ts";
import { ASKS } from "./tables.ts";

/** See `OwnerReads.decidedAsks`. */
export function decidedAsks(
  db: Sqlite,
  owner: string | undefined,
  count: number,
): readonly AskRow[] {
  const newest = (where: string): string =>
    `SELECT * FROM (SELECT * FROM asks WHERE decided_at IS NOT NULL${where} ORDER BY decided_at DESC LIMIT :count)`;
  const alone = newest(" AND owner = :owner");
  const among = newest(
    ` AND parties IS NOT NULL AND owner <> :owner
      AND EXISTS (SELECT 1 FROM json_each(asks.parties, '$.owners') WHERE value = :owner)`,
  );
  const of = owner === undefined ? newest("") : `${alone} UNION ALL ${among}`;
  return db
    .all(`SELECT * FROM (${of}) ORDER BY decided_at DESC, req LIMIT :count`, {
      count,
      ...(owner === undefined ? {} : { owner }),
    })
    .map((row) => ASKS.read(row));
}
