import { writeProxyState } from "@countersign/core";
import { eventStream } from "@countersign/node";
import type { EventStream } from "@countersign/node";
import { stateFor } from "../cases/state.ts";
import type { Release } from "../store/store.ts";
import type { World } from "../world.ts";

const MAX_STREAMS_PER_PROXY = 4;

/**
 * Pushes to each connected proxy its whole state whenever that may have changed. The last message wins, so a lost one
 * is repaired by the next or by connecting again.
 */
export class StateFeed {
  readonly #world: World;
  readonly #streams: Map<string, Set<EventStream>> = new Map();
  readonly #pending: Set<string> = new Set();
  readonly #unsubscribe: () => void;
  #isSending = false;

  constructor(world: World) {
    this.#world = world;
    this.#unsubscribe = world.store.subscribe((release) => this.#changed(release));
  }

  /** The stream of one proxy; its first message is the state as it is. */
  async open(proxy: string, signal: AbortSignal): Promise<Response> {
    const stream = eventStream(signal);
    const streams = this.#streams.get(proxy) ?? new Set<EventStream>();
    this.#streams.set(proxy, streams);
    if (streams.size >= MAX_STREAMS_PER_PROXY) {
      const [oldest] = streams;
      oldest?.close();
      if (oldest !== undefined) streams.delete(oldest);
    }
    streams.add(stream);
    signal.addEventListener("abort", () => streams.delete(stream), { once: true });
    stream.send("state", JSON.stringify(writeProxyState(await stateFor(this.#world, proxy))));
    return stream.response;
  }

  /** How many streams are open; for metrics. */
  get openStreams(): number {
    return [...this.#streams.values()].reduce((sum, streams) => sum + streams.size, 0);
  }

  close(): void {
    this.#unsubscribe();
    for (const streams of this.#streams.values()) for (const stream of streams) stream.close();
    this.#streams.clear();
  }

  #changed({ changed }: Release): void {
    for (const proxy of changed === "all" ? this.#streams.keys() : changed)
      if (this.#streams.has(proxy)) this.#pending.add(proxy);
    if (this.#isSending || this.#pending.size === 0) return;
    void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    for (let proxy = this.#next(); proxy !== undefined; proxy = this.#next()) {
      try {
        const data = JSON.stringify(writeProxyState(await stateFor(this.#world, proxy)));
        const streams = this.#streams.get(proxy) ?? new Set();
        for (const stream of streams) if (!stream.send("state", data)) streams.delete(stream);
      } catch (error) {
        this.#world.log.error("state.unsent", { proxy, error });
      }
    }
    this.#isSending = false; // in the same step that found nothing more to send
  }

  #next(): string | undefined {
    const [proxy] = this.#pending;
    if (proxy !== undefined) this.#pending.delete(proxy);
    return proxy;
  }
}
