import type { NoticeBudgetRow, NoticeChange, NoticeCursor, NoticeRow } from "./notice-store.ts";
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

/** Makes one change of the outbox. */
export function applyNotice(db: Sqlite, change: NoticeChange): void {
  if ("drop" in change) {
    if (change.drop === "notice") db.run("DELETE FROM notices WHERE key = ?", [change.key]);
    else
      db.run("DELETE FROM notices WHERE channel = ? AND target = ?", [
        change.channel,
        change.target,
      ]);
  } else if (change.put === "notice")
    db.run(`${NOTICES.insert} ON CONFLICT DO NOTHING`, NOTICES.bind(change.row));
  else if (change.put === "noticeBudget")
    db.run(NOTICE_BUDGETS.upsert, NOTICE_BUDGETS.bind(change.row));
  else
    db.run("UPDATE notice_cursor SET log = :log, seq = :seq", {
      log: change.cursor.log,
      seq: change.cursor.seq,
    });
}

export function noticeCursor(db: Sqlite): NoticeCursor {
  const row = db.get("SELECT log, seq FROM notice_cursor");
  return { log: Number(row?.["log"]), seq: Number(row?.["seq"]) };
}
