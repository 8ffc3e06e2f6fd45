import { Refusal } from "@countersign/core";
import type { Timers } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { Queue } from "./queue.ts";
import type { Limits } from "./schedule.ts";

const LIMITS: Limits = {
  queuedPerProxy: 2,
  atOnce: 2,
  atOncePerProxy: 1,
  perSecond: 10,
  burst: 10,
};

/** Time that the test moves. */
class Hand implements Timers {
  nowMs = 0;
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): () => void {
    const one = { atMs: this.nowMs + delayMs, run };
    this.#due.push(one);
    return () => {
      const place = this.#due.indexOf(one);
      if (place >= 0) this.#due.splice(place, 1);
    };
  }

  advance(ms: number): void {
    this.nowMs += ms;
    for (const one of this.#due.filter(({ atMs }) => atMs <= this.nowMs)) {
      this.#due.splice(this.#due.indexOf(one), 1);
      one.run();
    }
  }

  get waiting(): number {
    return this.#due.length;
  }
}

/** A call that the test ends. */
class Call {
  state = "waiting";
  readonly #gone = new AbortController();
  #end: () => void = () => undefined;
  readonly settled: Promise<unknown>;

  constructor(queue: Queue, proxy: string) {
    this.settled = queue
      .run(proxy, this.#gone.signal, () => {
        this.state = "under way";
        return new Promise<void>((resolve) => (this.#end = resolve));
      })
      .then(
        () => (this.state = "done"),
        (error: unknown) => (this.state = error instanceof Refusal ? error.code : "thrown"),
      );
  }

  async end(): Promise<void> {
    this.#end();
    await this.settled;
  }

  goAway(): void {
    this.#gone.abort();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}

function made(change: Partial<Limits> = {}): { hand: Hand; call: (proxy: string) => Call } {
  const hand = new Hand();
  const queue = new Queue({ ...LIMITS, ...change }, hand, () => hand.nowMs);
  return { hand, call: (proxy) => new Call(queue, proxy) };
}
const states = (calls: readonly Call[]): readonly string[] => calls.map(({ state }) => state);

describe("calls in their turn", () => {
  it("what does not fit into the queue of its proxy is refused at once, with what to do; others are not", async () => {
    const { call } = made();
    const calls = ["a", "a", "a", "a", "b"].map(call);
    await settle();
    expect(states(calls)).toEqual(["under way", "waiting", "waiting", "rate_limited", "under way"]);
    for (const one of [calls[0], calls[1], calls[2], calls[4]]) await one?.end();
    expect(states(calls)).toEqual(["done", "done", "done", "rate_limited", "done"]);
  });

  it("a call whose proxy went away is never begun", async () => {
    const { call } = made();
    const [first, second, third] = ["a", "a", "a"].map(call);
    await settle();
    second?.goAway();
    await settle();
    await first?.end();
    await settle();
    expect([second?.state, third?.state]).toEqual(["unreachable", "under way"]);
  });

  it("nobody waits longer than 10 s", async () => {
    const { hand, call } = made();
    const [first, second] = ["a", "a"].map(call);
    await settle();
    hand.advance(10_000);
    await settle();
    expect([first?.state, second?.state]).toEqual(["under way", "rate_limited"]);
    await first?.end();
    expect(hand.waiting).toBe(0); // nothing is left behind
  });

  it("an empty bucket is waited for", async () => {
    const { hand, call } = made({ burst: 1, atOncePerProxy: 2 });
    const [first, second] = ["a", "a"].map(call);
    await settle();
    expect([first?.state, second?.state]).toEqual(["under way", "waiting"]);
    hand.advance(99);
    await settle();
    expect(second?.state).toBe("waiting");
    hand.advance(1);
    await settle();
    expect(second?.state).toBe("under way");
  });

  it("a call that fails makes room like any other", async () => {
    const hand = new Hand();
    const queue = new Queue({ ...LIMITS, atOnce: 1 }, hand, () => hand.nowMs);
    const { signal } = new AbortController();
    const failed = queue.run("a", signal, () => Promise.reject(new Refusal("unreachable")));
    const next = new Call(queue, "b");
    await expect(failed).rejects.toThrow("unreachable");
    await settle();
    expect(next.state).toBe("under way");
  });

  it("one that went away before it came is not taken", async () => {
    const hand = new Hand();
    const queue = new Queue(LIMITS, hand, () => hand.nowMs);
    await expect(
      queue.run("a", AbortSignal.abort(), () => Promise.resolve(1)),
    ).rejects.toBeInstanceOf(Refusal);
    expect(hand.waiting).toBe(0);
  });
});
