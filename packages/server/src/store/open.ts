import { lstatSync, openSync, closeSync } from "node:fs";
import { Refusal } from "@countersign/core";
import type { Bytes, Crypto, Seconds, Signer } from "@countersign/core";
import { diskRefusal } from "@countersign/node";
import { LogKeeper } from "../log/keeper.ts";
import type { CheckpointFile } from "./checkpoint-file.ts";
import { migrate } from "./migrations.ts";
import { logNumberOf } from "./sql.ts";
import { openRefusal, Sqlite } from "./sqlite.ts";
import { SqliteStore } from "./sqlite-store.ts";
import type { Store } from "./store.ts";
import { Writer } from "./writer.ts";
import type { WatchCommit } from "./writer.ts";

export interface StoreOptions {
  /** The database's file, made with mode 0600 when it is not there; `:memory:` for tests. */
  readonly path: string;
  readonly checkpointFile: CheckpointFile;
  readonly crypto: Crypto;
  /** Ed25519 key of the first log. */
  readonly logSigner: Signer;
  /** Its origin: `id.<trust domain>/log`. That of the log with number n > 1 has `/n` behind it. */
  readonly origin: string;
  /** Key of a log that a recovery has started. @throws Refusal `signer_unsuitable` where it is missing */
  readonly laterLogSigner?: (number: number) => Promise<Signer>;
  /** The server's clock. */
  readonly now: () => Seconds;
  /** Told about failures of disk, signer and listeners that callers only see as `indeterminate`. */
  readonly report?: (error: unknown) => void;
  /** Sees every decision; for metrics. */
  readonly watch?: WatchCommit;
}

function isMissingFolder(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** @throws Refusal `private_mode` unless the file is ours alone; `indeterminate` where none can be made */
function claimFile(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined)
    try {
      closeSync(openSync(path, "wx", 0o600));
    } catch (error) {
      throw isMissingFolder(error)
        ? new Refusal("configuration_invalid", "the database's folder is missing")
        : diskRefusal("closed", `${path} cannot be made`);
    }
  const stat = lstatSync(path);
  if (!stat.isFile() || (stat.mode & 0o077) !== 0 || stat.uid !== process.getuid?.())
    throw new Refusal(
      "private_mode",
      "the database is open to others",
      `chown it to the server's user and run: chmod 600 ${path}`,
    );
}

function opened(path: string): Sqlite {
  try {
    return new Sqlite(path);
  } catch (error) {
    throw openRefusal(error);
  }
}

/**
 * Takes the database for this process: two writers would each keep a tree of their own. The lock is SQLite's, on a
 * file that nothing else opens, and ends with the process.
 * @throws Refusal `private_mode`, `configuration_invalid`
 */
export function lock(path: string): Sqlite {
  const name = `${path}.lock`;
  claimFile(name);
  const held = opened(name);
  try {
    held.exec("BEGIN EXCLUSIVE");
    return held;
  } catch (error) {
    held.close();
    throw openRefusal(error);
  }
}

/** Connects and brings the file to the newest schema. */
export function connect(path: string): Sqlite {
  if (path !== ":memory:") claimFile(path);
  const db = opened(path);
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    migrate(db);
    const check = db.get("PRAGMA quick_check(1)")?.["quick_check"];
    if (check !== "ok") throw new TypeError("a page does not fit the others");
    return db;
  } catch (error) {
    db.close();
    throw openRefusal(error);
  }
}

/** The log's name is chosen once: a database under another name is not this server's. */
function checkOrigin(db: Sqlite, origin: string): void {
  db.run("INSERT INTO meta VALUES ('log_origin', :origin) ON CONFLICT DO NOTHING", { origin });
  const found = db.get("SELECT value FROM meta WHERE key = 'log_origin'")?.["value"];
  if (found !== origin) throw new Refusal("configuration_invalid", "the log has another origin");
}

/** Leaves in order; `undefined` where the numbers are not consecutive. */
function* leavesOf(db: Sqlite): Generator<Bytes | undefined> {
  let next = 0;
  for (const { seq, leaf } of db.iterate("SELECT seq, leaf FROM log ORDER BY seq")) {
    if (seq !== next) yield undefined;
    yield leaf as Bytes; // NOT NULL BLOB
    next += 1;
  }
}

/**
 * Opens the server's store on SQLite: takes the file for this process alone, migrates it, rebuilds the log's tree
 * and compares it with the last checkpoint. A store that is behind opens, and holds.
 * @throws Refusal `private_mode`, `configuration_invalid` (in use, damaged, newer, of another log), `indeterminate`
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const held = options.path === ":memory:" ? undefined : lock(options.path);
  try {
    return await openLocked(options, () => held?.close());
  } catch (error) {
    held?.close();
    throw error;
  }
}

/** Origin of the log with this number; the first one's has none. */
export function originOf(first: string, number: number): string {
  return number === 1 ? first : `${first}/${number}`;
}

export async function signerOf(options: StoreOptions, number: number): Promise<Signer> {
  if (number === 1) return options.logSigner;
  const signer = await options.laterLogSigner?.(number);
  if (signer === undefined) throw new Refusal("signer_unsuitable", "the log's key is missing");
  return signer;
}

/**
 * Rebuilds the log that the database writes and compares it with the last checkpoint.
 * @throws Refusal `configuration_invalid`, `signer_unsuitable`, `indeterminate`
 */
export async function openLog(db: Sqlite, options: StoreOptions): Promise<LogKeeper> {
  const { crypto, checkpointFile: file, report } = options;
  const number = logNumberOf(db);
  const origin = originOf(options.origin, number);
  checkOrigin(db, origin);
  const signer = await signerOf(options, number);
  const keeper = await LogKeeper.open(
    { crypto, signer, origin, file, ...(report === undefined ? {} : { report }) },
    leavesOf(db),
  );
  const noted = db.get("SELECT value FROM meta WHERE key = 'hold'")?.["value"];
  if (typeof noted === "string") keeper.freeze(noted);
  return keeper;
}

async function openLocked(options: StoreOptions, unlock: () => void): Promise<Store> {
  const db = connect(options.path);
  try {
    const keeper = await openLog(db, options);
    return new SqliteStore(db, keeper, new Writer(db, keeper, options.now, options), unlock);
  } catch (error) {
    db.close();
    throw error;
  }
}
