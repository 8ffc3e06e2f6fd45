import { describe, expect, it } from "vitest";
import { Schedule } from "./schedule.ts";
import type { Limits } from "./schedule.ts";

/** How long the calls keep coming. */
const SPAN_MS = 30_000;
const LIMITS: Limits = {
  queuedPerProxy: 32,
  atOnce: 8,
  atOncePerProxy: 4,
  perSecond: 50,
  burst: 50,
};

/** Numbers from 0 to 1 that are the same in every run (Numerical Recipes' generator). */
function seeded(seed: string): () => number {
  let state = [...seed].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Call {
  readonly by: string;
  readonly lane: string;
  readonly cameMs: number;
  readonly takesMs: number;
}

/** When calls come, in milliseconds: exponential gaps. The server takes 8 to 12 ms for each. */
function callsOf(by: string, perSecond: number, lane = by): readonly Call[] {
  const random = seeded(by);
  const calls: Call[] = [];
  for (let cameMs = 0; cameMs < SPAN_MS; cameMs += (-Math.log(1 - random()) * 1000) / perSecond)
    calls.push({ by, lane, cameMs, takesMs: 8 + 4 * random() });
  return calls;
}

/** Runs the calls through a schedule, event by event, in time that is only counted. @returns how long each caller's took */
function simulate(calls: readonly Call[], limits: Limits): ReadonlyMap<string, readonly number[]> {
  const schedule = new Schedule<Call>(limits);
  const coming = calls.toSorted((a, b) => a.cameMs - b.cameMs);
  const ending: { readonly atMs: number; readonly lane: string }[] = [];
  const took = new Map<string, number[]>();
  let nowMs = 0;
  let came = 0;
  for (;;) {
    const next = schedule.next(nowMs);
    if (next !== undefined && "job" in next) {
      const atMs = nowMs + next.job.takesMs;
      ending.push({ atMs, lane: next.lane });
      ending.sort((a, b) => a.atMs - b.atMs);
      const times = took.get(next.job.by) ?? [];
      took.set(next.job.by, times);
      times.push(atMs - next.job.cameMs);
      continue;
    }
    const [end] = ending;
    const come = coming[came];
    const alarmMs = next === undefined ? Infinity : nowMs + next.waitMs;
    nowMs = Math.min(end?.atMs ?? Infinity, come?.cameMs ?? Infinity, alarmMs);
    if (nowMs === Infinity) return took;
    if (end !== undefined && end.atMs === nowMs) schedule.done(ending.shift()?.lane ?? "");
    else if (come !== undefined && come.cameMs === nowMs) {
      came += 1;
      schedule.offer(come.lane, come, nowMs);
    }
  }
}

const p99 = (values: readonly number[] = []): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Infinity;
const QUIET = callsOf("quiet", 20);
const flood = (by: string, lane = by): readonly Call[] => callsOf(by, 400, lane);

describe("N-9: a flood of one proxy is its own", () => {
  const alone = p99(simulate(QUIET, LIMITS).get("quiet"));

  it.each([
    ["one that floods", ["a"]],
    ["three that flood, more than the server is asked at once", ["a", "b", "c"]],
    ["twenty that flood", Array.from({ length: 20 }, (_, i) => `f${i}`)],
  ])("another's p99 stays within 2x: %s", (_name, who) => {
    const calls = [...QUIET, ...who.flatMap((by) => flood(by))];
    const took = simulate(calls, LIMITS).get("quiet") ?? [];
    expect(took).toHaveLength(QUIET.length);
    expect(p99(took) / alone).toBeLessThanOrEqual(2);
  });

  it("the same flood in one queue for all is seen to do harm", () => {
    const calls = [...QUIET, ...["a", "b", "c"].flatMap((by) => flood(by))].map((call) => ({
      ...call,
      lane: "all",
    }));
    const limits = { ...LIMITS, queuedPerProxy: 1_000_000, atOncePerProxy: 8, perSecond: 10_000 };
    expect(p99(simulate(calls, limits).get("quiet")) / alone).toBeGreaterThan(10);
  });

  it("nobody has more than its share for long", () => {
    const count = simulate(flood("a"), LIMITS).get("a")?.length ?? 0;
    expect(count).toBeLessThanOrEqual(50 + 30 * 50 + 32);
    expect(count).toBeGreaterThan(1500);
  });
});

describe("a schedule", () => {
  it("takes turns between proxies", () => {
    const schedule = new Schedule<string>(LIMITS);
    for (const job of ["a1", "a2", "b1", "a3", "b2"]) schedule.offer(job.slice(0, 1), job, 0);
    const order = Array.from({ length: 5 }, () => {
      const next = schedule.next(0);
      return next !== undefined && "job" in next ? next.job : "";
    });
    expect(order).toEqual(["a1", "b1", "a2", "b2", "a3"]);
  });

  it.each<readonly [string, Partial<Limits>, number]>([
    ["as many as the server may be asked at once", { atOnce: 2 }, 2],
    ["as many as one proxy may have", { atOncePerProxy: 3 }, 3],
    ["as many as the bucket holds", { burst: 1 }, 1],
  ])("gives %s", (_name, change, count) => {
    const schedule = new Schedule<number>({ ...LIMITS, ...change });
    for (let job = 0; job < 8; job += 1) schedule.offer("a", job, 0);
    let given = 0;
    for (let next = schedule.next(0); next !== undefined && "job" in next; next = schedule.next(0))
      given += 1;
    expect(given).toBe(count);
    expect(schedule.waiting).toBe(8 - count);
  });

  it("says how long an empty bucket takes to fill", () => {
    const schedule = new Schedule<number>({ ...LIMITS, burst: 1, perSecond: 4 });
    schedule.offer("a", 1, 0);
    schedule.offer("a", 2, 0);
    expect(schedule.next(0)).toEqual({ lane: "a", job: 1 });
    expect(schedule.next(0)).toEqual({ waitMs: 250 });
    expect(schedule.next(249)).toEqual({ waitMs: 1 });
    expect(schedule.next(250)).toEqual({ lane: "a", job: 2 });
  });

  it("refuses what does not fit, and takes back what nobody waits for", () => {
    const schedule = new Schedule<string>({ ...LIMITS, queuedPerProxy: 2 });
    expect(["1", "2", "3"].map((job) => schedule.offer("a", job, 0))).toEqual([true, true, false]);
    expect(schedule.offer("b", "1", 0)).toBe(true);
    expect(schedule.withdraw("a", "1")).toBe(true);
    expect(schedule.withdraw("a", "1")).toBe(false);
    expect(schedule.offer("a", "3", 0)).toBe(true);
    expect(schedule.next(0)).toEqual({ lane: "a", job: "2" });
  });
});
