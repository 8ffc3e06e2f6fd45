import {
  leafHash,
  MerkleTree,
  openCheckpoint,
  parseNote,
  readTreeHead,
  Refusal,
  signCheckpoint,
  vkeyOf,
} from "@countersign/core";
import type { Seconds, Signer, TreeHead } from "@countersign/core";
import type { LogKeeper } from "../log/keeper.ts";
import { connect, lock, openLog, originOf, signerOf } from "./open.ts";
import type { StoreOptions } from "./open.ts";
import type { FormerLogRow } from "./rows.ts";
import { bumpEpoch, logNumberOf } from "./sql.ts";
import type { Sqlite } from "./sqlite.ts";
import type { Decision, LogName } from "./store.ts";
import { FORMER_LOGS, LOG } from "./tables.ts";
import { Writer } from "./writer.ts";

/**
 * Added to the trust bundle's sequence: how often it moved after an old copy was made is not known, and relying parties
 * refuse a lower one.
 */
const SEQUENCE_LEAP = 1_000_000;
const MAX_CHECKPOINT_CHARACTERS = 16_384;
const MAX_LOGS = 9999;

export interface RecoverOptions extends StoreOptions {
  /** Makes the key of the next log, durably: of the first number above this one that never had a key. */
  readonly nextLog: (
    above: number,
  ) => Promise<{ readonly number: number; readonly signer: Signer }>;
  /** The row of `log.gap`. */
  readonly gapRow: (record: object) => NonNullable<Decision["log"]>;
}

export interface Recovered {
  /** Why the server held. */
  readonly hold: string;
  readonly log: LogName;
  readonly former: FormerLogRow;
  readonly endedGrants: number;
  readonly endedAsks: number;
}

/** What is said of a log before it ends. */
interface Ending {
  readonly hold: string;
  /** As the file has it; undefined where it is lost. */
  readonly file: string | undefined;
  readonly former: FormerLogRow;
}

function headOf(text: string | undefined): TreeHead | undefined {
  if (text === undefined || text.length > MAX_CHECKPOINT_CHARACTERS) return undefined;
  try {
    return readTreeHead(parseNote(text).text);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function metaOf(db: Sqlite, key: string): string | undefined {
  const value = db.get("SELECT value FROM meta WHERE key = :key", { key })?.["value"];
  return typeof value === "string" ? value : undefined;
}

/** The one that covers most, of the file's and of what a proxy has shown; a file of another log stands for itself. */
async function newestKnown(
  options: StoreOptions,
  vkey: string,
  texts: readonly (string | undefined)[],
): Promise<string | undefined> {
  const genuine: { readonly size: number; readonly text: string }[] = [];
  for (const text of texts)
    if (headOf(text) !== undefined && text !== undefined)
      try {
        genuine.push(await openCheckpoint(options.crypto, text, vkey));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
  const [newest] = genuine.toSorted((a, b) => b.size - a.size);
  return newest?.text ?? texts.find((text) => headOf(text) !== undefined);
}

async function endingOf(db: Sqlite, keeper: LogKeeper, options: RecoverOptions): Promise<Ending> {
  const hold = new Writer(db, keeper, options.now).hold();
  if (hold === undefined)
    throw new Refusal(
      "configuration_invalid",
      "the server does not hold: there is nothing to recover from",
      "Start it: countersign server run.",
    );
  const file = await options.checkpointFile.read();
  const checkpoint = await newestKnown(options, keeper.name.vkey, [file, metaOf(db, "seen")]);
  const size = Number(db.get("SELECT count(*) AS size FROM log")?.["size"]);
  const former: FormerLogRow = {
    number: logNumberOf(db),
    ...keeper.name,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    size,
    endedAt: options.now(),
  };
  return { hold, file, former };
}

/** Numbers of which a checkpoint may be in other hands: that of the database, and that of the file. */
function highestNumber({ former, file }: Ending, first: string): number {
  const origin = headOf(file)?.origin ?? "";
  const behind = origin.startsWith(`${first}/`) ? Number(origin.slice(first.length + 1)) : 1;
  return Math.max(former.number, Number.isInteger(behind) && behind <= MAX_LOGS ? behind : 1);
}

/** Everything that an old copy could bring back to life ends with the log. */
function endAll(db: Sqlite, now: Seconds): { endedGrants: number; endedAsks: number } {
  const endedGrants = db.run(
    "UPDATE grants SET ended_at = :now, ended_why = 'recovered' WHERE ended_at IS NULL",
    { now },
  );
  const endedAsks = db.run(
    "UPDATE asks SET state = 'superseded', decided_at = :now WHERE state = 'asked'",
    { now },
  );
  // a cancelled recovery must not come back, and an announced one is announced anew
  db.run("UPDATE recoveries SET state = 'cancelled', decided_at = :now WHERE state = 'announced'", {
    now,
  });
  db.run("DELETE FROM statements");
  db.run("DELETE FROM ceremonies");
  db.run("DELETE FROM signatures WHERE cs NOT IN (SELECT cs FROM grants)");
  db.run("UPDATE join_tokens SET exp = 0 WHERE used_by IS NULL");
  return { endedGrants, endedAsks };
}

function setMeta(db: Sqlite, key: string, value: string | number): void {
  db.run(
    "INSERT INTO meta VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    { key, value },
  );
}

function beginLog(
  db: Sqlite,
  ending: Ending,
  log: LogName,
  options: RecoverOptions,
): Pick<Recovered, "endedGrants" | "endedAsks"> {
  const { former, hold, file } = ending;
  db.run(FORMER_LOGS.insert, FORMER_LOGS.bind(former));
  db.run(
    "INSERT INTO former_log SELECT :number, seq, type, t, leaf, record, salts FROM log ORDER BY seq",
    { number: former.number },
  );
  db.run("DELETE FROM log");
  const ended = endAll(db, options.now());
  const { origin, vkey, checkpoint, size, number } = former;
  const gap = options.gapRow({
    v: 1,
    log,
    follows: { number, origin, vkey, size, ...(checkpoint === undefined ? {} : { checkpoint }) },
    hold,
    ended_grants: ended.endedGrants,
  });
  db.run(LOG.insert, LOG.bind({ seq: 0, ...gap }));
  bumpEpoch(db);
  db.run("UPDATE meta SET value = value + :leap WHERE key = 'bundle_sequence'", {
    leap: SEQUENCE_LEAP,
  });
  setMeta(db, "log_number", log.number);
  setMeta(db, "log_origin", log.origin);
  setMeta(db, "log_follows", file ?? "");
  db.run("DELETE FROM meta WHERE key IN ('hold', 'seen')");
  return ended;
}

/** One checkpoint over the gap alone. */
async function release(db: Sqlite, options: RecoverOptions): Promise<void> {
  const { crypto, checkpointFile } = options;
  const number = logNumberOf(db);
  const tree = new MerkleTree(crypto);
  const [row] = db.all("SELECT * FROM log").map((found) => LOG.read(found));
  if (row === undefined) throw new Refusal("internal", "the new log is empty");
  tree.append(leafHash(crypto, row.leaf));
  const head = { origin: originOf(options.origin, number), size: 1, root: tree.root() };
  const signer = await signerOf(options, number);
  const text = await signCheckpoint(crypto, head, signer);
  await openCheckpoint(crypto, text, vkeyOf(crypto, head.origin, signer.key));
  await checkpointFile.write(text);
  db.run("DELETE FROM meta WHERE key = 'log_follows'"); // an old copy of this database is not taken for unfinished
}

/** A recovery that ended between database and file: nothing of the new log was shown, so it may go on. */
async function isUnfinished(db: Sqlite, { checkpointFile }: StoreOptions): Promise<boolean> {
  const follows = metaOf(db, "log_follows");
  if (follows === undefined || ((await checkpointFile.read()) ?? "") !== follows) return false;
  return Number(db.get("SELECT count(*) AS size FROM log")?.["size"]) === 1;
}

async function beginNext(db: Sqlite, options: RecoverOptions): Promise<Recovered> {
  const ending = await endingOf(db, await openLog(db, options), options);
  const { number, signer } = await options.nextLog(highestNumber(ending, options.origin));
  const origin = originOf(options.origin, number);
  const log = { number, origin, vkey: vkeyOf(options.crypto, origin, signer.key) };
  db.exec("BEGIN IMMEDIATE");
  try {
    const ended = beginLog(db, ending, log, options);
    db.exec("COMMIT");
    return { hold: ending.hold, log, former: ending.former, ...ended };
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** What the last recovery did, said again. */
async function begun(db: Sqlite, options: RecoverOptions): Promise<Recovered> {
  const number = logNumberOf(db);
  const origin = originOf(options.origin, number);
  const { key } = await signerOf(options, number);
  const row = db.get("SELECT * FROM former_logs ORDER BY number DESC LIMIT 1");
  if (row === undefined) throw new Refusal("internal", "no log came before");
  const count = (table: string): number =>
    Number(db.get(`SELECT count(*) AS n FROM ${table}`)?.["n"]);
  return {
    hold: "the recovery before this one did not end",
    log: { number, origin, vkey: vkeyOf(options.crypto, origin, key) },
    former: FORMER_LOGS.read(row),
    endedGrants: count("grants WHERE ended_why = 'recovered'"),
    endedAsks: count("asks WHERE state = 'superseded'"),
  };
}

/**
 * Ends the log that holds and starts the next one, in one transaction: the old rows stay under their number, the first
 * leaf of the new log is `log.gap`, every grant, question, prepared statement and join token ends, epoch and trust
 * bundle move. May be called again after it failed at any point. Takes the database for itself.
 * @throws Refusal `configuration_invalid` while a server runs or where nothing holds; as `openStore`
 */
export async function recoverStore(options: RecoverOptions): Promise<Recovered> {
  const held = lock(options.path);
  try {
    const db = connect(options.path);
    try {
      const done = (await isUnfinished(db, options))
        ? await begun(db, options)
        : await beginNext(db, options);
      await release(db, options);
      return done;
    } finally {
      db.fold();
      db.close();
    }
  } finally {
    held.close();
  }
}
