import {
  base64url,
  concat,
  decideNotice,
  digestDone,
  digestDueAt,
  NOTICE_TYPES,
  NOTICE_WINDOW_SECONDS,
  noticeCause,
  Refusal,
  UNTOLD,
  utf8,
} from "@countersign/core";
import type { NoticeBudget, NoticeCause, Seconds } from "@countersign/core";
import { pause } from "@countersign/node";
import type { Cancel, Timers } from "@countersign/node";
import { recordOf } from "../cases/owner-record.ts";
import type { NoticeChange, NoticeCursor, NoticeRow } from "../store/notice-store.ts";
import type { LogRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { Deliveries } from "./deliveries.ts";
import type { WatchNotices } from "./deliveries.ts";
import type { Notice, NoticeChannel } from "./notice.ts";

/** As many as one read of the store gives. */
const ROWS_AT_A_TIME = 1000;
const ROWS_A_TURN = 16;
/** Rows without a notice after which the cursor is made durable all the same: a restart looks through no more. */
const CURSOR_EVERY = 1000;
const KEY_NOTICE_LIFE_SECONDS = 3 * 86_400;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** Octets of a notice's id. */
const ID_BYTES = 16;

export interface NoticesOptions {
  readonly channels: readonly NoticeChannel[];
  readonly timers: Timers;
  /** Told of every outcome, and of every question that waits for a digest; for metrics. */
  readonly watch?: WatchNotices;
  readonly watchWithheld?: () => void;
}

/** What one look at the log comes to, written in one commit. */
interface Batch {
  readonly rows: NoticeRow[];
  readonly budgets: Map<string, NoticeBudget>;
}

const newBatch = (): Batch => ({ rows: [], budgets: new Map() });

/**
 * Tells owners what waits for them (owner.md 1.7): a cursor on the log. What a row gives notice of stands in the outbox
 * before the cursor goes past it, in one commit; so a crash loses none. Nothing waits for it: not a decision, and not the
 * server's end.
 */
export class Notices {
  readonly #world: World;
  readonly #options: NoticesOptions;
  readonly #deliveries: Deliveries;
  readonly #ended = new AbortController();
  readonly #unsubscribe: () => void;
  /** Of owners of whom something is withheld. */
  readonly #withheld: Map<string, NoticeBudget> = new Map();
  #cancelDigest: Cancel = () => undefined;
  #cursor: NoticeCursor | undefined;
  #durableSeq = 0;
  #size = 0;
  #n = 0;
  #isRunning = false;
  #isDigestDue = false;

  constructor(world: World, options: NoticesOptions) {
    this.#world = world;
    this.#options = options;
    const { clock, random, store, log } = world;
    this.#deliveries = new Deliveries(options.channels, { ...options, clock, random, store, log });
    this.#unsubscribe = store.subscribe(({ size }) => this.#look(size));
    this.#look(0);
  }

  /** How many notices wait in all. */
  get waiting(): number {
    return this.#deliveries.waiting;
  }

  /** Ends what is under way, and waits for nothing. */
  close(): void {
    this.#unsubscribe();
    this.#ended.abort();
    this.#cancelDigest();
    this.#deliveries.close();
  }

  #look(size: number): void {
    this.#size = Math.max(this.#size, size);
    if (this.#isRunning || this.#ended.signal.aborted) return;
    this.#isRunning = true;
    void this.#run();
  }

  get #isBehind(): boolean {
    return this.#cursor === undefined || this.#cursor.seq < this.#size || this.#isDigestDue;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    for (let failures = 0; this.#isBehind && !signal.aborted;)
      try {
        await this.#step();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) this.#world.log.error("notices.stopped", { error });
        this.#cursor = undefined; // nobody knows what was written: it is read again
        const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 16));
        failures += 1;
        await pause(this.#options.timers, delayMs, signal);
      }
    this.#isRunning = false; // in the same step that found nothing more
  }

  async #step(): Promise<void> {
    const cursor = this.#cursor ?? (await this.#begin());
    if (this.#isDigestDue) await this.#digest();
    const to = Math.min(this.#size, cursor.seq + ROWS_AT_A_TIME);
    if (cursor.seq >= to) return;
    const rows = await this.#world.store.logRowsOf(NOTICE_TYPES, cursor.seq, to);
    const batch = newBatch();
    for (const [index, row] of rows.entries()) {
      await this.#judgeOrSkip(cursor.log, row, batch);
      // reads of the store do not give the loop away by themselves, and others have work
      if (index % ROWS_A_TURN === ROWS_A_TURN - 1)
        await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#write(batch, { log: cursor.log, seq: to });
  }

  /** Takes up where the outbox and the cursor stand. */
  async #begin(): Promise<NoticeCursor> {
    const { store } = this.#world;
    const { number } = store.logName();
    const durable = await store.noticeCursor();
    // a log that a recovery has started is another one, and is read from its beginning
    const cursor = durable.log === number ? durable : { log: number, seq: 0 };
    const waiting = await store.notices();
    this.#n = Math.max(this.#n, (waiting.at(-1)?.n ?? 0) + 1);
    this.#deliveries.add(waiting);
    this.#withheld.clear();
    for (const { owner, budget } of await store.withheldNotices())
      this.#withheld.set(owner, budget);
    this.#size = Math.max(this.#size, await store.logSize());
    this.#durableSeq = cursor.seq;
    this.#cursor = cursor;
    this.#setDigestTimer();
    return cursor;
  }

  /** What is written is durable before anything of it is delivered. */
  async #write({ rows, budgets }: Batch, cursor: NoticeCursor): Promise<void> {
    const isNews = rows.length > 0 || budgets.size > 0;
    if (isNews || cursor.seq - this.#durableSeq >= CURSOR_EVERY) {
      const notices: NoticeChange[] = [{ put: "noticeCursor", cursor }];
      for (const row of rows) notices.push({ put: "notice", row });
      for (const [owner, budget] of budgets) {
        const withheld = budget.withheldAt !== undefined;
        notices.push({ put: "noticeBudget", row: { owner, budget, withheld } });
      }
      await this.#world.store.commit({ changes: [], notices });
      this.#durableSeq = cursor.seq;
    }
    this.#cursor = cursor;
    for (const [owner, budget] of budgets)
      if (budget.withheldAt === undefined) this.#withheld.delete(owner);
      else this.#withheld.set(owner, budget);
    this.#deliveries.add(rows);
    if (budgets.size > 0) this.#setDigestTimer();
  }

  /** What the store cannot say is asked again; a fault of ours costs this one row, and not all that come after it. */
  async #judgeOrSkip(log: number, row: LogRow, batch: Batch): Promise<void> {
    try {
      await this.#judge(log, row, batch);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      this.#world.log.error("notices.row_skipped", { seq: row.seq, error });
    }
  }

  async #judge(log: number, row: LogRow, batch: Batch): Promise<void> {
    const cause = noticeCause(row.type, recordOf(row));
    if (cause === undefined) return;
    const made = cause.kind === "key" ? this.#ofKey(cause, row) : await this.#ofRequest(cause, row);
    if (made === undefined) return;
    for (const owner of cause.owners) {
      if (cause.kind === "request" && !(await this.#takes(owner, cause.entry, batch))) continue;
      await this.#address({ ...made, owner, id: this.#idOf(`${log} ${row.seq}`, owner) }, batch);
    }
  }

  #ofKey(
    { change }: Extract<NoticeCause, { kind: "key" }>,
    { t }: LogRow,
  ): Omit<Notice, "id" | "owner"> | undefined {
    const exp = t + KEY_NOTICE_LIFE_SECONDS;
    return { kind: "key", change, at: t, exp };
  }

  /** A question that was decided, superseded or found unexpected meanwhile calls for nobody. */
  async #ofRequest(
    { req, entry }: Extract<NoticeCause, { kind: "request" }>,
    { t }: LogRow,
  ): Promise<Omit<Notice, "id" | "owner"> | undefined> {
    const ask = await this.#world.store.ask(req);
    if (ask === undefined || !this.#isWaiting(ask)) return undefined;
    const agent = entry.slice(entry.lastIndexOf("/") + 1); // as it is registered
    return { kind: "request", request: ask.id, agent, at: t, exp: ask.deadline };
  }

  #isWaiting(ask: { state: string; expected: boolean; deadline: Seconds }): boolean {
    return ask.state === "asked" && ask.expected && this.#world.clock() < ask.deadline;
  }

  /** Whether the owner's budget takes one more question; else he hears of it in a digest. */
  async #takes(owner: string, entry: string, batch: Batch): Promise<boolean> {
    const before =
      batch.budgets.get(owner) ??
      this.#withheld.get(owner) ??
      (await this.#world.store.noticeBudget(owner))?.budget ??
      UNTOLD;
    const { isSent, budget } = decideNotice(before, entry, this.#world.clock());
    if (isSent || before.withheldAt === undefined) batch.budgets.set(owner, budget);
    if (!isSent) this.#options.watchWithheld?.();
    return isSent;
  }

  #idOf(what: string, owner: string): string {
    const digest = this.#world.c.sha256(
      concat(utf8("countersign-notice/1\0"), utf8(`${what} ${owner}`)),
    );
    return `ntc_${base64url(digest.slice(0, ID_BYTES))}`;
  }

  async #address(notice: Notice, { rows }: Batch): Promise<void> {
    for (const channel of this.#options.channels)
      for (const target of await channel.targets(notice.owner)) {
        const key = `${channel.name} ${target} ${notice.id}`;
        rows.push({ key, channel: channel.name, target, notice, n: this.#n });
        this.#n += 1;
      }
  }

  #setDigestTimer(): void {
    this.#cancelDigest();
    const now = this.#world.clock();
    let next = Infinity;
    for (const budget of this.#withheld.values())
      next = Math.min(next, digestDueAt(budget, now) ?? Infinity);
    if (next === Infinity) return;
    this.#cancelDigest = this.#options.timers.after(Math.max(0, next - now) * 1000, () => {
      this.#isDigestDue = true;
      this.#look(0);
    });
  }

  /** One digest for each owner whose time it is, if anything waits for him still. */
  async #digest(): Promise<void> {
    this.#isDigestDue = false;
    const now = this.#world.clock();
    const batch = newBatch();
    for (const [owner, budget] of this.#withheld) {
      if ((digestDueAt(budget, now) ?? Infinity) > now) continue;
      const asks = await this.#world.store.asks({ owner, state: "asked" });
      const waiting = asks.filter((ask) => this.#isWaiting(ask)).length;
      batch.budgets.set(owner, digestDone(budget, now, waiting > 0));
      if (waiting === 0) continue;
      const id = this.#idOf(`digest ${now}`, owner);
      const exp = now + NOTICE_WINDOW_SECONDS;
      await this.#address({ id, owner, kind: "digest", waiting, at: now, exp }, batch);
    }
    const cursor = this.#cursor;
    if (cursor !== undefined) await this.#write(batch, cursor);
    if (batch.budgets.size === 0) this.#setDigestTimer(); // the clock was behind the timer
  }
}
