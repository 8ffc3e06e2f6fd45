import { parseJson, readProxyState, Refusal } from "@countersign/core";
import type { ProxyState, Random, Seconds, Seen } from "@countersign/core";
import { followEvents } from "@countersign/node";
import type { Log, Target, Timers } from "@countersign/node";
import { PinnedPages } from "./pages.ts";
import type { Uplink } from "./server.ts";
import type { ProxyWorld, ServerView } from "../world.ts";

const MAX_STATE_BYTES = 4_194_304;

/** Origin of the log: a checkpoint's first line. */
const logOf = (checkpoint: string): string => checkpoint.split("\n", 1)[0] ?? "";

/** A fault of ours ends this connection and not the following: the next state may find it mended. */
async function heed(
  state: ProxyState,
  { log, onState }: { readonly log: Log; readonly onState: (state: ProxyState) => Promise<void> },
): Promise<void> {
  try {
    await onState(state);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    log.error("state.failed", { error });
    throw new Refusal("internal", "the state could not be heeded");
  }
}

/** What the proxy knows of the server, kept true by its state stream: the last message wins. */
export class ServerState {
  #state: ProxyState | undefined;
  #seen: Seen | undefined;
  #isConnected = false;
  #heardAt: Seconds;
  readonly #pages: PinnedPages;
  readonly #clock: () => Seconds;

  /** @param pages default: pinned as long as this process runs */
  constructor(clock: () => Seconds, pages: PinnedPages = new PinnedPages()) {
    this.#clock = clock;
    this.#pages = pages;
    this.#heardAt = clock();
  }

  view(): ServerView {
    return {
      state: this.#state,
      isConnected: this.#isConnected,
      heardAt: this.#heardAt,
      seen: this.#seen,
      pages: this.#pages.pages,
    };
  }

  /** Follows the stream until the signal ends it; reconnects by itself. */
  follow(
    target: Target,
    options: {
      readonly signal: AbortSignal;
      readonly random: Random;
      readonly log: Log;
      readonly timers?: Timers;
      readonly onState: (state: ProxyState) => Promise<void>;
      /** Judges the server's clock, once its word was heeded: a stop holds whatever the time. */
      readonly adoptTime?: ProxyWorld["adoptTime"];
      /** Says to the server that this stream is read. */
      readonly answerBeat?: Uplink["beat"];
    },
  ): Promise<void> {
    const { log, signal, random, timers } = options;
    return followEvents(target, "/v1/state", {
      signal,
      random,
      ...(timers === undefined ? {} : { timers }),
      onUp: () => this.#up(log),
      onHeard: () => (this.#heardAt = this.#clock()),
      onDown: (why) => this.#down(log, why.message),
      onEvent: async ({ event, data }) => {
        // nothing waits for it: an answer that is lost is asked for again
        if (event === "beat") void options.answerBeat?.(data).catch(() => undefined);
        if (event !== "state") return;
        const state = readProxyState(parseJson(data, { maxBytes: MAX_STATE_BYTES, maxDepth: 12 }));
        this.#take(state);
        await this.#pages.judge(state.trustBundle, this.#clock(), log);
        await heed(state, options);
        options.adoptTime?.(state.now);
        this.#heardAt = this.#clock(); // the state may have set it
      },
    });
  }

  #up(log: Log): void {
    this.#isConnected = true;
    log.info("server.connected");
  }

  #down(log: Log, why: string): void {
    this.#isConnected = false;
    log.warn("server.lost", { why });
  }

  #take(state: ProxyState): void {
    this.#state = state;
    // only what is newer: a server that went back must meet what was seen before, unless it began another log
    if (
      this.#seen === undefined ||
      state.seq > this.#seen.seq ||
      (state.checkpoint !== "" && logOf(state.checkpoint) !== logOf(this.#seen.checkpoint))
    )
      this.#seen = { seq: state.seq, checkpoint: state.checkpoint };
  }
}
