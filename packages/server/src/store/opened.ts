import type { Seconds } from "@countersign/core";
import type { OwnerChange } from "./owner-store.ts";
import type { Sqlite } from "./sqlite.ts";

/** A question as it ended for one owner. */
export interface EndedAskRow {
  readonly state: "approved" | "denied" | "expired";
  readonly at: Seconds;
  readonly openedAt?: Seconds;
  /** Of the key that signed; absent where none did. */
  readonly ownerKind?: "person" | "device" | "policy";
  /** Of the grant. */
  readonly model?: "agent" | "owner" | "server";
}

const MAX_ROWS = 1000;

/** Where an owner stands among those who opened a question: owner ids hold neither quotes nor backslashes. */
const pathOf = (owner: string): string => `$."${owner}"`;

/** The first opening stays: a text that is made anew is not another one to read. */
export function noteOpened(
  db: Sqlite,
  { req, owner, at }: Extract<OwnerChange, { note: "opened" }>,
): void {
  db.run(
    "UPDATE asks SET opened = json_insert(coalesce(opened, '{}'), :path, :at) WHERE req = :req AND state = 'asked'",
    { path: pathOf(owner), at, req },
  );
}

/** See `OwnerReads.endedAsks`. Where several are asked, whose denial it was is not known here: it is left out. */
export function endedAsks(db: Sqlite, owner: string, since: Seconds): readonly EndedAskRow[] {
  const rows = db.all(
    `SELECT a.state AS state, a.decided_at AS at, json_extract(a.opened, :path) AS opened_at,
            g.owner_kind AS owner_kind, g.model AS model
       FROM asks a LEFT JOIN grants g ON g.cs = a.cs
       WHERE a.owner = :owner AND a.parties IS NULL AND a.state IN ('approved', 'denied', 'expired')
         AND a.decided_at > :since
     UNION ALL
     SELECT 'approved', s.at, json_extract(a.opened, :path), s.owner_kind, 'server'
       FROM signatures s JOIN asks a ON a.req = s.req WHERE s.owner = :owner AND s.at > :since
     UNION ALL
     SELECT 'expired', asks.decided_at, json_extract(asks.opened, :path), NULL, NULL
       FROM asks WHERE asks.parties IS NOT NULL AND asks.state = 'expired' AND asks.decided_at > :since
         AND EXISTS (SELECT 1 FROM json_each(asks.parties, '$.owners') WHERE value = :owner)
         AND NOT EXISTS (SELECT 1 FROM signatures WHERE req = asks.req AND owner = :owner)
     ORDER BY at DESC LIMIT ${MAX_ROWS}`,
    { owner, since, path: pathOf(owner) },
  );
  return rows.map((row) => {
    const { state, at, opened_at: openedAt, owner_kind: ownerKind, model } = row;
    return {
      // the texts are those of the query, or of columns that `rows.ts` types so
      state: state as EndedAskRow["state"],
      at: Number(at),
      ...(openedAt === null ? {} : { openedAt: Number(openedAt) }),
      ...(ownerKind === null
        ? {}
        : { ownerKind: ownerKind as NonNullable<EndedAskRow["ownerKind"]> }),
      ...(model === null ? {} : { model: model as NonNullable<EndedAskRow["model"]> }),
    };
  });
}
