import { demand } from "./clash.ts";
import type { Sqlite } from "./sqlite.ts";
import type { Expectation, Once } from "./store.ts";

/** The current epoch; also the count of what must invalidate decisions under way. */
export function epochOf(db: Sqlite): number {
  return Number(db.get("SELECT value FROM meta WHERE key = 'epoch'")?.["value"]);
}

/** Takes every single-use value, or clashes with "used". One statement each: whoever inserts first, wins. */
export function takeOnce(db: Sqlite, values: readonly Once[]): void {
  for (const { kind, value, until } of values)
    demand(
      db.run("INSERT INTO once (kind, value, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
        kind,
        value,
        until,
      ]) === 1,
      "used",
      kind,
    );
}

function meetAnnouncement(db: Sqlite, as: NonNullable<Expectation["announcement"]>): void {
  const sql = "SELECT made_at, spent_by FROM announcements WHERE entry = :entry AND proxy = :proxy";
  const row = db.get(sql, { entry: as.entry, proxy: as.proxy });
  const isSame = row?.["made_at"] === as.madeAt && (row?.["spent_by"] ?? undefined) === as.spentBy;
  demand(isSame, "conflict", "announcement");
}

function meetDigits(db: Sqlite, { req, failures }: NonNullable<Expectation["digits"]>): void {
  const row = db.get("SELECT failures FROM digits WHERE req = :req", { req });
  demand(row?.["failures"] === failures, "conflict", "digits");
}

/** Checks what the decision rests on, and takes the ordinal that it issues. */
export function meet(db: Sqlite, expect: Expectation): void {
  const { epoch, ask, ceremony, entry, issue, liveSerial, ownerKeys = [], recovery } = expect;
  if (expect.announcement !== undefined) meetAnnouncement(db, expect.announcement);
  if (expect.digits !== undefined) meetDigits(db, expect.digits);
  if (epoch !== undefined) demand(epochOf(db) === epoch, "conflict", "epoch");
  if (ask !== undefined)
    demand(
      db.get("SELECT state FROM asks WHERE req = :req", { req: ask.req })?.["state"] === ask.state,
      "conflict",
      "ask",
    );
  if (ceremony !== undefined)
    demand(
      db.get("SELECT nonce FROM ceremonies WHERE req = :req", { req: ceremony.req })?.["nonce"] ===
        ceremony.nonce,
      "conflict",
      "ceremony",
    );
  if (entry !== undefined)
    demand(
      (db.get("SELECT version FROM entries WHERE id = :id", { id: entry.id })?.["version"] ?? 0) ===
        entry.version,
      "conflict",
      "entry",
    );
  if (recovery !== undefined)
    demand(
      db.get("SELECT state FROM recoveries WHERE id = :id", { id: recovery.id })?.["state"] ===
        recovery.state,
      "conflict",
      "recovery",
    );
  if (liveSerial !== undefined)
    demand(
      db.get("SELECT live_serial FROM proxies WHERE id = :proxy", { proxy: liveSerial.proxy })?.[
        "live_serial"
      ] === liveSerial.serial,
      "conflict",
      "live serial",
    );
  for (const { jkt, counter } of ownerKeys)
    demand(
      db.get(
        "SELECT 1 FROM owner_keys WHERE jkt = :jkt AND removed_at IS NULL AND suspended_at IS NULL AND counter IS :counter",
        { jkt, counter: counter ?? null },
      ) !== undefined,
      "conflict",
      "owner key",
    );
  if (issue !== undefined)
    demand(
      db.run(
        "UPDATE grants SET issued = :n WHERE cs = :cs AND issued = :n - 1 AND issued < max_issue AND ended_at IS NULL",
        { cs: issue.cs, n: issue.n },
      ) === 1,
      "conflict",
      "ordinal",
    );
}
