import type { Digest, Seconds } from "@countersign/core";
import type { InstallationRow, StopScope } from "./rows.ts";
import { Clash, demand } from "./clash.ts";
import { noteOpened } from "./opened.ts";
import { isAlreadyThere } from "./sqlite.ts";
import type { Sqlite, SqlParams } from "./sqlite.ts";
import type { Change } from "./store.ts";
import * as t from "./tables.ts";
import type { Table } from "./tables.ts";

/** Rows that no answer needs are kept this much longer, for clocks that differ. */
const SWEEP_MARGIN_SECONDS = 600;
/** So long a used invitation is known as such: who types its code again learns when, and suspends what it made. */
const KEPT_INVITATION_SECONDS = 30 * 86_400;

/** Which column of `grants` a scope names. `domain` is everything: one database serves one trust domain. */
const GRANT_COLUMN: Readonly<Record<StopScope | "ownerKey", string>> = {
  agent: "agent = :target",
  entry: "entry = :target",
  grant: "cs = :target",
  owner:
    "(owner = :target OR EXISTS (SELECT 1 FROM json_each(grants.parties) WHERE value = :target))",
  ownerKey: "(owner_jkt = :target OR cs IN (SELECT cs FROM signatures WHERE owner_jkt = :target))",
  proxy: "proxy = :target",
  domain: ":target IS NOT NULL",
};

/** Number of the log that is written now. */
export function logNumberOf(db: Sqlite): number {
  return Number(db.get("SELECT value FROM meta WHERE key = 'log_number'")?.["value"]);
}

function insert<Row>(db: Sqlite, table: Table<Row>, row: Row, kind: "conflict" | "used"): void {
  try {
    db.run(table.insert, table.bind(row));
  } catch (error) {
    throw isAlreadyThere(error) ? new Clash(kind, table.name) : error;
  }
}

function upsert<Row>(db: Sqlite, table: Table<Row>, row: Row): void {
  try {
    db.run(table.upsert, table.bind(row));
  } catch (error) {
    throw isAlreadyThere(error) ? new Clash("conflict", table.name) : error;
  }
}

/** @param where finds one row by its key, which is `:where` */
function update<Row>(
  db: Sqlite,
  table: Table<Row>,
  where: { readonly column: string; readonly is: string },
  fields: Partial<Row>,
): void {
  const { clause, params } = table.set(fields);
  if (clause === "") return;
  const sql = `UPDATE ${table.name} SET ${clause} WHERE "${where.column}" = :where`;
  try {
    demand(db.run(sql, { ...params, where: where.is }) === 1, "conflict", table.name);
  } catch (error) {
    throw isAlreadyThere(error) ? new Clash("conflict", table.name) : error;
  }
}

/** An agent id comes back only with the anchor that it is made of. */
function putInstallation(db: Sqlite, row: InstallationRow): void {
  const there = db.get("SELECT anchor FROM installations WHERE agent = :agent", {
    agent: row.agent,
  });
  demand(there === undefined || there["anchor"] === row.anchor, "conflict", "anchor");
  upsert(db, t.INSTALLATIONS, row);
}

/** What was signed of a question and made no grant. */
function dropSignatures(db: Sqlite, req: Digest): void {
  db.run("DELETE FROM signatures WHERE req = :req AND cs NOT IN (SELECT cs FROM grants)", { req });
}

function dropCeremony(db: Sqlite, req: Digest): void {
  dropSignatures(db, req);
  db.run("DELETE FROM ceremonies WHERE req = :req", { req });
}

type Put = Extract<Change, { put: string }>;
type Set = Extract<Change, { set: string }>;
type Other = Exclude<Change, Put | Set>;

/** A row made by a decision with a log row says which; the others keep the member away. */
const at = (seq: number | undefined): { readonly seq?: number } =>
  seq === undefined ? {} : { seq };

/** Where the leaf of a decision stands, for what is proved by it later. */
const placed = (db: Sqlite, seq: number | undefined): { seq?: number; log?: number } =>
  seq === undefined ? {} : { seq, log: logNumberOf(db) };

function put(db: Sqlite, change: Put, seq: number | undefined): void {
  switch (change.put) {
    case "entry":
      return upsert(db, t.ENTRIES, change.row);
    case "proxy":
      return upsert(db, t.PROXIES, change.row);
    case "gateway":
      return upsert(db, t.GATEWAYS, change.row);
    case "owner":
      return upsert(db, t.OWNERS, change.row);
    case "installation":
      return putInstallation(db, change.row);
    case "certificate":
      return insert(db, t.CERTIFICATES, change.row, "conflict");
    case "joinToken":
      return insert(db, t.JOIN_TOKENS, change.row, "conflict");
    case "ownerKey":
      return insert(db, t.OWNER_KEYS, { ...change.row, ...placed(db, seq) }, "conflict");
    case "ask":
      return insert(db, t.ASKS, change.row, "conflict");
    case "statement":
      return insert(db, t.STATEMENTS, change.row, "conflict");
    case "registration":
      return insert(db, t.REGISTRATIONS, change.row, "conflict");
    case "ceremony":
      dropSignatures(db, change.row.req);
      return upsert(db, t.CEREMONIES, change.row);
    case "signature":
      return insert(db, t.SIGNATURES, change.row, "conflict");
    case "grant":
      return insert(db, t.GRANTS, change.row, "conflict");
    case "stop":
      return insert(db, t.STOPS, change.row, "conflict");
    case "stopCode":
      return insert(db, t.STOP_CODES, change.row, "conflict");
    case "recovery":
      return insert(db, t.RECOVERIES, change.row, "conflict");
    case "unblock":
      return upsert(db, t.UNBLOCKS, change.row);
    case "invitation":
      return insert(db, t.INVITATIONS, change.row, "conflict");
    case "block":
      return upsert(db, t.BLOCKS, change.row);
    case "digits":
      return upsert(db, t.DIGITS, change.row);
    case "announcement":
      return upsert(db, t.ANNOUNCEMENTS, change.row);
    case "starter":
      return upsert(db, t.STARTERS, change.row);
    case "request":
      return insert(db, t.REQUESTS, { ...change.row, ...at(seq) }, "used");
    case "credential":
      if (seq === undefined) throw new TypeError("a credential is never issued without a log row");
      return insert(db, t.CREDENTIALS, { ...change.row, seq, log: logNumberOf(db) }, "used");
  }
}

function set(db: Sqlite, change: Set): void {
  switch (change.set) {
    case "ask":
      return update(db, t.ASKS, { column: "req", is: change.req }, change.fields);
    case "proxy":
      return update(db, t.PROXIES, { column: "id", is: change.id }, change.fields);
    case "certificate":
      return update(db, t.CERTIFICATES, { column: "serial", is: change.serial }, change.fields);
    case "joinToken":
      return update(db, t.JOIN_TOKENS, { column: "hash", is: change.hash }, change.fields);
    case "ownerKey": {
      const { suspendedAt, ...others } = change.fields;
      const suspension = "suspendedAt" in change.fields ? { suspendedAt } : {};
      // the cast lets `undefined` stand for NULL, as `Table.set` has it
      const fields = { ...others, ...suspension } as typeof others;
      return update(db, t.OWNER_KEYS, { column: "jkt", is: change.jkt }, fields);
    }
    case "installation":
      return update(db, t.INSTALLATIONS, { column: "agent", is: change.agent }, change.fields);
    case "stop":
      return update(db, t.STOPS, { column: "id", is: change.id }, change.fields);
    case "stopCode":
      return update(db, t.STOP_CODES, { column: "hash", is: change.hash }, change.fields);
    case "invitation":
      return update(db, t.INVITATIONS, { column: "hash", is: change.hash }, change.fields);
    case "recovery":
      return update(db, t.RECOVERIES, { column: "id", is: change.id }, change.fields);
  }
}

function sweep(db: Sqlite, now: Seconds): void {
  const params: SqlParams = { before: now - SWEEP_MARGIN_SECONDS };
  db.run("DELETE FROM once WHERE until < :before", params);
  db.run("DELETE FROM statements WHERE exp < :before", params);
  db.run("DELETE FROM registrations WHERE exp < :before", params);
  db.run("DELETE FROM requests WHERE exp < :before", params);
  db.run("DELETE FROM ceremonies WHERE exp < :before", params);
  db.run("DELETE FROM digits WHERE req NOT IN (SELECT req FROM asks WHERE state = 'asked')");
  db.run("DELETE FROM invitations WHERE exp < :before", { before: now - KEPT_INVITATION_SECONDS });
}

function drop(db: Sqlite, change: Extract<Other, { drop: string }>): void {
  if (change.drop === "ceremony") dropCeremony(db, change.req);
  else if (change.drop === "invitations")
    db.run("DELETE FROM invitations WHERE owner = :owner AND used_at IS NULL", {
      owner: change.owner,
    });
  else if (change.drop === "block")
    db.run("DELETE FROM blocks WHERE entry = :entry", { entry: change.entry });
  else if (change.drop === "starter")
    db.run("DELETE FROM starters WHERE id = :id", { id: change.id });
  else db.run("DELETE FROM stop_codes WHERE owner = :owner", { owner: change.owner });
}

function other(db: Sqlite, change: Other): void {
  if ("end" in change) {
    const { scope, target, at: endedAt, why } = change;
    db.run(
      `UPDATE grants SET ended_at = :endedAt, ended_why = :why WHERE ended_at IS NULL AND ${GRANT_COLUMN[scope]}`,
      { endedAt, why, target },
    );
  } else if ("bump" in change)
    db.run("UPDATE meta SET value = value + 1 WHERE key = 'bundle_sequence'");
  else if ("sweep" in change) sweep(db, change.now);
  else if ("drop" in change) drop(db, change);
  else if ("note" in change) noteOpened(db, change);
  else if (change.erase === "record")
    demand(
      // with its salt, a guess at an erased record could still be confirmed; the salts of the forms prove inclusion
      db.run(
        "UPDATE log SET record = NULL, salts = json_remove(salts, '$.record') WHERE seq = :seq",
        { seq: change.seq },
      ) === 1,
      "conflict",
      "log",
    );
  else
    db.run(
      `UPDATE asks SET request = NULL, opened = NULL
         WHERE (request IS NOT NULL OR opened IS NOT NULL) AND state <> 'asked' AND decided_at < :before`,
      { before: change.decidedBefore },
    );
}

/** Makes one change; `seq` is the index of the decision's leaf. @throws Clash */
export function apply(db: Sqlite, change: Change, seq: number | undefined): void {
  if ("put" in change) put(db, change, seq);
  else if ("set" in change) set(db, change);
  else other(db, change);
}

/** Moves the epoch: decisions loaded before it will conflict. */
export function bumpEpoch(db: Sqlite): void {
  db.run("UPDATE meta SET value = value + 1 WHERE key = 'epoch'");
}

/** Proxies whose state a change may alter; when in doubt all of them. */
export function touchedBy(db: Sqlite, change: Change): "all" | readonly string[] {
  if ("put" in change)
    switch (change.put) {
      case "ask":
      case "grant":
      case "installation":
        return [change.row.proxy];
      case "proxy":
        return [change.row.id];
      case "entry": // may have moved from another proxy
      case "gateway": // may have lost one
      case "ownerKey": // in the trust bundle
      case "stop":
        return "all";
      case "announcement":
      case "block":
      case "ceremony":
      case "certificate":
      case "credential":
      case "digits":
      case "invitation":
      case "joinToken":
      case "owner":
      case "registration":
      case "recovery":
      case "request":
      case "signature":
      case "starter":
      case "statement":
      case "stopCode":
      case "unblock":
        return [];
    }
  if ("set" in change)
    switch (change.set) {
      case "ask":
        return proxyOfAsk(db, change.req);
      case "proxy":
        return [change.id];
      case "certificate":
      case "invitation":
      case "joinToken":
      case "recovery":
      case "stopCode":
        return [];
      case "ownerKey": // the trust bundle names removed ones only: no proxy hears of a counter
        return "removedAt" in change.fields ? "all" : [];
      default:
        return "all";
    }
  return "end" in change || "bump" in change ? "all" : [];
}

function proxyOfAsk(db: Sqlite, req: Digest): readonly string[] {
  const proxy = db.get("SELECT proxy FROM asks WHERE req = :req", { req })?.["proxy"];
  return typeof proxy === "string" ? [proxy] : [];
}
