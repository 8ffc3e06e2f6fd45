import type {
  NoticeBudgetRow,
  NoticeChange,
  NoticeCursor,
  NoticeRow,
  WebhookFields,
  WebhookRow,
} from "./notice-store.ts";
import type { Sqlite } from "./sqlite.ts";
import { table } from "./tables.ts";
import type { Table } from "./tables.ts";

export const NOTICES: Table<NoticeRow> = table<NoticeRow>("notices", {
  key: "text",
  channel: "text",
  target: "text",
  notice: "json",
  n: "integer",
});
export const NOTICE_BUDGETS: Table<NoticeBudgetRow> = table<NoticeBudgetRow>("notice_budgets", {
  owner: "text",
  budget: "json",
  withheld: "flag",
});

export const WEBHOOKS: Table<WebhookRow> = table<WebhookRow>("webhooks", {
  id: "text",
  owner: "text",
  url: "text",
  generation: "integer",
  oldUntil: "integer",
  madeAt: "integer",
  failures: "integer",
  failingSince: "integer",
  disabledAt: "integer",
  disabledWhy: "text",
});

function drop(db: Sqlite, change: Extract<NoticeChange, { drop: string }>): void {
  switch (change.drop) {
    case "notice":
      db.run("DELETE FROM notices WHERE key = ?", [change.key]);
      return;
    case "notices":
      db.run("DELETE FROM notices WHERE channel = ? AND target = ?", [
        change.channel,
        change.target,
      ]);
      return;
    case "webhook":
      db.run("DELETE FROM webhooks WHERE id = ?", [change.id]);
  }
}

function setWebhook(db: Sqlite, id: string, fields: WebhookFields): void {
  // the cast lets `undefined` stand for NULL, as `Table.set` has it
  const { clause, params } = WEBHOOKS.set(fields as Partial<WebhookRow>);
  db.run(`UPDATE webhooks SET ${clause} WHERE id = :where`, { ...params, where: id });
}

/** Makes one change of the outbox, or of where it leads. */
export function applyNotice(db: Sqlite, change: NoticeChange): void {
  if ("drop" in change) return drop(db, change);
  if ("set" in change) return setWebhook(db, change.id, change.fields);
  switch (change.put) {
    case "notice":
      db.run(`${NOTICES.insert} ON CONFLICT DO NOTHING`, NOTICES.bind(change.row));
      return;
    case "noticeBudget":
      db.run(NOTICE_BUDGETS.upsert, NOTICE_BUDGETS.bind(change.row));
      return;
    case "webhook":
      db.run(WEBHOOKS.insert, WEBHOOKS.bind(change.row));
      return;
    case "noticeCursor": {
      const { log, seq } = change.cursor;
      db.run("UPDATE notice_cursor SET log = :log, seq = :seq", { log, seq });
    }
  }
}

export function noticeCursor(db: Sqlite): NoticeCursor {
  const row = db.get("SELECT log, seq FROM notice_cursor");
  return { log: Number(row?.["log"]), seq: Number(row?.["seq"]) };
}
