import { parseJson, readProxyState, Refusal } from "@countersign/core";
import type { Bytes, Entry } from "@countersign/core";
import { createEventReader } from "@countersign/node";

const MAX_STATE_BYTES = 4_194_304;

interface SeenState {
  readonly issuer: string;
  readonly entries: ReadonlyMap<string, Entry>;
}

/** What the state streams that go by have said last, proxy by proxy. A proxy without a stream has said nothing. */
export class Seen {
  readonly #states: Map<string, SeenState> = new Map();

  issuerOf(proxy: string): string | undefined {
    return this.#states.get(proxy)?.issuer;
  }

  entry(proxy: string, id: string): Entry | undefined {
    return this.#states.get(proxy)?.entries.get(id);
  }

  /** Reads along with one stream. What cannot be read is no concern of the stream's: this stops listening to it. */
  watch(proxy: string): (chunk: Bytes) => void {
    let read: ReturnType<typeof createEventReader> | undefined = createEventReader(MAX_STATE_BYTES);
    return (chunk) => {
      try {
        for (const { event, data } of read?.(chunk) ?? [])
          if (event === "state") this.#take(proxy, data);
      } catch (error) {
        read = undefined;
        this.#states.delete(proxy);
        if (!(error instanceof Refusal)) throw error;
      }
    };
  }

  #take(proxy: string, data: string): void {
    const state = readProxyState(parseJson(data, { maxBytes: MAX_STATE_BYTES, maxDepth: 12 }));
    const entries = new Map(state.entries.map((entry) => [entry.id, entry]));
    this.#states.set(proxy, { issuer: state.issuer, entries });
  }
}
