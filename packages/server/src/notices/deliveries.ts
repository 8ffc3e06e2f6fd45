import type { Random } from "@countersign/core";
import { jitteredDelayMs } from "@countersign/node";
import type { Cancel, Log, Timers } from "@countersign/node";
import type { NoticeChange, NoticeRow } from "../store/notice-store.ts";
import type { Store } from "../store/store.ts";
import type { NoticeChannel } from "./notice.ts";

/** What became of one attempt, or of a notice that was given up. */
export type NoticeOutcome = "delivered" | "gone" | "later" | "expired" | "dropped";

/** Told of every outcome; for metrics. */
export type WatchNotices = (channel: string, outcome: NoticeOutcome) => void;

export interface DeliveriesOptions {
  readonly clock: () => number;
  readonly random: Random;
  readonly store: Pick<Store, "commit">;
  readonly timers: Timers;
  readonly log: Log;
  readonly watch?: WatchNotices;
}

/** An attempt that takes longer counts as `later`. */
export const ATTEMPT_TIMEOUT_MS = 15_000;
/** Notices that wait for one target; of more, the oldest question makes room. */
export const MAX_WAITING_PER_TARGET = 64;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 900_000;
/** Attempts under way in one channel. */
const MAX_UNDER_WAY = 256;

interface Lane {
  readonly channel: NoticeChannel;
  readonly target: string;
  readonly rows: NoticeRow[];
  attempt: number;
  isRunning: boolean;
  cancel: Cancel;
}

/** Places of one channel, given in the order in which they were asked for. */
class Places {
  readonly #waiting: (() => void)[] = [];
  #free: number = MAX_UNDER_WAY;

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

const nothing = (): void => undefined;

/**
 * Brings notices to their targets: a lane for each, in which one attempt is under way at a time. A notice leaves the outbox
 * after it was taken, so that a crash repeats the one in flight and loses none.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #channels: ReadonlyMap<string, NoticeChannel>;
  readonly #places: ReadonlyMap<string, Places>;
  readonly #lanes: Map<string, Lane> = new Map();
  readonly #ended = new AbortController();

  constructor(channels: readonly NoticeChannel[], options: DeliveriesOptions) {
    this.#options = options;
    this.#channels = new Map(channels.map((channel) => [channel.name, channel]));
    this.#places = new Map(channels.map(({ name }) => [name, new Places()]));
  }

  /** How many notices wait, those in flight among them. */
  get waiting(): number {
    let count = 0;
    for (const { rows } of this.#lanes.values()) count += rows.length;
    return count;
  }

  /** Takes over what is durable in the outbox already. What is there already is not taken twice. */
  add(rows: readonly NoticeRow[]): void {
    for (const row of rows) {
      const channel = this.#channels.get(row.channel);
      if (channel === undefined) this.#leave(row, "dropped");
      else this.#put(channel, row);
    }
  }

  /** Ends what is under way, and waits for nothing: what was not delivered is in the outbox. */
  close(): void {
    this.#ended.abort();
    for (const lane of this.#lanes.values()) lane.cancel();
  }

  #put(channel: NoticeChannel, row: NoticeRow): void {
    const key = `${row.channel} ${row.target}`;
    const lane = this.#lanes.get(key) ?? this.#laneOf(key, channel, row.target);
    if (lane.rows.some((one) => one.key === row.key)) return;
    lane.rows.push(row);
    if (lane.rows.length > MAX_WAITING_PER_TARGET) this.#makeRoom(lane);
    if (!lane.isRunning) void this.#run(key, lane);
  }

  #laneOf(key: string, channel: NoticeChannel, target: string): Lane {
    const lane = { channel, target, rows: [], attempt: 0, isRunning: false, cancel: nothing };
    this.#lanes.set(key, lane);
    return lane;
  }

  /** The oldest question goes, then the oldest of all; never the first, which may be under way. */
  #makeRoom({ rows }: Lane): void {
    const question = rows.findIndex(({ notice }, index) => index > 0 && notice.kind !== "key");
    const [gone] = rows.splice(Math.max(1, question), 1);
    if (gone !== undefined) this.#leave(gone, "dropped");
  }

  /** Takes a notice out of the outbox. Where that fails it stays, and is brought once more after the next start. */
  #leave({ channel, key }: NoticeRow, outcome: NoticeOutcome): void {
    this.#options.watch?.(channel, outcome);
    this.#commit({ drop: "notice", key });
  }

  #commit(change: NoticeChange): void {
    const { store, log } = this.#options;
    store.commit({ changes: [], notices: [change] }).catch((error: unknown) => {
      if (!this.#ended.signal.aborted) log.error("notices.not_removed", { error });
    });
  }

  async #run(key: string, lane: Lane): Promise<void> {
    const { clock } = this.#options;
    lane.isRunning = true;
    for (let row = lane.rows[0]; row !== undefined; row = lane.rows[0]) {
      if (clock() >= row.notice.exp) {
        lane.rows.shift();
        this.#leave(row, "expired");
        continue;
      }
      const outcome = await this.#attempt(lane, row);
      if (this.#ended.signal.aborted) return;
      if (outcome === "later") await this.#wait(lane);
      else this.#done(lane, row, outcome);
      if (this.#ended.signal.aborted) return;
    }
    this.#lanes.delete(key); // in the same step that found nothing more
  }

  #done(lane: Lane, row: NoticeRow, outcome: "delivered" | "gone"): void {
    lane.attempt = 0;
    if (outcome === "delivered") {
      lane.rows.shift();
      this.#leave(row, "delivered");
      return;
    }
    const { channel, target } = lane;
    const { length } = lane.rows.splice(0);
    for (let n = 0; n < length; n += 1) this.#options.watch?.(channel.name, "gone");
    this.#commit({ drop: "notices", channel: channel.name, target });
  }

  /** Full jitter, as everywhere: a receiver that comes back is not met by all at once. */
  #wait(lane: Lane): Promise<void> {
    const { random, timers, watch } = this.#options;
    watch?.(lane.channel.name, "later");
    const delayMs = jitteredDelayMs(random, lane.attempt, FIRST_RETRY_MS, LONGEST_RETRY_MS);
    lane.attempt += 1;
    return new Promise((resolve) => {
      lane.cancel = timers.after(delayMs, resolve);
    });
  }

  async #attempt(lane: Lane, row: NoticeRow): Promise<"delivered" | "gone" | "later"> {
    const { channel, target } = lane;
    const places = this.#places.get(channel.name);
    await places?.take();
    const { timers, log } = this.#options;
    const over = new AbortController();
    const end = (): void => over.abort();
    if (this.#ended.signal.aborted) end();
    this.#ended.signal.addEventListener("abort", end, { once: true });
    const cancel = timers.after(ATTEMPT_TIMEOUT_MS, end);
    const late = new Promise<"later">((resolve) => {
      if (over.signal.aborted) resolve("later");
      over.signal.addEventListener("abort", () => resolve("later"), { once: true });
    });
    try {
      // a channel that does not heed its signal holds its lane no longer than that
      return await Promise.race([channel.deliver(row.notice, target, over.signal), late]);
    } catch (error) {
      log.warn("notices.failed", { channel: channel.name, error });
      return "later";
    } finally {
      cancel();
      this.#ended.signal.removeEventListener("abort", end);
      places?.give();
    }
  }
}
