import { Refusal } from "@countersign/core";
import type { Bytes, Seconds } from "@countersign/core";
import type { LogKeeper } from "../log/keeper.ts";
import { Clash } from "./clash.ts";
import { meet, takeOnce } from "./meet.ts";
import { applyNotice } from "./notice-sql.ts";
import { applyPush } from "./push-sql.ts";
import { apply, bumpEpoch, touchedBy } from "./sql.ts";
import { diskRefusalOf, isSqliteFailure } from "./sqlite.ts";
import type { Sqlite } from "./sqlite.ts";
import type { Committed, CommitOutcome, Decision } from "./store.ts";
import { LOG } from "./tables.ts";

/** Decisions in one transaction: enough to share a sync, few enough to answer the first one soon. */
const MAX_GROUP = 256;
/** Decisions that may wait; beyond it the disk is too slow for the load. */
const MAX_WAITING = 10_000;
/** Octets of a leaf and of a record. */
const MAX_LEAF_BYTES = 2048;
const MAX_RECORD_BYTES = 65_536;
/** How far the clock may stand before the newest leaf (DESIGN 12). */
const CLOCK_TOLERANCE_SECONDS = 60;

type Result = Committed | "conflict" | "used";

interface Job {
  readonly decision: Decision;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/** Told of a decision that is handed in; what it returns is told what became of it. */
export type WatchCommit = (decision: Decision) => (outcome: CommitOutcome) => void;

/** What one decision came to inside the transaction. */
type Outcome =
  | { readonly is: "written"; readonly seq?: number; readonly leaf?: Bytes; readonly t?: Seconds }
  | { readonly is: "conflict" | "used" }
  | { readonly is: "failed"; readonly reason: unknown };

const failed = (reason: unknown): Outcome => ({ is: "failed", reason });
const unavailable = (why: string): Refusal => new Refusal("indeterminate", why);

/**
 * The one writer of the database. Decisions that wait are written in one transaction, each behind a savepoint of its
 * own; then the keeper signs one checkpoint for all of them; then they are answered. Holds the loop only for the
 * transaction itself, and could therefore move to a thread of its own.
 */
export class Writer {
  readonly #db: Sqlite;
  readonly #keeper: LogKeeper;
  readonly #now: () => Seconds;
  readonly #watch: WatchCommit | undefined;
  readonly #report: ((error: unknown) => void) | undefined;
  readonly #waiting: Job[] = [];
  #newestLeafTime: Seconds;
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();
  #closed = false;
  /** Set when SQLite failed in the middle: what is on disk is read again before anything is written. */
  #isUnsure = false;

  constructor(
    db: Sqlite,
    keeper: LogKeeper,
    now: () => Seconds,
    options: { readonly watch?: WatchCommit; readonly report?: (error: unknown) => void } = {},
  ) {
    this.#db = db;
    this.#keeper = keeper;
    this.#now = now;
    this.#watch = options.watch;
    this.#report = options.report;
    const newest = db.get("SELECT t FROM log ORDER BY seq DESC LIMIT 1");
    this.#newestLeafTime = Number(newest?.["t"] ?? 0);
  }

  /** See `Store.hold`. */
  hold(): string | undefined {
    if (this.#keeper.frozen !== undefined) return this.#keeper.frozen;
    return this.#now() < this.#newestLeafTime - CLOCK_TOLERANCE_SECONDS
      ? "the clock stands before the newest leaf"
      : undefined;
  }

  /** See `Store.commit`. */
  commit(decision: Decision): Promise<Result> {
    const tell = this.#watch?.(decision);
    const result = this.#enqueue(decision);
    if (tell !== undefined)
      void result.then(
        (answer) => tell(typeof answer === "string" ? answer : "written"),
        () => tell("failed"),
      );
    return result;
  }

  #enqueue(decision: Decision): Promise<Result> {
    if (this.#closed) return Promise.reject(unavailable("the store is closed"));
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(unavailable("too many decisions wait"));
    const { log } = decision;
    if (
      log !== undefined &&
      (log.leaf.length > MAX_LEAF_BYTES || log.record.length > MAX_RECORD_BYTES)
    )
      return Promise.reject(new Refusal("too_large", "leaf or record"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ decision, resolve, reject });
      if (!this.#isDraining) this.#drained = this.#drain();
    });
  }

  /** Writes what waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    do {
      // one turn of the loop, in which the callers of the same moment join the group
      await new Promise((resolve) => setImmediate(resolve));
      await this.#runGroup(this.#waiting.splice(0, MAX_GROUP));
    } while (this.#waiting.length > 0);
    this.#isDraining = false; // in the same step as the look at the queue, or a decision could be left lying
  }

  async #runGroup(jobs: readonly Job[]): Promise<void> {
    let outcomes: readonly Outcome[];
    try {
      const mayIssue = await this.#isCaughtUp();
      outcomes = this.#transact(jobs, mayIssue);
    } catch (error) {
      for (const job of jobs) job.reject(error);
      return;
    }
    this.#noteChanges(jobs, outcomes);
    try {
      await this.#keeper.release();
    } catch (error) {
      outcomes = outcomes.map((o) =>
        o.is === "written" && o.seq !== undefined ? failed(error) : o,
      );
    }
    for (const [index, job] of jobs.entries()) this.#answer(job, outcomes[index]);
  }

  /**
   * Leaves of an earlier group may still wait for a checkpoint. Until they have one, nothing more is issued: those
   * decisions would only burn their ordinals. Halts go on.
   */
  async #isCaughtUp(): Promise<boolean> {
    if (this.#isUnsure) this.#readAgain();
    try {
      await this.#keeper.release();
      return true;
    } catch {
      return false;
    }
  }

  /** After a failure of SQLite: appends the leaves that turned out to be on disk. @throws Refusal `indeterminate` */
  #readAgain(): void {
    try {
      const rows = this.#db.all("SELECT leaf, t FROM log WHERE seq >= :from ORDER BY seq", {
        from: this.#keeper.size,
      });
      for (const { leaf, t } of rows) this.#append(leaf as Bytes, Number(t)); // NOT NULL BLOB
    } catch {
      throw unavailable("the database cannot be read");
    }
    this.#isUnsure = false;
  }

  #append(leaf: Bytes, t: Seconds): void {
    this.#keeper.append(leaf);
    this.#newestLeafTime = t;
  }

  /** All decisions of a group in one transaction. Synchronous: nothing reads in between. */
  #transact(jobs: readonly Job[], mayIssue: boolean): readonly Outcome[] {
    const outcomes: Outcome[] = [];
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      let next = Number(
        this.#db.get("SELECT coalesce(max(seq) + 1, 0) AS next FROM log")?.["next"],
      );
      for (const { decision } of jobs) {
        const outcome = this.#attempt(decision, next, mayIssue);
        if (outcome.is === "written" && outcome.seq !== undefined) next += 1;
        outcomes.push(outcome);
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#isUnsure = true;
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK"); // no read may see what is not committed
      this.#report?.(error);
      throw diskRefusalOf(error) ?? unavailable("the database did not take the group");
    }
    for (const outcome of outcomes)
      if (outcome.is === "written" && outcome.leaf !== undefined && outcome.t !== undefined)
        this.#append(outcome.leaf, outcome.t);
    return outcomes;
  }

  /** One decision behind a savepoint, so that its failure does not take its neighbours. */
  #attempt(decision: Decision, seq: number, mayIssue: boolean): Outcome {
    if (decision.issues === true) {
      const hold = this.hold();
      if (hold !== undefined) return failed(new Refusal("hold", hold));
      if (!mayIssue) return failed(unavailable("no checkpoint can be signed or written"));
    }
    this.#db.exec("SAVEPOINT decision");
    try {
      const outcome = this.#write(decision, seq);
      this.#db.exec("RELEASE decision");
      return outcome;
    } catch (error) {
      if (!this.#db.inTransaction) throw error; // SQLite has rolled everything back by itself
      this.#db.exec("ROLLBACK TO decision; RELEASE decision");
      if (error instanceof Clash) return { is: error.with };
      if (!isSqliteFailure(error)) return failed(error);
      this.#report?.(error);
      return failed(diskRefusalOf(error) ?? unavailable("the database refused a row"));
    }
  }

  /** Single use first, so that a request sent twice hears "used" and finds its outcome. */
  #write(decision: Decision, seq: number): Outcome {
    const { log, changes, push = [], notices = [], once = [], expect = {} } = decision;
    takeOnce(this.#db, once);
    meet(this.#db, expect);
    for (const change of changes) apply(this.#db, change, log === undefined ? undefined : seq);
    for (const change of push) applyPush(this.#db, change);
    for (const change of notices) applyNotice(this.#db, change);
    if (decision.bumpEpoch === true) bumpEpoch(this.#db);
    if (log === undefined) return { is: "written" };
    this.#db.run(LOG.insert, LOG.bind({ seq, ...log }));
    return { is: "written", seq, leaf: log.leaf, t: log.t };
  }

  #noteChanges(jobs: readonly Job[], outcomes: readonly Outcome[]): void {
    for (const [index, { decision }] of jobs.entries()) {
      if (outcomes[index]?.is !== "written") continue;
      this.#keeper.changed([]);
      for (const change of decision.changes) this.#keeper.changed(touchedBy(this.#db, change));
    }
  }

  #answer(job: Job, outcome: Outcome | undefined): void {
    if (outcome === undefined) job.reject(unavailable("no outcome"));
    else if (outcome.is === "failed") job.reject(outcome.reason);
    else if (outcome.is !== "written") job.resolve(outcome.is);
    else if (outcome.seq === undefined) job.resolve({});
    else job.resolve(this.#committed(outcome.seq));
  }

  #committed(seq: number): Committed {
    const { checkpoint, frozen } = this.#keeper;
    if (frozen !== undefined || checkpoint === undefined) return { seq };
    return { seq, proof: this.#keeper.proofFor(seq), checkpoint };
  }
}
