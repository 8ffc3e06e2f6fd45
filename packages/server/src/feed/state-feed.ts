import { Refusal, writeProxyState } from "@countersign/core";
import type { ProxyState } from "@countersign/core";
import { eventStream, systemTimers } from "@countersign/node";
import type { EventStream, Timers } from "@countersign/node";
import { markForked } from "../cases/forked.ts";
import { checkSpeaksFor } from "../cases/gateways.ts";
import { stateFor } from "../cases/state.ts";
import type { Release } from "../store/store.ts";
import type { World } from "../world.ts";
import { Beats } from "./beats.ts";
import { Heeded } from "./heeded.ts";

const MAX_STREAMS_PER_PROXY = 4;

/**
 * Pushes to each connected proxy its whole state whenever that may have changed. The last message wins, so a lost one
 * is repaired by the next or by connecting again.
 */
export class StateFeed {
  readonly #world: World;
  readonly #streams: Map<string, Set<EventStream>> = new Map();
  /** By which gateway a stream goes, for those that go by one. */
  readonly #gateways: WeakMap<EventStream, string> = new WeakMap();
  readonly #pending: Set<string> = new Set();
  readonly #beats: Beats;
  /** Which proxies have heeded which stops. */
  readonly heeded: Heeded;
  readonly #unsubscribe: () => void;
  #isSending = false;

  constructor(world: World, timers: Timers = systemTimers) {
    this.#world = world;
    this.heeded = new Heeded(world.random, world.clock);
    this.#beats = new Beats(world.random, timers, (proxy) => void this.#forked(proxy));
    this.#unsubscribe = world.store.subscribe((release) => this.#changed(release));
  }

  /**
   * The stream of one proxy; its first message is the state as it is.
   * @param gateway that it goes by: it ends when that may not speak for the proxy any more
   */
  async open(proxy: string, signal: AbortSignal, gateway?: string): Promise<Response> {
    const stream = eventStream(signal);
    if (gateway !== undefined) this.#gateways.set(stream, gateway);
    const streams = this.#streams.get(proxy) ?? new Set<EventStream>();
    this.#streams.set(proxy, streams);
    if (streams.size >= MAX_STREAMS_PER_PROXY) {
      const [oldest] = streams;
      oldest?.close();
      if (oldest !== undefined) streams.delete(oldest);
    }
    streams.add(stream);
    signal.addEventListener("abort", () => streams.delete(stream), { once: true });
    try {
      const state = await stateFor(this.#world, proxy);
      stream.send("state", JSON.stringify(writeProxyState(state)));
      this.#askHeeded(proxy, state, stream);
    } catch (error) {
      stream.close();
      streams.delete(stream);
      throw error;
    }
    this.#beats.watch(proxy, streams);
    return stream.response;
  }

  /** A proxy answers a beat of one of its streams. */
  answerBeat(proxy: string, word: string): void {
    this.#beats.answer(proxy, word);
    this.heeded.answer(proxy, word);
  }

  /** How many streams are open; for metrics. */
  get openStreams(): number {
    return [...this.#streams.values()].reduce((sum, streams) => sum + streams.size, 0);
  }

  close(): void {
    this.#unsubscribe();
    this.#beats.close();
    for (const proxy of [...this.#streams.keys()]) this.#drop(proxy);
  }

  #drop(proxy: string): void {
    for (const stream of this.#streams.get(proxy) ?? []) stream.close();
    this.#streams.delete(proxy);
  }

  async #forked(id: string): Promise<void> {
    try {
      const proxy = await this.#world.store.proxy(id);
      if (proxy !== undefined && proxy.forkedAt === undefined)
        await markForked(this.#world, proxy, proxy.liveSerial);
    } catch (error) {
      this.#world.log.error("proxy.fork_unwritten", { proxy: id, error });
    }
    this.#drop(id); // they connect again, and hear it; or are asked anew
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
        const state = await stateFor(this.#world, proxy);
        const data = JSON.stringify(writeProxyState(state));
        const streams = this.#streams.get(proxy) ?? new Set();
        for (const stream of streams)
          if (!(await this.#mayHear(proxy, stream)) || !stream.send("state", data))
            streams.delete(stream);
        this.#askHeeded(proxy, state, [...streams].at(-1));
      } catch (error) {
        this.#world.log.error("state.unsent", { proxy, error });
        this.#drop(proxy); // it connects again, and begins with the state that it must not miss
      }
    }
    this.#isSending = false; // in the same step that found nothing more to send
  }

  /** After a state with a stop that the proxy has not heeded yet: asks on the newest of its streams. */
  #askHeeded(proxy: string, { stops }: ProxyState, stream: EventStream | undefined): void {
    if (stream === undefined) return;
    const word = this.heeded.ask(
      proxy,
      stops.map(({ id }) => id),
    );
    if (word !== undefined) stream.send("beat", word);
  }

  /** Ends a stream by a gateway that was stopped, or that lost this proxy: it is not told even that. */
  async #mayHear(proxy: string, stream: EventStream): Promise<boolean> {
    const gateway = this.#gateways.get(stream);
    if (gateway === undefined) return true;
    try {
      await checkSpeaksFor(this.#world, gateway, proxy);
      return true;
    } catch (error) {
      stream.close();
      if (error instanceof Refusal && error.code !== "indeterminate") return false;
      throw error;
    }
  }

  #next(): string | undefined {
    const [proxy] = this.#pending;
    if (proxy !== undefined) this.#pending.delete(proxy);
    return proxy;
  }
}
