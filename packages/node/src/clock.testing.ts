import type { Timers } from "./clock.ts";

interface Waiting {
  readonly at: number;
  readonly run: () => void;
}

/** Timers that stand still until they are told to move. */
export class ManualTimers implements Timers {
  /** The delays asked for, in order: what a back-off or heartbeat chose. */
  readonly delaysMs: number[] = [];
  readonly #waiting: Set<Waiting> = new Set();
  #nowMs = 0;

  after(delayMs: number, run: () => void): () => void {
    this.delaysMs.push(delayMs);
    const waiting = { at: this.#nowMs + delayMs, run };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Moves time on and runs what falls due, in order of time. */
  advance(byMs: number): void {
    const until = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#waiting]
        .filter(({ at }) => at <= until)
        .toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#waiting.delete(due);
      this.#nowMs = due.at;
      due.run();
    }
    this.#nowMs = until;
  }
}
