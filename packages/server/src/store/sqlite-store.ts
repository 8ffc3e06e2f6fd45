import { Refusal, writeEntries } from "@countersign/core";
import type { Bytes, Digest, Seconds, Tile } from "@countersign/core";
import type { LogKeeper } from "../log/keeper.ts";
import { SqliteOwnerReads } from "./owner-reads.ts";
import * as q from "./queries.ts";
import type {
  AskRow,
  CeremonyRow,
  CertificateRow,
  CredentialRow,
  EntryRow,
  FormerLogRow,
  GatewayRow,
  GrantRow,
  InstallationRow,
  JoinTokenRow,
  LogRow,
  OwnerKeyRow,
  OwnerRow,
  ProxyRow,
  RegistrationRow,
  RequestRow,
  SignatureRow,
  StatementRow,
  StopRow,
} from "./rows.ts";
import { epochOf } from "./meet.ts";
import { logNumberOf } from "./sql.ts";
import { isSqliteFailure } from "./sqlite.ts";
import type { Sqlite } from "./sqlite.ts";
import type {
  Committed,
  Decision,
  KeyOwner,
  KnownQuery,
  KnownRows,
  LogName,
  Once,
  ProxyState,
  Release,
  Seen,
  Store,
} from "./store.ts";
import * as t from "./tables.ts";
import type { Writer } from "./writer.ts";

type Filter<Name extends keyof Store> = NonNullable<Parameters<Store[Name]>[0] & object>;

/** The store on one SQLite connection: reads here, the one write in `Writer`. */
export class SqliteStore extends SqliteOwnerReads implements Store {
  readonly #db: Sqlite;
  readonly #keeper: LogKeeper;
  readonly #writer: Writer;
  readonly #unlock: () => void;
  readonly #log: LogName;

  /** @param unlock called once the database is closed */
  constructor(db: Sqlite, keeper: LogKeeper, writer: Writer, unlock: () => void = () => undefined) {
    super();
    this.#db = db;
    this.#log = { number: logNumberOf(db), ...keeper.name };
    this.#keeper = keeper;
    this.#writer = writer;
    this.#unlock = unlock;
  }

  /**
   * Reads once everything written so far stands under a checkpoint: what a read shows may leave the server, and
   * nothing leaves before that.
   */
  async #read<T>(read: (db: Sqlite) => T): Promise<T> {
    await this.#keeper.release();
    try {
      return read(this.#db);
    } catch (error) {
      throw isSqliteFailure(error)
        ? new Refusal("indeterminate", "the database cannot be read")
        : error;
    }
  }

  #list<Row>(
    table: t.Table<Row>,
    conditions: Parameters<typeof q.select>[2],
    order: string,
  ): Promise<readonly Row[]> {
    return this.#read((db) => q.select(db, table, conditions, order));
  }

  #find<Row>(table: t.Table<Row>, where: string, key: string | number): Promise<Row | undefined> {
    return this.#read((db) => q.find(db, table, where, key));
  }

  protected override select<T>(read: (db: Sqlite) => T): Promise<T> {
    return this.#read(read);
  }

  epoch(): Promise<number> {
    return this.#read(epochOf);
  }

  known(query: KnownQuery): Promise<KnownRows> {
    return this.#read((db) => q.known(db, query, this.hold()));
  }

  outcome(req: Digest): Promise<RequestRow | undefined> {
    return this.#find(t.REQUESTS, "req = :key", req);
  }

  stateFor(proxy: string, now: Seconds): Promise<ProxyState> {
    return this.#read((db) => {
      const hold = this.hold();
      const { checkpoint } = this.#keeper;
      return {
        ...q.stateFor(db, proxy, now),
        ...(hold === undefined ? {} : { hold }),
        seq: this.#keeper.releasedSize,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      };
    });
  }

  entry(id: string): Promise<EntryRow | undefined> {
    return this.#find(t.ENTRIES, "id = :key", id);
  }

  entries(filter: Filter<"entries"> = {}): Promise<readonly EntryRow[]> {
    const { proxy, owner, removed } = filter;
    return this.#list(
      t.ENTRIES,
      {
        proxy: ["proxy = :proxy", proxy],
        owner: [q.REGISTERED_FOR, owner],
        removed: [
          "(removed_at IS NOT NULL) = :removed",
          removed === undefined ? undefined : Number(removed),
        ],
      },
      "id",
    );
  }

  proxy(id: string): Promise<ProxyRow | undefined> {
    return this.#find(t.PROXIES, "id = :key", id);
  }

  proxies(): Promise<readonly ProxyRow[]> {
    return this.#list(t.PROXIES, {}, "id");
  }

  gateway(id: string): Promise<GatewayRow | undefined> {
    return this.#find(t.GATEWAYS, "id = :key", id);
  }

  gateways(): Promise<readonly GatewayRow[]> {
    return this.#list(t.GATEWAYS, {}, "id");
  }

  certificate(serial: string): Promise<CertificateRow | undefined> {
    return this.#find(t.CERTIFICATES, "serial = :key", serial);
  }

  joinToken(hash: string): Promise<JoinTokenRow | undefined> {
    return this.#find(t.JOIN_TOKENS, "hash = :key", hash);
  }

  owner(id: string): Promise<OwnerRow | undefined> {
    return this.#find(t.OWNERS, "id = :key", id);
  }

  owners(): Promise<readonly OwnerRow[]> {
    return this.#list(t.OWNERS, {}, "id");
  }

  ownerKeys(owner: string): Promise<readonly OwnerKeyRow[]> {
    return this.#list(t.OWNER_KEYS, { owner: ["owner = :owner", owner] }, "added_at, jkt");
  }

  ownerKey(jkt: string): Promise<OwnerKeyRow | undefined> {
    return this.#find(t.OWNER_KEYS, "jkt = :key", jkt);
  }

  passkeys(credentialId: string): Promise<readonly OwnerKeyRow[]> {
    return this.#list(t.OWNER_KEYS, { id: [q.CREDENTIAL_ID, credentialId] }, "added_at, jkt");
  }

  removedOwnerKeys(): Promise<readonly string[]> {
    return this.#read(q.removedOwnerKeys);
  }

  bundleSequence(): Promise<number> {
    return this.#read(q.bundleSequence);
  }

  keyOwner(jkt: string): Promise<KeyOwner | undefined> {
    return this.#read((db) => q.keyOwner(db, jkt));
  }

  ask(idOrReq: string): Promise<AskRow | undefined> {
    return this.#find(t.ASKS, "req = :key OR id = :key", idOrReq);
  }

  asks(filter: Filter<"asks"> = {}): Promise<readonly AskRow[]> {
    return this.#list(
      t.ASKS,
      {
        owner: [q.ASKED_OF, filter.owner],
        proxy: ["proxy = :proxy", filter.proxy],
        entry: ["entry = :entry", filter.entry],
        state: ["state = :state", filter.state],
      },
      "created_at DESC, req",
    );
  }

  statement(jti: string): Promise<StatementRow | undefined> {
    return this.#find(t.STATEMENTS, "jti = :key", jti);
  }

  registration(challenge: string): Promise<RegistrationRow | undefined> {
    return this.#find(t.REGISTRATIONS, "challenge = :key", challenge);
  }

  ceremony(req: Digest): Promise<CeremonyRow | undefined> {
    return this.#find(t.CEREMONIES, "req = :key", req);
  }

  signatures(
    of: { readonly req: Digest } | { readonly cs: Digest },
  ): Promise<readonly SignatureRow[]> {
    const where =
      "cs" in of ? { cs: ["cs = :cs", of.cs] as const } : { req: ["req = :req", of.req] as const };
    return this.#list(t.SIGNATURES, where, "n");
  }

  grant(cs: Digest): Promise<GrantRow | undefined> {
    return this.#find(t.GRANTS, "cs = :key", cs);
  }

  grants(filter: Filter<"grants"> = {}): Promise<readonly GrantRow[]> {
    return this.#list(
      t.GRANTS,
      {
        owner: [q.GRANTED_BY, filter.owner],
        agent: ["agent = :agent", filter.agent],
        entry: ["entry = :entry", filter.entry],
        liveAt: ["ended_at IS NULL AND exp > :liveAt", filter.liveAt],
      },
      "nbf DESC, cs",
    );
  }

  installations(filter: Filter<"installations"> = {}): Promise<readonly InstallationRow[]> {
    return this.#list(
      t.INSTALLATIONS,
      { entry: ["entry = :entry", filter.entry], proxy: ["proxy = :proxy", filter.proxy] },
      "since DESC, agent",
    );
  }

  async credential(cs: Digest | undefined, jti: string): Promise<CredentialRow | undefined> {
    const row = await this.credentialByJti(jti);
    return row?.cs === cs ? row : undefined;
  }

  credentialByJti(jti: string): Promise<CredentialRow | undefined> {
    return this.#find(t.CREDENTIALS, "jti = :key", jti);
  }

  credentials(filter: Filter<"credentials"> = {}): Promise<readonly CredentialRow[]> {
    return this.#read((db) => q.credentials(db, filter));
  }

  stops(filter: Filter<"stops"> = {}): Promise<readonly StopRow[]> {
    const { scope, target, inForce } = filter;
    return this.#list(
      t.STOPS,
      {
        scope: ["scope = :scope", scope],
        target: ["target = :target", target],
        inForce: [
          "(lifted_at IS NULL) = :inForce",
          inForce === undefined ? undefined : Number(inForce),
        ],
      },
      "since, id",
    );
  }

  onceSeen(kind: Once["kind"], value: string): Promise<boolean> {
    return this.#read((db) => q.onceSeen(db, kind, value));
  }

  logRow(seq: number): Promise<LogRow | undefined> {
    return this.#find(t.LOG, "seq = :key", seq);
  }

  logRows(from: number, to: number): Promise<readonly LogRow[]> {
    return this.#read((db) => q.logRows(db, from, to));
  }

  logRowsOf(types: readonly string[], from: number, to: number): Promise<readonly LogRow[]> {
    return this.#read((db) => q.logRowsOf(db, types, from, to));
  }

  logSize(): Promise<number> {
    return this.#read(() => this.#keeper.releasedSize);
  }

  logName(): LogName {
    return this.#log;
  }

  formerLogs(): Promise<readonly FormerLogRow[]> {
    return this.#list(t.FORMER_LOGS, {}, "number");
  }

  formerLogRows(number: number, from: number, to: number): Promise<readonly LogRow[]> {
    return this.#read((db) => q.formerLogRows(db, number, from, to));
  }

  checkpoint(): Promise<string> {
    return this.#read(() => {
      const { published, frozen } = this.#keeper;
      if (published === undefined) throw new Refusal("hold", frozen);
      return published;
    });
  }

  proofFor(seq: number): Promise<string> {
    return this.#read(() => this.#keeper.proofFor(seq));
  }

  tile(tile: Tile): Promise<Bytes> {
    const { index, width } = tile;
    return this.#read((db) => this.#keeper.tile(tile) ?? writeEntries(q.leaves(db, index, width)));
  }

  consistencyProof(from: number, to: number): Promise<readonly Bytes[]> {
    return this.#read(() => this.#keeper.consistencyProof(from, to));
  }

  addCosignatures(checkpoint: string, lines: readonly string[]): void {
    this.#keeper.addCosignatures(checkpoint, lines);
  }

  commit(decision: Decision): Promise<Committed | "conflict" | "used"> {
    return this.#writer.commit(decision);
  }

  hold(): string | undefined {
    return this.#writer.hold();
  }

  async noteSeen(seen: Seen): Promise<void> {
    const reason = await this.#keeper.noteSeen(seen.checkpoint);
    if (reason === undefined) return;
    // kept, so that a restart does not forget what only that proxy knew, and a recovery can say it
    const keep = "INSERT INTO meta VALUES (:key, :value) ON CONFLICT DO NOTHING";
    this.#db.run(keep, { key: "hold", value: reason });
    this.#db.run(keep, { key: "seen", value: seen.checkpoint });
  }

  subscribe(listener: (release: Release) => void): () => void {
    return this.#keeper.subscribe(listener);
  }

  async close(): Promise<void> {
    await this.#writer.close();
    this.#db.fold();
    this.#db.close();
    this.#unlock();
  }
}
