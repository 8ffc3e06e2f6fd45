/** What one gateway takes on. */
export interface Limits {
  /** Calls of one proxy that may wait; a further one is refused, never dropped. */
  readonly queuedPerProxy: number;
  /** Calls under way at the server. */
  readonly atOnce: number;
  /** Of them, calls of one proxy. */
  readonly atOncePerProxy: number;
  /** How many calls a second one proxy may make for long, and how many at a stretch. */
  readonly perSecond: number;
  readonly burst: number;
}

/** A call costs so much; a second gives `perSecond` times as much. Whole numbers: no rounding gives or takes a call. */
const CALL_COST = 1000;

interface Lane<T> {
  readonly waiting: T[];
  running: number;
  /** In thousandths of a call. */
  credit: number;
  /** When the credit was counted. */
  atMs: number;
}

/** What is to be done next: a call, or nothing before some time has passed. */
export type Next<T> =
  { readonly lane: string; readonly job: T } | { readonly waitMs: number } | undefined;

/**
 * Who is served next: a lane for each proxy, each with a bounded queue and a token bucket. Lanes take turns; a lane in
 * which nothing waited goes before those that keep one waiting, so that whoever asks little waits for nobody who asks
 * much, however many those are. Holds no clock; who asks says what time it is.
 */
export class Schedule<T> {
  readonly #limits: Limits;
  /** In the order of their turns. */
  readonly #lanes: Map<string, Lane<T>> = new Map();
  /** Lanes in which nothing waited when a call came, in that order, with how many more go before the others. */
  readonly #fresh: Map<string, number> = new Map();
  #running = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Puts a call at the end of its lane. @returns false when that is full */
  offer(name: string, job: T, nowMs: number): boolean {
    const { burst, queuedPerProxy } = this.#limits;
    const credit = burst * CALL_COST;
    const lane = this.#lanes.get(name) ?? { waiting: [], running: 0, credit, atMs: nowMs };
    this.#lanes.set(name, lane);
    if (lane.waiting.length >= queuedPerProxy) return false;
    if (lane.waiting.length === 0) this.#fresh.set(name, this.#limits.atOncePerProxy);
    lane.waiting.push(job);
    return true;
  }

  /** Takes a call back that nobody waits for any more. @returns whether it still waited */
  withdraw(name: string, job: T): boolean {
    const waiting = this.#lanes.get(name)?.waiting ?? [];
    const place = waiting.indexOf(job);
    if (place >= 0) waiting.splice(place, 1);
    return place >= 0;
  }

  /** The call whose turn it is; it counts as under way until `done`. */
  next(nowMs: number): Next<T> {
    if (this.#running >= this.#limits.atOnce) return undefined;
    let waitMs: number | undefined;
    for (const name of this.#turns()) {
      const lane = this.#lanes.get(name);
      if (lane === undefined || lane.waiting.length === 0) continue;
      if (lane.running >= this.#limits.atOncePerProxy) continue;
      this.#count(lane, nowMs);
      if (lane.credit >= CALL_COST) return this.#take(name, lane);
      const untilMs = Math.ceil((CALL_COST - lane.credit) / this.#limits.perSecond);
      waitMs = Math.min(waitMs ?? untilMs, untilMs);
    }
    return waitMs === undefined ? undefined : { waitMs };
  }

  *#turns(): Generator<string> {
    yield* this.#fresh.keys();
    yield* this.#lanes.keys();
  }

  #count(lane: Lane<T>, nowMs: number): void {
    const { perSecond, burst } = this.#limits;
    const gained = (nowMs - lane.atMs) * perSecond;
    lane.credit = Math.min(burst * CALL_COST, lane.credit + gained);
    lane.atMs = nowMs;
  }

  #take(name: string, lane: Lane<T>): Next<T> {
    const job = lane.waiting.shift();
    if (job === undefined) return undefined;
    lane.credit -= CALL_COST;
    lane.running += 1;
    this.#running += 1;
    const left = (this.#fresh.get(name) ?? 1) - 1;
    this.#fresh.delete(name);
    if (left > 0 && lane.waiting.length > 0) this.#fresh.set(name, left);
    this.#lanes.delete(name); // its next turn comes after everybody else's
    this.#lanes.set(name, lane);
    return { lane: name, job };
  }

  /** A call that `next` gave has ended. */
  done(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane !== undefined) lane.running -= 1;
    this.#running -= 1;
  }

  /** How many calls wait; for metrics. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.waiting.length, 0);
  }
}
