import { Refusal } from "@countersign/core";
import type { Cancel, Timers } from "@countersign/node";
import { Schedule } from "./schedule.ts";
import type { Limits } from "./schedule.ts";

/** Nobody waits longer for his turn; the proxies' own patience for a short call is 15 s. */
const MAX_WAIT_MS = 10_000;

interface Job {
  readonly start: () => void;
}

/** Calls on their way to the server, each when its turn has come. */
export class Queue {
  readonly #schedule: Schedule<Job>;
  readonly #timers: Timers;
  readonly #nowMs: () => number;
  #alarm: Cancel | undefined;

  /** @param nowMs milliseconds of a clock that never goes back */
  constructor(limits: Limits, timers: Timers, nowMs: () => number) {
    this.#schedule = new Schedule(limits);
    this.#timers = timers;
    this.#nowMs = nowMs;
  }

  /**
   * Carries a call out in its turn. One whose caller has gone away is never begun: it would reach the server after
   * what that caller did next.
   * @throws Refusal `rate_limited` when too many of this proxy wait, or its turn did not come; what `act` throws
   */
  async run<T>(proxy: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    await this.#turn(proxy, signal);
    try {
      return await act();
    } finally {
      this.#schedule.done(proxy);
      this.#pump();
    }
  }

  #turn(proxy: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        cancel();
        signal.removeEventListener("abort", leave);
        then();
      };
      const job: Job = { start: () => settle(resolve) };
      const give = (why: string, code: "rate_limited" | "unreachable"): void => {
        if (!this.#schedule.withdraw(proxy, job)) return;
        settle(() => reject(refused(why, code)));
      };
      const leave = (): void => give("the caller went away", "unreachable");
      const cancel = this.#timers.after(MAX_WAIT_MS, () => give("no turn in time", "rate_limited"));
      signal.addEventListener("abort", leave, { once: true });
      const isTaken = !signal.aborted && this.#schedule.offer(proxy, job, this.#nowMs());
      if (isTaken) this.#pump();
      else settle(() => reject(refused("the queue of this proxy is full", "rate_limited")));
    });
  }

  #pump(): void {
    this.#alarm?.();
    this.#alarm = undefined;
    for (;;) {
      const next = this.#schedule.next(this.#nowMs());
      if (next === undefined) return;
      if ("waitMs" in next) {
        this.#alarm = this.#timers.after(next.waitMs, () => this.#pump());
        return;
      }
      next.job.start();
    }
  }

  close(): void {
    this.#alarm?.();
  }
}

function refused(why: string, code: "rate_limited" | "unreachable"): Refusal {
  return new Refusal(
    code,
    why,
    "The gateway takes a bounded number of calls from each proxy: wait a second, then ask again.",
  );
}
