import { createRequire } from "node:module";
import type { DatabaseSyncInstance, StatementSyncInstance } from "@photostructure/sqlite";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { diskRefusal } from "@countersign/node";

/** What SQLite stores. */
export type SqlValue = string | number | null | Bytes;
/** Values by the names that a statement gives them, or in the order of its places. */
export type SqlParams = Readonly<Record<string, SqlValue>> | readonly SqlValue[];
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** Node has SQLite built in, no longer experimental, from this major version on. */
const BUILT_IN_FROM = 24;

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => DatabaseSyncInstance;
}

function sqliteModule(nodeVersion: string): SqliteModule {
  const isBuiltIn = Number.parseInt(nodeVersion, 10) >= BUILT_IN_FROM;
  // `require`, so that the module of the other platform is never looked for; both have the API of node:sqlite
  const load = createRequire(import.meta.url);
  return load(isBuiltIn ? "node:sqlite" : "@photostructure/sqlite") as SqliteModule;
}

/** SQLite's extended result codes for a row that is there already: primary key, unique index, rowid. */
const ALREADY_THERE: ReadonlySet<unknown> = new Set([1555, 2067, 2579]);

/** Whether a statement failed because a row with that key exists. */
export function isAlreadyThere(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && ALREADY_THERE.has(error.errcode);
}

/** Whether SQLite itself failed: disk full, locked, corrupt. */
export function isSqliteFailure(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

/** `node:sqlite` takes names as one object and places as arguments. Names cost twice as much to bind. */
function inPlaces(params: SqlParams): readonly unknown[] {
  return Array.isArray(params) ? params : [params];
}

/** SQLite's primary result codes for a disk that does not do as it is asked. */
const DISK: ReadonlyMap<number, Parameters<typeof diskRefusal>[0]> = new Map([
  [8, "closed"],
  [10, "broken"],
  [13, "full"],
  [14, "closed"],
]);
const BUSY = 5;

const codeOf = (error: unknown): number =>
  error instanceof Error && "errcode" in error ? Number(error.errcode) % 256 : 0;

/** The refusal that says what to do, where the disk is the reason. */
export function diskRefusalOf(error: unknown): Refusal | undefined {
  const kind = DISK.get(codeOf(error));
  return kind === undefined ? undefined : diskRefusal(kind, `SQLite ${codeOf(error)}`);
}

/** Why a database cannot be opened; one that is none of the rest is damaged. */
export function openRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const invalid = (detail: string, next: string): Refusal =>
    new Refusal("configuration_invalid", detail, next);
  if (codeOf(error) === BUSY)
    return invalid(
      "the database is in use",
      "Another server runs on this directory. Stop it, or choose another one with --data DIR.",
    );
  return (
    diskRefusalOf(error) ??
    invalid(
      "the database is damaged, or none",
      "Put a backup in its place (docs/operations.md); if the server holds then, run countersign server recover.",
    )
  );
}

/** One connection with its compiled statements. Synchronous: a transaction is never interleaved with anything. */
export class Sqlite {
  readonly #db: DatabaseSyncInstance;
  readonly #compiled: Map<string, StatementSyncInstance> = new Map();

  /** @param path a file, or `:memory:` */
  constructor(path: string, nodeVersion: string = process.versions.node) {
    this.#db = new (sqliteModule(nodeVersion).DatabaseSync)(path);
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /** Runs one statement and says how many rows it changed. */
  run(sql: string, params: SqlParams = []): number {
    return this.#statement(sql).run(...inPlaces(params)).changes;
  }

  get(sql: string, params: SqlParams = []): SqlRow | undefined {
    const row: unknown = this.#statement(sql).get(...inPlaces(params));
    return row as SqlRow | undefined; // SQLite gives an object per row, without BigInt
  }

  all(sql: string, params: SqlParams = []): readonly SqlRow[] {
    const rows: unknown = this.#statement(sql).all(...inPlaces(params));
    return rows as readonly SqlRow[]; // as above
  }

  /** One row at a time, for what may not fit in memory. */
  iterate(sql: string, params: SqlParams = []): Iterable<SqlRow> {
    const rows: unknown = this.#statement(sql).iterate(...inPlaces(params));
    return rows as Iterable<SqlRow>; // as above
  }

  /** Moves what is in the write-ahead log into the file itself, so that a copy of the file is complete. */
  fold(): void {
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // no room, or a reader outside: the write-ahead log keeps it all
    }
  }

  close(): void {
    this.#compiled.clear();
    this.#db.close();
  }

  /** The texts are constants of this folder, so the map stays small. */
  #statement(sql: string): StatementSyncInstance {
    const known = this.#compiled.get(sql);
    if (known !== undefined) return known;
    const made = this.#db.prepare(sql);
    this.#compiled.set(sql, made);
    return made;
  }
}
