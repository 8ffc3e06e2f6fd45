import type { KeyChange, NoticeCause, Seconds } from "@countersign/core";

/**
 * What a channel carries (owner.md 1.7): that something waits, never what. No content of a statement, no word of the agent,
 * no link: whoever reads it opens his inbox himself, and signs in there.
 */
export interface Notice {
  /** The same over retries and restarts, so that a receiver can tell a repetition; another one for each owner. */
  readonly id: string;
  readonly owner: string;
  readonly kind: NoticeCause["kind"] | "digest";
  /** Of a question: its id in the inbox. */
  readonly request?: string;
  /** Of a question: the agent's name as it is registered. */
  readonly agent?: string;
  /** Of a digest: how many announced questions wait in all. */
  readonly waiting?: number;
  /** Of a change of keys. */
  readonly change?: KeyChange;
  readonly at: Seconds;
  /** When it has lost its meaning: it is not delivered any more. */
  readonly exp: Seconds;
}

/**
 * A way to an owner. Each target of a channel (a subscription, an address) has a queue of its own: one that is slow or away
 * holds no other. What is not delivered is tried again, with growing waits, until the notice's `exp`.
 */
export interface NoticeChannel {
  /** One lower-case word, for metrics and the outbox. */
  readonly name: string;
  /** Ids of what this owner has on this channel now; none: nothing is kept for it. A read of the store at most. */
  targets(owner: string): Promise<readonly string[]>;
  /**
   * One attempt, which may be a repetition. `gone`: the target is no more, and what waits for it is dropped. A throw counts as
   * `later`, and so does what takes longer than `ATTEMPT_TIMEOUT_MS`: `signal` ends then, and when the server stops.
   */
  deliver(
    notice: Notice,
    target: string,
    signal: AbortSignal,
  ): Promise<"delivered" | "gone" | "later">;
}
