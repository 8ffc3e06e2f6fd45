import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { Incoming } from "@countersign/node";
import type { Caller } from "../http/caller.ts";
import type { GatewayWorld } from "../world.ts";
import { readAnswer, responseOf, sendOn } from "./forward.ts";

/** The server ends the oldest of more than four, so as many as this are open only for a moment. */
const MAX_STREAMS_PER_PROXY = 8;
/** For the turn in the queue and the beginning of the answer. */
const OPEN_TIMEOUT_MS = 30_000;

/**
 * State streams, each passed on as it comes: one stream at the server for one of a proxy, so that the server counts
 * readers as it always does. Nothing is read ahead of the proxy: a slow one is dropped by the server.
 */
export class Streams {
  readonly #open: Map<string, number> = new Map();

  /** @param watchOf called for each stream: what it gives sees what goes by */
  async open(
    w: GatewayWorld,
    caller: Caller,
    request: Request,
    watchOf: () => ((chunk: Bytes) => void) | undefined,
  ): Promise<Response> {
    const count = this.#open.get(caller.id) ?? 0;
    if (count >= MAX_STREAMS_PER_PROXY)
      throw new Refusal("rate_limited", "too many streams of this proxy");
    this.#open.set(caller.id, count + 1);
    const ended = new AbortController();
    let isOpen = true;
    const end = (): void => {
      if (!isOpen) return;
      isOpen = false;
      ended.abort();
      request.signal.removeEventListener("abort", end);
      this.#open.set(caller.id, (this.#open.get(caller.id) ?? 1) - 1);
    };
    request.signal.addEventListener("abort", end, { once: true });
    const cancel = w.timers.after(OPEN_TIMEOUT_MS, end);
    try {
      const incoming = await w.queue.run(caller.id, request.signal, () =>
        w.useServer(({ streams }) => sendOn(streams, caller, request, undefined, ended.signal)),
      );
      if (isEventStream(incoming)) return streamOf(incoming, watchOf(), end);
      const answer = responseOf(await readAnswer(incoming));
      end();
      return answer;
    } catch (error) {
      end();
      throw error;
    } finally {
      cancel();
    }
  }
}

function isEventStream(incoming: Incoming): boolean {
  const type = incoming.headers["content-type"] ?? "";
  return incoming.status === 200 && type.startsWith("text/event-stream");
}

function streamOf(
  incoming: Incoming,
  watch: ((chunk: Bytes) => void) | undefined,
  end: () => void,
): Response {
  const chunks = incoming.chunks[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await chunks.next();
          if (next.done === true) {
            end();
            controller.close();
            return;
          }
          watch?.(next.value);
          controller.enqueue(next.value);
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      cancel: () => end(),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}
