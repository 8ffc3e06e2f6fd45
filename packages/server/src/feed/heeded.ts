import { base64url } from "@countersign/core";
import type { Random, Seconds } from "@countersign/core";

const WORD_BYTES = 16;

/** The newest word that a proxy was asked to answer, and the stops in the state before it. */
interface Asked {
  readonly word: string;
  readonly stops: readonly string[];
}

/**
 * Which proxies have heeded which stops. A state that holds a stop is followed by a word on the same stream: a proxy
 * takes one event after the other, so whoever answers it has done what the state said (DESIGN 8). In memory only, and
 * bounded by the stops in force: after a restart every proxy is sent its state, and asked, anew.
 */
export class Heeded {
  readonly #random: Random;
  readonly #clock: () => Seconds;
  readonly #asked: Map<string, Asked> = new Map();
  readonly #heeded: Map<string, ReadonlyMap<string, Seconds>> = new Map();

  constructor(random: Random, clock: () => Seconds) {
    this.#random = random;
    this.#clock = clock;
  }

  /**
   * To be called when a state goes out.
   * @param stops ids of the stops in it
   * @returns the word to send after it; none where all of them were heeded before
   */
  ask(proxy: string, stops: readonly string[]): string | undefined {
    const before = this.#heeded.get(proxy);
    const kept = new Map<string, Seconds>();
    for (const stop of stops) {
      const at = before?.get(stop);
      if (at !== undefined) kept.set(stop, at);
    }
    if (kept.size === 0) this.#heeded.delete(proxy);
    else this.#heeded.set(proxy, kept);
    this.#asked.delete(proxy);
    if (kept.size === stops.length) return undefined;
    const word = base64url(this.#random(WORD_BYTES));
    this.#asked.set(proxy, { word, stops });
    return word;
  }

  /** A proxy says a word; one that it was not asked for, or not last, says nothing. */
  answer(proxy: string, word: string): void {
    const asked = this.#asked.get(proxy);
    if (asked?.word !== word) return;
    this.#asked.delete(proxy);
    const heeded = new Map(this.#heeded.get(proxy));
    const now = this.#clock();
    for (const stop of asked.stops) if (!heeded.has(stop)) heeded.set(stop, now);
    this.#heeded.set(proxy, heeded);
  }

  /** When a proxy said that it has heeded a stop; undefined: not yet, as far as is known. */
  at(proxy: string, stop: string): Seconds | undefined {
    return this.#heeded.get(proxy)?.get(stop);
  }
}
