import type { Bytes, Digest, Seconds, Tile } from "@countersign/core";
import type {
  AskFields,
  AskRow,
  AskState,
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
  RecoveryRow,
  RequestRow,
  SignatureRow,
  StatementRow,
  StopRow,
  StopScope,
} from "./rows.ts";
import type { NoticeChange } from "./notice-store.ts";
import type { KnownBeforehand, OwnerChange, OwnerExpectation, OwnerReads } from "./owner-store.ts";
import type { PushChange } from "./push-store.ts";

/**
 * One effect of a decision. `put` inserts (entry, proxy, gateway, owner, installation, ceremony, unblock, announcement, starter, digits and block also replace); `set` must hit
 * exactly one row. A `put` of a credential or request that is there already is "used", of anything else "conflict";
 * a `set` that hits nothing is "conflict".
 */
export type Change =
  | { readonly put: "entry"; readonly row: EntryRow }
  | { readonly put: "proxy"; readonly row: ProxyRow }
  | { readonly put: "gateway"; readonly row: GatewayRow }
  | { readonly put: "certificate"; readonly row: CertificateRow }
  | { readonly put: "joinToken"; readonly row: JoinTokenRow }
  | { readonly put: "owner"; readonly row: OwnerRow }
  | { readonly put: "ownerKey"; readonly row: OwnerKeyRow }
  | { readonly put: "installation"; readonly row: InstallationRow }
  | { readonly put: "ask"; readonly row: AskRow }
  | { readonly put: "statement"; readonly row: StatementRow }
  | { readonly put: "registration"; readonly row: RegistrationRow }
  /** What was signed in a ceremony that it takes the place of is dropped. */
  | { readonly put: "ceremony"; readonly row: CeremonyRow }
  | { readonly put: "signature"; readonly row: SignatureRow }
  | { readonly put: "grant"; readonly row: GrantRow }
  /** The store fills in `seq` and `log`: where this decision's leaf is. */
  | { readonly put: "credential"; readonly row: Omit<CredentialRow, "seq" | "log"> }
  | { readonly put: "request"; readonly row: Omit<RequestRow, "seq"> }
  | { readonly put: "stop"; readonly row: StopRow }
  | {
      readonly set: "ask";
      readonly req: Digest;
      readonly fields: Partial<AskFields>;
    }
  | {
      readonly set: "proxy";
      readonly id: string;
      readonly fields: Partial<
        Pick<ProxyRow, "state" | "liveSerial" | "liveJkt" | "liveJwk" | "notAfter" | "forkedAt">
      >;
    }
  | {
      readonly set: "certificate";
      readonly serial: string;
      readonly fields: Pick<CertificateRow, "state">;
    }
  | {
      readonly set: "joinToken";
      readonly hash: string;
      readonly fields: { readonly usedBy: string };
    }
  | {
      readonly set: "ownerKey";
      readonly jkt: string;
      /** `suspendedAt: undefined` takes the suspension away. */
      readonly fields: Partial<Pick<OwnerKeyRow, "removedAt" | "counter" | "knownBy">> & {
        readonly suspendedAt?: Seconds | undefined;
      };
    }
  | {
      readonly set: "installation";
      readonly agent: string;
      readonly fields: { readonly retiredAt: Seconds };
    }
  | {
      readonly set: "stop";
      readonly id: string;
      readonly fields: { readonly liftedAt: Seconds };
    }
  | OwnerChange
  /** Ends what was signed of a question that is decided otherwise; may hit nothing. */
  | { readonly drop: "ceremony"; readonly req: Digest }
  /**
   * Ends every grant of the scope that has not ended; may hit none. `owner`: of any owner whom the statement names;
   * `ownerKey`: signed with that key, by whichever of them.
   */
  | {
      readonly end: "grants";
      readonly scope: StopScope | "ownerKey";
      readonly target: string;
      readonly at: Seconds;
      readonly why: string;
    }
  /** The trust bundle changed: its sequence moves by one. */
  | { readonly bump: "bundleSequence" }
  /** Removes what a log row said about people, with the salt of its commit; leaf, tree and proofs stay. */
  | { readonly erase: "record"; readonly seq: number }
  /** Removes R's octets (and the note in them) of questions decided before an instant, and when they were opened. */
  | { readonly erase: "requests"; readonly decidedBefore: Seconds }
  /** Drops single-use rows, prepared statements and outcomes whose time is over. */
  | { readonly sweep: "expired"; readonly now: Seconds };

/** A value that may be used once until it is meaningless anyway: a nonce, a key, a `jti`. */
export interface Once {
  readonly kind: "nonce" | "key" | "jti" | "joinToken" | "session" | "code" | "challenge";
  readonly value: string;
  /** When the value could no longer be accepted; the row may be swept afterwards. */
  readonly until: Seconds;
}

/** What must still be true when the decision is written. */
export interface Expectation extends OwnerExpectation {
  readonly epoch?: number;
  /** `n` is the next ordinal under the grant; taking it is part of the decision. */
  readonly issue?: { readonly cs: Digest; readonly n: number };
  readonly ask?: { readonly req: Digest; readonly state: AskState };
  /** The ceremony of a question that several owners are asked; `nonce` absent: there is none. */
  readonly ceremony?: { readonly req: Digest; readonly nonce?: string };
  readonly recovery?: { readonly id: string; readonly state: RecoveryRow["state"] };
  /** Version of an entry; 0: there is none. */
  readonly entry?: { readonly id: string; readonly version: number };
  /** The serial that is the proxy's live one. */
  readonly liveSerial?: { readonly proxy: string; readonly serial: string };
  /** Keys that are neither removed nor suspended, each with its counter as it was read; absent: it has none. */
  readonly ownerKeys?: readonly { readonly jkt: string; readonly counter?: number }[];
}

export interface Decision {
  /** The one log row. Absent only for what is no decision about anybody: prepared statements, sweeping. */
  readonly log?: {
    readonly type: string;
    readonly t: Seconds;
    /** JCS octets, at most 2 KiB. */
    readonly leaf: Bytes;
    readonly record: Bytes;
    readonly salts: Readonly<Record<string, string>>;
  };
  readonly changes: readonly Change[];
  readonly push?: readonly PushChange[];
  readonly notices?: readonly NoticeChange[];
  readonly once?: readonly Once[];
  readonly expect?: Expectation;
  /** Set for every halt, entry change, and removal of a key or proxy. */
  readonly bumpEpoch?: boolean;
  /** Issues or enrols: refused while the store holds. */
  readonly issues?: boolean;
}

export interface Committed {
  /** Index of the decision's leaf. */
  readonly seq?: number;
  /** A C2SP tlog-proof of that leaf under `checkpoint`. */
  readonly proof?: string;
  /** The signed checkpoint that covers the decision. */
  readonly checkpoint?: string;
}

/** What became of a decision; "failed": nobody knows, or it was refused. */
export type CommitOutcome = "written" | "conflict" | "used" | "failed";

export interface KnownQuery {
  readonly proxy: string;
  readonly entry: string;
  readonly agent: string;
  /** The grant that the endorsement names. */
  readonly cs?: Digest;
  readonly now: Seconds;
}

/** Everything that a decision about one request needs, read at one epoch. */
export interface KnownRows extends KnownBeforehand {
  readonly epoch: number;
  readonly hold?: string;
  /** Absent also when removed. */
  readonly entry?: EntryRow;
  /** The entry's installation that is not retired, whichever agent id it has. */
  readonly installation?: InstallationRow;
  /** The grant by `cs`, ended or not. */
  readonly grant?: GrantRow;
  /** Grants of the agent that have neither ended nor expired. */
  readonly liveGrants: readonly GrantRow[];
  /** Credentials issued under `cs`, and those of them that are unexpired. */
  readonly issued: number;
  readonly live: number;
  /** Stops in force that touch agent, entry, grant, owner, proxy or the domain; oldest first. */
  readonly stops: readonly StopRow[];
  /** The entry's open question. */
  readonly openAsk?: AskRow;
  /** Questions of the entry denied or expired since the last approved one or unblocking, newest first, at most 16. */
  readonly denials: readonly { readonly state: "denied" | "expired"; readonly at: Seconds }[];
  /** Open questions, before their deadline, of the entry's owner. */
  readonly pending: {
    readonly ofOwner: number;
    readonly ofOwnerExpected: number;
    readonly ofOwnerAtProxy: number;
  };
}

/** The whole truth for one proxy, numbered; the last one wins. */
export interface ProxyState {
  readonly epoch: number;
  readonly hold?: string;
  /** Number of leaves that the checkpoint covers. */
  readonly seq: number;
  /** Absent only while the store holds because its last checkpoint was lost. */
  readonly checkpoint?: string;
  readonly proxy?: ProxyRow;
  readonly entries: readonly EntryRow[];
  readonly installations: readonly InstallationRow[];
  /** In force, and of one of its entries, agents, grants, owners, itself or the domain. */
  readonly stops: readonly StopRow[];
  /** Open ones, and those decided within the last ten minutes. */
  readonly asks: readonly AskRow[];
  /** Neither ended nor expired. */
  readonly grants: readonly GrantRow[];
}

/** Whose key a thumbprint is. */
export interface KeyOwner {
  readonly kind: "credential" | "anchor" | "proxy" | "owner";
  /** Agent, proxy or owner id. */
  readonly id: string;
}

/** Told after each group of decisions has been released. */
export interface Release {
  /** Number of leaves under the checkpoint. */
  readonly size: number;
  /** As in `ProxyState`. */
  readonly checkpoint?: string;
  /** Proxies whose state may have changed. */
  readonly changed: "all" | readonly string[];
}

/** Which log it is: a recovery starts the next one, with an origin and a key of its own. */
export interface LogName {
  /** Counts from 1. */
  readonly number: number;
  readonly origin: string;
  readonly vkey: string;
}

/** What a proxy has seen of this server: the newest state's number and checkpoint. */
export interface Seen {
  readonly seq: number;
  readonly checkpoint: string;
}

/**
 * The server's memory: few reads and one write.
 *
 * Atomic: a decision takes effect wholly or not at all. Durable: when `commit` resolves, the decision is on disk and
 * its log row stands under a signed checkpoint that is on disk too, apart from the database. Isolated: a read never
 * shows a decision that is not yet released in that sense. When `commit` rejects, the decision may have taken
 * effect or not; the caller asks again (`outcome`), nobody retries here.
 * While the store holds because its log is older than what was released, it signs no checkpoint: another root under
 * the same key would fork the log. Decisions that do not issue (halts) are still durable then, without a proof.
 *
 * Every read and `commit` may throw Refusal `indeterminate` when disk or log key is not available.
 */
export interface Store extends OwnerReads {
  epoch(): Promise<number>;
  known(query: KnownQuery): Promise<KnownRows>;
  outcome(req: Digest): Promise<RequestRow | undefined>;
  stateFor(proxy: string, now: Seconds): Promise<ProxyState>;

  entry(id: string): Promise<EntryRow | undefined>;
  /** Ordered by id. */
  entries(filter?: {
    readonly proxy?: string;
    readonly owner?: string;
    readonly removed?: boolean;
  }): Promise<readonly EntryRow[]>;
  proxy(id: string): Promise<ProxyRow | undefined>;
  proxies(): Promise<readonly ProxyRow[]>;
  gateway(id: string): Promise<GatewayRow | undefined>;
  gateways(): Promise<readonly GatewayRow[]>;
  certificate(serial: string): Promise<CertificateRow | undefined>;
  joinToken(hash: string): Promise<JoinTokenRow | undefined>;

  owner(id: string): Promise<OwnerRow | undefined>;
  owners(): Promise<readonly OwnerRow[]>;
  /** Removed ones too, oldest first. */
  ownerKeys(owner: string): Promise<readonly OwnerKeyRow[]>;
  ownerKey(jkt: string): Promise<OwnerKeyRow | undefined>;
  /**
   * Passkeys by credential id, base64url; removed ones too. One as a rule: nothing keeps an authenticator from giving
   * an id that another one gave.
   */
  passkeys(credentialId: string): Promise<readonly OwnerKeyRow[]>;
  /** Thumbprints, sorted: `removed_owner_keys` of the trust bundle. */
  removedOwnerKeys(): Promise<readonly string[]>;
  bundleSequence(): Promise<number>;
  keyOwner(jkt: string): Promise<KeyOwner | undefined>;

  /** By the short name or by `req`. */
  ask(idOrReq: string): Promise<AskRow | undefined>;
  /** Newest first. */
  asks(filter?: {
    readonly owner?: string;
    readonly proxy?: string;
    readonly entry?: string;
    readonly state?: AskState;
  }): Promise<readonly AskRow[]>;
  statement(jti: string): Promise<StatementRow | undefined>;
  registration(challenge: string): Promise<RegistrationRow | undefined>;
  ceremony(req: Digest): Promise<CeremonyRow | undefined>;
  /** In the order in which they were made. `cs`: of the grant. */
  signatures(
    of: { readonly req: Digest } | { readonly cs: Digest },
  ): Promise<readonly SignatureRow[]>;
  grant(cs: Digest): Promise<GrantRow | undefined>;
  /** Newest first. `liveAt`: neither ended nor expired at that instant. */
  grants(filter?: {
    readonly owner?: string;
    readonly agent?: string;
    readonly entry?: string;
    readonly liveAt?: Seconds;
  }): Promise<readonly GrantRow[]>;
  installations(filter?: {
    readonly entry?: string;
    readonly proxy?: string;
  }): Promise<readonly InstallationRow[]>;
  credential(cs: Digest | undefined, jti: string): Promise<CredentialRow | undefined>;
  credentialByJti(jti: string): Promise<CredentialRow | undefined>;
  /** Newest first, at most 1000. */
  credentials(filter?: {
    readonly agent?: string;
    readonly cs?: Digest;
    readonly liveAt?: Seconds;
  }): Promise<readonly CredentialRow[]>;
  /** Oldest first. `inForce`: those not lifted. */
  stops(filter?: {
    readonly scope?: StopScope;
    readonly target?: string;
    readonly inForce?: boolean;
  }): Promise<readonly StopRow[]>;
  onceSeen(kind: Once["kind"], value: string): Promise<boolean>;

  /** The log that is written now. */
  logName(): LogName;
  /** Logs that ended in a recovery, oldest first, and their rows as `logRows`. */
  formerLogs(): Promise<readonly FormerLogRow[]>;
  formerLogRows(number: number, from: number, to: number): Promise<readonly LogRow[]>;
  logRow(seq: number): Promise<LogRow | undefined>;
  /** Rows with from ≤ seq < to, at most 1000. */
  logRows(from: number, to: number): Promise<readonly LogRow[]>;
  /** As `logRows`, of these types only. */
  logRowsOf(types: readonly string[], from: number, to: number): Promise<readonly LogRow[]>;
  /** Number of rows that are released. */
  logSize(): Promise<number>;
  /** The newest signed checkpoint, with the cosignatures that it has so far. @throws Refusal `hold` where it was lost */
  checkpoint(): Promise<string>;
  /**
   * A tlog-proof of that leaf under the newest checkpoint, or under an older one that more witnesses have cosigned.
   * @throws Refusal `not_found`, `hold`
   */
  proofFor(seq: number): Promise<string>;
  /** Octets of a tile or entry bundle of the released log (C2SP tlog-tiles). @throws Refusal `not_found`, `hold` */
  tile(tile: Tile): Promise<Bytes>;
  /** That the released log of size `to` only appends to that of size `from`. @throws Refusal `not_found`, `hold` */
  consistencyProof(from: number, to: number): Promise<readonly Bytes[]>;
  /**
   * Adds what witnesses have answered to a checkpoint of this log, one verified signature line a witness. Kept in
   * memory only: witnesses are asked again after a start.
   */
  addCosignatures(checkpoint: string, lines: readonly string[]): void;

  /**
   * The only write. "used": something single-use was used before. "conflict": an expectation did not hold; load
   * again. Nothing of the decision took effect in either case.
   * @throws Refusal `hold` for a decision that issues while the store holds; `indeterminate`
   */
  commit(decision: Decision): Promise<Committed | "conflict" | "used">;

  /** Why nothing may be issued or enrolled, or undefined. Stays until the server is recovered; a wrong clock lifts itself. */
  hold(): string | undefined;
  /** Holds when the checkpoint is genuine and shows more than this store, or something else, was released before. */
  noteSeen(seen: Seen): Promise<void>;
  /** Listeners are called after each group of decisions, once it is released, and must be quick; returns how to stop. */
  subscribe(listener: (release: Release) => void): () => void;
  /** Finishes what was accepted and closes the file. */
  close(): Promise<void>;
}
