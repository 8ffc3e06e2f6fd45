import type { PushChange, PushSubscriptionRow } from "./push-store.ts";
import { Clash } from "./clash.ts";
import type { Sqlite } from "./sqlite.ts";
import { table } from "./tables.ts";
import type { Table } from "./tables.ts";

export const PUSH_SUBSCRIPTIONS: Table<PushSubscriptionRow> = table<PushSubscriptionRow>(
  "push_subscriptions",
  {
    id: "text",
    owner: "text",
    jkt: "text",
    endpoint: "text",
    p256dh: "text",
    auth: "text",
    name: "text",
    madeAt: "integer",
  },
);

function put(db: Sqlite, { row, keep }: Extract<PushChange, { put: string }>): void {
  const { id, owner, jkt, endpoint } = row;
  const live =
    "SELECT 1 FROM owner_keys WHERE jkt = ? AND removed_at IS NULL AND suspended_at IS NULL";
  if (db.get(live, [jkt]) === undefined) throw new Clash("conflict", "owner key");
  const held = "SELECT 1 FROM push_subscriptions WHERE endpoint = ? AND owner <> ?";
  if (db.get(held, [endpoint, owner]) !== undefined) throw new Clash("conflict", "endpoint");
  db.run("DELETE FROM push_subscriptions WHERE id = ?", [id]);
  db.run(PUSH_SUBSCRIPTIONS.insert, PUSH_SUBSCRIPTIONS.bind(row));
  db.run(
    `DELETE FROM push_subscriptions WHERE owner = :owner AND id <> :id AND id NOT IN (
      SELECT id FROM push_subscriptions WHERE owner = :owner AND id <> :id
      ORDER BY made_at DESC, id LIMIT :others)`,
    { owner, id, others: keep - 1 },
  );
}

/** Makes one change of where notices are pushed. */
export function applyPush(db: Sqlite, change: PushChange): void {
  if ("put" in change) put(db, change);
  else db.run("DELETE FROM push_subscriptions WHERE id = ?", [change.id]);
}
