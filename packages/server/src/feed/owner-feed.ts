import { Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { eventStream, systemTimers } from "@countersign/node";
import type { EventStream, Timers } from "@countersign/node";
import { concerns, recordOf } from "../cases/owner-record.ts";
import type { OwnerSession } from "../cases/owner-sessions.ts";
import { askView, partiesView } from "../http/ask-view.ts";
import type { Notice, NoticeChannel } from "../notices/notice.ts";
import type { AskRow, LogRow } from "../store/rows.ts";
import type { World } from "../world.ts";

/** Decisions that an owner hears of, as the log has them. */
const TYPES: readonly string[] = [
  "approval.asked",
  "approval.signed",
  "approval.approved",
  "approval.denied",
  "approval.mismatched",
  "approval.expired",
  "approval.unblocked",
  "approval.announced",
  "approval.starters_changed",
  "key.added",
  "key.removed",
  "key.suspended",
  "key.resumed",
  "key.known",
  "key.recovery_announced",
  "key.recovery_cancelled",
  "key.recovered",
  "owner.stop_codes_made",
  "admin.stop_codes_made",
  "halt.set",
  "halt.lifted",
  "entry.added",
  "entry.changed",
  "entry.removed",
];
const MAX_STREAMS_PER_OWNER = 5;
const MAX_STREAMS = 1000;
/** Log rows that are looked through for a reader who was away, as often as he comes; who missed more gets the whole inbox. */
const MAX_MISSED_ROWS = 2000;
/** As many as one read of the store gives. */
const ROWS_AT_A_TIME = 1000;

/** Whose stream it is. */
export interface StreamOf {
  readonly owner: string;
  /** The session that reads it: the stream ends with it, and when its key is removed or suspended. */
  readonly session?: Pick<OwnerSession, "jkt" | "until" | "ended">;
  /** Told once, when the stream is over. */
  readonly closed?: () => void;
}

/** One stream and the log row that it has come to. */
interface Reader extends StreamOf {
  readonly stream: EventStream;
  at: number;
  /** Stops waiting for the end of its session. */
  forget: () => void;
}

/** Whether a row takes away the key whose session reads. */
const endsStream = ({ type }: LogRow, { key }: JsonObject, { session }: Reader): boolean =>
  (type === "key.removed" || type === "key.suspended") && key === session?.jkt;

/**
 * Streams to owners what happens to their requests and keys: a cursor on the log. A stream begins with everything that
 * is open (`inbox`), or, where `Last-Event-ID` names a row that is not long past, with what came after it. An event
 * may come twice over two connections, never not at all.
 */
export class OwnerFeed implements NoticeChannel {
  readonly name = "stream";
  readonly #world: World;
  readonly #timers: Timers;
  readonly #readers: Set<Reader> = new Set();
  readonly #unsubscribe: () => void;
  #size = 0;
  #isSending = false;

  constructor(world: World, timers: Timers = systemTimers) {
    this.#world = world;
    this.#timers = timers;
    this.#unsubscribe = world.store.subscribe(({ size }) => this.#changed(size));
  }

  /**
   * The stream of one owner; the oldest of his is closed when he has too many.
   * @param lastEventId as the reader gives it
   * @throws Refusal `rate_limited` when all owners together have too many; `session_needed`
   */
  async open(
    whose: StreamOf,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const { owner, session } = whose;
    const size = await this.#world.store.logSize();
    const missed = this.#missedFrom(lastEventId, size);
    const inbox = missed === undefined ? await this.#inbox(owner) : undefined;
    // after `size` was read: a removal before it shows here, a later one is a row that this reader comes to
    if (session !== undefined) await this.#checkSession(session);
    const own = [...this.#readers].filter((reader) => reader.owner === owner);
    const [oldest] = own;
    if (oldest !== undefined && own.length >= MAX_STREAMS_PER_OWNER) this.#drop(oldest);
    if (this.#readers.size >= MAX_STREAMS) throw new Refusal("rate_limited", "too many streams");
    const stream = eventStream(signal, { timers: this.#timers });
    if (inbox !== undefined) stream.send("inbox", inbox, this.#idOf(size - 1));
    const reader: Reader = { ...whose, stream, at: missed ?? size, forget: () => undefined };
    this.#readers.add(reader);
    if (session !== undefined) reader.forget = this.#whenOver(session, () => this.#drop(reader));
    signal.addEventListener("abort", () => this.#lose(reader), { once: true });
    this.#changed(size);
    return stream.response;
  }

  /** As a channel of notices: what nobody reads now is not kept, since his inbox is the first thing that he sees. */
  targets(owner: string): Promise<readonly string[]> {
    const isRead = [...this.#readers].some((reader) => reader.owner === owner);
    return Promise.resolve(isRead ? [owner] : []);
  }

  /** Sends `notice` to everybody who reads the owner's stream; it has no id, and is not said again. */
  deliver({ owner, ...notice }: Notice): Promise<"delivered" | "gone"> {
    const data = JSON.stringify(notice);
    let outcome: "delivered" | "gone" = "gone";
    for (const reader of this.#readers) {
      if (reader.owner !== owner) continue;
      if (reader.stream.send("notice", data)) outcome = "delivered";
      else this.#readers.delete(reader);
    }
    return Promise.resolve(outcome);
  }

  close(): void {
    this.#unsubscribe();
    for (const reader of this.#readers) this.#drop(reader);
  }

  #drop(reader: Reader): void {
    reader.stream.close();
    this.#lose(reader);
  }

  #lose(reader: Reader): void {
    if (!this.#readers.delete(reader)) return;
    reader.forget();
    reader.closed?.();
  }

  /** @throws Refusal `session_needed` */
  async #checkSession({ jkt, ended }: NonNullable<StreamOf["session"]>): Promise<void> {
    const key = await this.#world.store.ownerKey(jkt);
    if (key === undefined || key.removedAt !== undefined || key.suspendedAt !== undefined)
      throw new Refusal("session_needed", "the key that signed in was removed or suspended");
    if (ended.aborted) throw new Refusal("session_needed");
  }

  /** Calls `end` once the session is over. @returns how to stop waiting */
  #whenOver({ until, ended }: NonNullable<StreamOf["session"]>, end: () => void): () => void {
    const cancel = this.#timers.after(Math.max(0, until - this.#world.clock()) * 1000, end);
    ended.addEventListener("abort", end, { once: true });
    return () => {
      cancel();
      ended.removeEventListener("abort", end);
    };
  }

  #idOf(seq: number): string {
    return `${this.#world.store.logName().number}-${Math.max(0, seq)}`;
  }

  /** The first row that a reader has not heard of, if that is known and not long past. */
  #missedFrom(lastEventId: string | undefined, size: number): number | undefined {
    const [, log, seq] = /^([1-9][0-9]{0,8})-(0|[1-9][0-9]{0,14})$/.exec(lastEventId ?? "") ?? [];
    const from = Number(seq) + 1;
    const isKnown =
      Number(log) === this.#world.store.logName().number &&
      from <= size &&
      size - from <= MAX_MISSED_ROWS;
    return isKnown ? from : undefined;
  }

  async #inbox(owner: string): Promise<string> {
    const rows = await this.#world.store.asks({ owner, state: "asked" });
    const requests = await Promise.all(rows.map((row) => this.#viewOf(row)));
    return JSON.stringify({ now: this.#world.clock(), requests });
  }

  async #viewOf(row: AskRow): Promise<JsonObject> {
    return { ...askView(row), ...(await partiesView(this.#world, row)) };
  }

  #changed(size: number): void {
    this.#size = Math.max(this.#size, size);
    if (!this.#isSending && this.#behind() !== undefined) void this.#send();
  }

  /** The row from which the reader that is furthest behind has to go on. */
  #behind(): number | undefined {
    let least: number | undefined;
    for (const { at } of this.#readers)
      if (at < this.#size && (least === undefined || at < least)) least = at;
    return least;
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      for (let from = this.#behind(); from !== undefined; from = this.#behind()) {
        await this.#sendFrom(from, this.#size);
        // reads of the store do not give the loop away by themselves
        if (this.#behind() !== undefined) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.#world.log.error("owner_events.unsent", { error });
      for (const reader of this.#readers) this.#drop(reader); // they connect again, and begin with everything
    }
    this.#isSending = false; // in the same step that found nobody behind
  }

  /** Reads rows once for every reader that is there now and has come so far. */
  async #sendFrom(from: number, to: number): Promise<void> {
    const readers = [...this.#readers]; // who comes meanwhile has a place of his own in the log
    const rows = await this.#world.store.logRowsOf(TYPES, from, to);
    const last = rows.at(-1);
    const next = last === undefined || rows.length < ROWS_AT_A_TIME ? to : last.seq + 1;
    for (const row of rows) {
      const record = recordOf(row);
      const concerned = readers.filter((one) => one.at <= row.seq && concerns(record, one.owner));
      if (concerned.length === 0) continue;
      const data = await this.#dataOf(row, record);
      for (const reader of concerned)
        if (!reader.stream.send(row.type, data, this.#idOf(row.seq))) this.#lose(reader);
      for (const reader of concerned) if (endsStream(row, record, reader)) this.#drop(reader);
    }
    for (const reader of readers) if (reader.at < next) reader.at = next;
  }

  /** Of a question its row as it is by now, else the record, which holds neither token nor key. */
  async #dataOf({ t }: LogRow, { v: _version, ...record }: JsonObject): Promise<string> {
    const { req } = record;
    const ask = typeof req === "string" ? await this.#world.store.ask(req) : undefined;
    return JSON.stringify(
      ask === undefined ? { t, ...record } : { t, request: await this.#viewOf(ask) },
    );
  }
}
