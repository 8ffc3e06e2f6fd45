import { TILE_WIDTH } from "@countersign/core";
import type { Bytes, Digest, Seconds } from "@countersign/core";
import type { CredentialRow, EntryRow, GrantRow, LogRow, StopRow } from "./rows.ts";
import { epochOf } from "./meet.ts";
import type { Sqlite, SqlParams, SqlValue } from "./sqlite.ts";
import type { KnownBeforehand } from "./owner-store.ts";
import type { KeyOwner, KnownQuery, KnownRows, ProxyState } from "./store.ts";
import * as t from "./tables.ts";
import type { Table } from "./tables.ts";

const MAX_ROWS = 1000;
/** Of rows that are looked for by what they say. */
const MAX_FOUND_ROWS = 100;
const MAX_DENIALS = 16;

/** Conditions of a filter: each is a text with the parameter that it needs; an absent parameter drops it. */
type Conditions = Readonly<Record<string, readonly [sql: string, value: SqlValue | undefined]>>;

const AMONG = (list: string): string =>
  `EXISTS (SELECT 1 FROM json_each(${list}) WHERE value = :owner)`;
/** Conditions on `:owner`, who stands in a row by himself or among others. */
export const ASKED_OF: string = `owner = :owner OR ${AMONG("asks.parties, '$.owners'")}`;
export const GRANTED_BY: string = `owner = :owner OR ${AMONG("grants.parties")}`;
export const REGISTERED_FOR: string = `json_extract(body, '$.owner') = :owner OR ${AMONG("body, '$.parties.owners'")}`;

/** The rows that meet every condition given. */
export function select<Row>(
  db: Sqlite,
  table: Table<Row>,
  conditions: Conditions,
  order: string,
): readonly Row[] {
  const given = Object.entries(conditions).filter(([, [, value]]) => value !== undefined);
  const where = given.map(([, [sql]]) => `(${sql})`).join(" AND ");
  const params: SqlParams = Object.fromEntries(
    given.map(([name, [, value]]) => [name, value ?? null]),
  );
  const sql = `SELECT * FROM ${table.name}${where === "" ? "" : ` WHERE ${where}`} ORDER BY ${order}`;
  return db.all(sql, params).map((row) => table.read(row));
}

/** The one row that a condition on `:key` finds. */
export function find<Row>(
  db: Sqlite,
  table: Table<Row>,
  where: string,
  key: SqlValue,
): Row | undefined {
  const row = db.get(`SELECT * FROM ${table.name} WHERE ${where}`, { key });
  return row === undefined ? undefined : table.read(row);
}

function countOf(db: Sqlite, sql: string, params: SqlParams): number {
  return Number(db.get(sql, params)?.["count"] ?? 0);
}

/** Grants of one agent or proxy that have neither ended nor expired. @param except one that is read already */
function liveGrants(
  db: Sqlite,
  column: "agent" | "proxy",
  value: string,
  now: Seconds,
  except?: Digest,
): readonly GrantRow[] {
  return db
    .all(
      `SELECT * FROM grants WHERE ${column} = :value AND ended_at IS NULL AND exp > :now AND cs IS NOT :except
         ORDER BY nbf DESC, cs`,
      { value, now, except: except ?? null },
    )
    .map((row) => t.GRANTS.read(row));
}

/** The live grants of an agent, of which one was read before: a statement is long, and an issue rests on one. */
function liveGrantsWith(
  db: Sqlite,
  { agent, now }: KnownQuery,
  grant: GrantRow | undefined,
): readonly GrantRow[] {
  const others = liveGrants(db, "agent", agent, now, grant?.cs);
  const isLive = grant?.agent === agent && grant.endedAt === undefined && grant.exp > now;
  if (grant === undefined || !isLive) return others;
  return [...others, grant].toSorted((a, b) => b.nbf - a.nbf || (a.cs < b.cs ? -1 : 1));
}

function stopsThatTouch(
  db: Sqlite,
  query: KnownQuery,
  entry: EntryRow | undefined,
): readonly StopRow[] {
  return db
    .all(
      `SELECT * FROM stops WHERE lifted_at IS NULL AND (
         scope = 'domain'
         OR (scope = 'proxy' AND target = :proxy)
         OR (scope = 'entry' AND target = :entry)
         OR (scope = 'agent' AND target = :agent)
         OR (scope = 'owner' AND (target = :owner OR target IN (SELECT value FROM json_each(:parties))))
         OR (scope = 'grant' AND target = :cs)) ORDER BY since, id`,
      {
        proxy: query.proxy,
        entry: query.entry,
        agent: query.agent,
        owner: entry?.body.owner ?? null,
        parties: JSON.stringify(entry?.body.parties?.owners ?? []),
        cs: query.cs ?? null,
      },
    )
    .map((row) => t.STOPS.read(row));
}

function denialsOf(db: Sqlite, entry: string): KnownRows["denials"] {
  return db
    .all(
      `SELECT state, decided_at FROM asks WHERE entry = :entry AND state IN ('denied', 'expired')
         AND decided_at > (SELECT coalesce(max(decided_at), 0) FROM asks WHERE entry = :entry AND state = 'approved')
         AND decided_at > (SELECT coalesce(max(at), 0) FROM unblocks WHERE entry = :entry)
       ORDER BY decided_at DESC LIMIT ${MAX_DENIALS}`,
      { entry },
    )
    .map((row) => ({
      state: row["state"] === "denied" ? "denied" : "expired",
      at: Number(row["decided_at"]),
    }));
}

function pendingOf(db: Sqlite, owner: string | undefined, query: KnownQuery): KnownRows["pending"] {
  if (owner === undefined) return { ofOwner: 0, ofOwnerExpected: 0, ofOwnerAtProxy: 0 };
  const row = db.get(
    `SELECT count(*) AS of_owner, coalesce(sum(expected), 0) AS expected, coalesce(sum(proxy = :proxy), 0) AS at_proxy
       FROM (
         SELECT expected, proxy, deadline FROM asks WHERE owner = :owner AND state = 'asked'
         UNION ALL SELECT expected, proxy, deadline FROM asks
           WHERE parties IS NOT NULL AND state = 'asked' AND owner <> :owner AND ${AMONG("asks.parties, '$.owners'")})
       WHERE deadline > :now`,
    { owner, proxy: query.proxy, now: query.now },
  );
  return {
    ofOwner: Number(row?.["of_owner"]),
    ofOwnerExpected: Number(row?.["expected"]),
    ofOwnerAtProxy: Number(row?.["at_proxy"]),
  };
}

/** What the owners of the entry have said of its starts. */
function beforehand(db: Sqlite, entry: EntryRow | undefined, proxy: string): KnownBeforehand {
  if (entry === undefined || entry.body.binding === "none")
    return { listedUids: [], isBlocked: false };
  const said = find(db, t.ANNOUNCEMENTS, "entry = :key", entry.id);
  const listed = db.all(
    `SELECT uid FROM starters WHERE proxy = :proxy
       AND (owner = :owner OR owner IN (SELECT value FROM json_each(:parties))) ORDER BY uid`,
    {
      proxy,
      owner: entry.body.owner ?? null,
      parties: JSON.stringify(entry.body.parties?.owners ?? []),
    },
  );
  const listedUids = listed.map(({ uid }) => Number(uid));
  const isBlocked = find(db, t.BLOCKS, "entry = :key", entry.id) !== undefined;
  return said?.proxy === proxy
    ? { announcement: said, listedUids, isBlocked }
    : { listedUids, isBlocked };
}

/** See `Store.known`. Synchronous, so everything is of one epoch. */
export function known(db: Sqlite, query: KnownQuery, hold: string | undefined): KnownRows {
  const { cs, now } = query;
  const entry = find(db, t.ENTRIES, "id = :key AND removed_at IS NULL", query.entry);
  const installation = find(
    db,
    t.INSTALLATIONS,
    "entry = :key AND retired_at IS NULL",
    query.entry,
  );
  const grant = cs === undefined ? undefined : find(db, t.GRANTS, "cs = :key", cs);
  const openAsk = find(db, t.ASKS, "entry = :key AND state = 'asked'", query.entry);
  return {
    epoch: epochOf(db),
    ...(hold === undefined ? {} : { hold }),
    ...(entry === undefined ? {} : { entry }),
    ...(installation === undefined ? {} : { installation }),
    ...(grant === undefined ? {} : { grant }),
    liveGrants: liveGrantsWith(db, query, grant),
    issued: grant?.issued ?? 0,
    live:
      cs === undefined
        ? 0
        : countOf(db, "SELECT count(*) AS count FROM credentials WHERE cs = :cs AND exp > :now", {
            cs,
            now,
          }),
    stops: stopsThatTouch(db, query, entry),
    ...(openAsk === undefined ? {} : { openAsk }),
    denials: denialsOf(db, query.entry),
    ...beforehand(db, entry, query.proxy),
    pending: pendingOf(db, entry?.body.owner, query),
  };
}

/** How long a proxy is told how its question ended: longer than it needs to connect again. */
const DECIDED_SHOWN_SECONDS = 600;

/** See `Store.stateFor`; the log's part is the keeper's. */
export function stateFor(
  db: Sqlite,
  proxy: string,
  now: Seconds,
): Omit<ProxyState, "seq" | "checkpoint" | "hold"> {
  const row = find(db, t.PROXIES, "id = :key", proxy);
  const ofProxy = <Row>(table: Table<Row>, rest: string, order: string): readonly Row[] =>
    db
      .all(`SELECT * FROM ${table.name} WHERE proxy = :proxy AND ${rest} ORDER BY ${order}`, {
        proxy,
      })
      .map((found) => table.read(found));
  return {
    epoch: epochOf(db),
    ...(row === undefined ? {} : { proxy: row }),
    entries: ofProxy(t.ENTRIES, "removed_at IS NULL", "id"),
    installations: ofProxy(t.INSTALLATIONS, "retired_at IS NULL", "agent"),
    stops: stopsFor(db, proxy),
    asks: ofProxy(
      t.ASKS,
      `(state = 'asked' OR decided_at > ${now - DECIDED_SHOWN_SECONDS})`,
      "created_at DESC, req",
    ).filter((ask) => ask.state !== "asked" || ask.deadline > now),
    grants: liveGrants(db, "proxy", proxy, now),
  };
}

function stopsFor(db: Sqlite, proxy: string): readonly StopRow[] {
  return db
    .all(
      `SELECT * FROM stops WHERE lifted_at IS NULL AND (
         scope = 'domain'
         OR (scope = 'proxy' AND target = :proxy)
         OR (scope = 'entry' AND target IN (SELECT id FROM entries WHERE proxy = :proxy))
         OR (scope = 'agent' AND target IN (SELECT agent FROM installations WHERE proxy = :proxy))
         OR (scope = 'grant' AND target IN (SELECT cs FROM grants WHERE proxy = :proxy))
         OR (scope = 'owner' AND target IN (
              SELECT json_extract(body, '$.owner') FROM entries WHERE proxy = :proxy AND removed_at IS NULL
              UNION SELECT value FROM entries, json_each(body, '$.parties.owners')
                WHERE proxy = :proxy AND removed_at IS NULL)))
       ORDER BY since, id`,
      { proxy },
    )
    .map((row) => t.STOPS.read(row));
}

/** Condition on owners' keys: the passkey calls itself so. */
export const CREDENTIAL_ID = "json_extract(authenticator, '$.credential') = :id";

/** Thumbprints, sorted. */
export function removedOwnerKeys(db: Sqlite): readonly string[] {
  return db
    .all("SELECT jkt FROM owner_keys WHERE removed_at IS NOT NULL ORDER BY jkt")
    .map((row) => String(row["jkt"]));
}

export function bundleSequence(db: Sqlite): number {
  return Number(db.get("SELECT value FROM meta WHERE key = 'bundle_sequence'")?.["value"]);
}

export function onceSeen(db: Sqlite, kind: string, value: string): boolean {
  return db.get("SELECT 1 FROM once WHERE kind = ? AND value = ?", [kind, value]) !== undefined;
}

/** Whose key it is, whether still in use or not: a key is never taken by a second holder. */
export function keyOwner(db: Sqlite, jkt: string): KeyOwner | undefined {
  const row = db.get(
    `SELECT 'owner' AS kind, owner AS id FROM owner_keys WHERE jkt = :jkt
     UNION ALL SELECT 'owner', owner FROM recoveries WHERE jkt = :jkt AND state = 'announced'
     UNION ALL SELECT 'proxy', proxy FROM certificates WHERE jkt = :jkt
     UNION ALL SELECT 'proxy', id FROM proxies WHERE live_jkt = :jkt
     UNION ALL SELECT 'anchor', agent FROM installations WHERE anchor = :jkt
     UNION ALL SELECT 'anchor', agent FROM asks WHERE anchor = :jkt
     UNION ALL SELECT 'credential', agent FROM credentials WHERE key_jkt = :jkt LIMIT 1`,
    { jkt },
  );
  return row === undefined
    ? undefined
    : { kind: row["kind"] as KeyOwner["kind"], id: String(row["id"]) }; // one of the literals above
}

/** Newest first, bounded. */
export function credentials(
  db: Sqlite,
  filter: { readonly agent?: string; readonly cs?: Digest; readonly liveAt?: Seconds },
): readonly CredentialRow[] {
  return select(
    db,
    t.CREDENTIALS,
    {
      agent: ["agent = :agent", filter.agent],
      cs: ["cs = :cs", filter.cs],
      liveAt: ["exp > :liveAt", filter.liveAt],
    },
    `seq DESC LIMIT ${MAX_ROWS}`,
  );
}

/** Rows with from ≤ seq < to, bounded. */
export function logRows(db: Sqlite, from: number, to: number): readonly LogRow[] {
  return db
    .all(`SELECT * FROM log WHERE seq >= :from AND seq < :to ORDER BY seq LIMIT ${MAX_ROWS}`, {
      from,
      to,
    })
    .map((row) => t.LOG.read(row));
}

/** As `logRows`, of some types. */
export function logRowsOf(
  db: Sqlite,
  types: readonly string[],
  from: number,
  to: number,
): readonly LogRow[] {
  return db
    .all(
      `SELECT * FROM log WHERE seq >= :from AND seq < :to AND type IN (SELECT value FROM json_each(:types))
         ORDER BY seq LIMIT ${MAX_ROWS}`,
      { from, to, types: JSON.stringify(types) },
    )
    .map((row) => t.LOG.read(row));
}

/** Rows with from ≤ seq < to whose record holds these octets, the newest first. */
export function logRowsHolding(
  db: Sqlite,
  octets: Bytes,
  from: number,
  to: number,
): readonly LogRow[] {
  return db
    .all(
      `SELECT * FROM log WHERE seq >= :from AND seq < :to AND instr(record, :octets) > 0
         ORDER BY seq DESC LIMIT ${MAX_FOUND_ROWS}`,
      { octets, from, to },
    )
    .map((row) => t.LOG.read(row));
}

/** As `logRows`, of a log that ended. */
export function formerLogRows(
  db: Sqlite,
  number: number,
  from: number,
  to: number,
): readonly LogRow[] {
  return db
    .all(
      `SELECT seq, type, t, leaf, record, salts FROM former_log
         WHERE number = :number AND seq >= :from AND seq < :to ORDER BY seq LIMIT ${MAX_ROWS}`,
      { number, from, to },
    )
    .map((row) => t.LOG.read(row));
}

/** Leaves of one entry bundle. */
export function leaves(db: Sqlite, bundle: number, width: number): readonly Bytes[] {
  const from = bundle * TILE_WIDTH;
  return db
    .all("SELECT leaf FROM log WHERE seq >= :from AND seq < :to ORDER BY seq", {
      from,
      to: from + width,
    })
    .map(({ leaf }) => leaf as Bytes); // NOT NULL BLOB
}
