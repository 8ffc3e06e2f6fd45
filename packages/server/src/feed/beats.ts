import { base64url } from "@countersign/core";
import type { Random } from "@countersign/core";
import type { EventStream, Timers } from "@countersign/node";

/** How long an answer may take; the time from one round to the next. */
const ROUND_MS = 15_000;
/** Rounds that a stream must have answered: one that a proxy is just leaving may have answered the first. */
const ROUNDS = 2;
const BEAT_BYTES = 16;

/** The streams of one proxy while there are several. */
interface Watched {
  readonly streams: Set<EventStream>;
  /** The streams that were asked in this round and have not answered. */
  readonly asked: Map<string, EventStream>;
  /** How many rounds each stream has answered. */
  readonly answered: Map<EventStream, number>;
  cancel: () => void;
}

/**
 * Finds out whether several event streams of one proxy are all read by somebody. A connection that died looks open for
 * a long time, so each stream is asked to answer a word of its own: one proxy reads one stream, and two that both
 * keep answering are two proxies with one identity (DESIGN 3).
 */
export class Beats {
  readonly #random: Random;
  readonly #timers: Timers;
  readonly #onForked: (proxy: string) => void;
  readonly #watched: Map<string, Watched> = new Map();

  constructor(random: Random, timers: Timers, onForked: (proxy: string) => void) {
    this.#random = random;
    this.#timers = timers;
    this.#onForked = onForked;
  }

  /** To be called when a proxy has opened a stream. @param streams all of this proxy, kept true by the caller */
  watch(proxy: string, streams: Set<EventStream>): void {
    if (streams.size < 2 || this.#watched.has(proxy)) return;
    const watched = { streams, asked: new Map(), answered: new Map(), cancel: () => undefined };
    this.#watched.set(proxy, watched);
    this.#ask(proxy, watched);
  }

  /** A proxy says a word that one of its streams was asked for. Any other word says nothing. */
  answer(proxy: string, word: string): void {
    const watched = this.#watched.get(proxy);
    const stream = watched?.asked.get(word);
    if (watched === undefined || stream === undefined) return;
    watched.asked.delete(word);
    watched.answered.set(stream, (watched.answered.get(stream) ?? 0) + 1);
  }

  close(): void {
    for (const { cancel } of this.#watched.values()) cancel();
    this.#watched.clear();
  }

  #ask(proxy: string, watched: Watched): void {
    watched.asked.clear();
    for (const stream of watched.streams) {
      const word = base64url(this.#random(BEAT_BYTES));
      watched.asked.set(word, stream);
      stream.send("beat", word);
    }
    watched.cancel = this.#timers.after(ROUND_MS, () => this.#judge(proxy, watched));
  }

  #judge(proxy: string, watched: Watched): void {
    const { streams, asked, answered } = watched;
    for (const stream of asked.values()) {
      stream.close(); // nobody reads it, or somebody who does not say so: he connects again
      streams.delete(stream);
    }
    const alive = [...streams].filter((stream) => (answered.get(stream) ?? 0) >= ROUNDS);
    if (alive.length < 2 && streams.size >= 2) return this.#ask(proxy, watched);
    this.#watched.delete(proxy);
    if (alive.length >= 2) this.#onForked(proxy);
  }
}
