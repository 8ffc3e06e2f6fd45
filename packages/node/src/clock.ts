import type { Seconds } from "@countersign/core";

/** The time, as an argument everywhere. */
export type Clock = () => Seconds;

/** Ends a wait that has not fired yet; harmless afterwards. */
export type Cancel = () => void;

/** Waiting, as an argument: tests hand in timers that they move by hand. */
export interface Timers {
  /** Calls `run` once after `delayMs` milliseconds, unless cancelled. A waiting timer keeps the process alive. */
  after(delayMs: number, run: () => void): Cancel;
}

/** Seconds since the epoch by this host's clock, rounded down. */
export function systemClock(): Seconds {
  return Math.floor(Date.now() / 1000);
}

/** Timers of the event loop. */
export const systemTimers: Timers = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when the signal is or becomes aborted. Never rejects. */
export function pause(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = timers.after(delayMs, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}
