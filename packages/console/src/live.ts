import type { Api } from "./api.ts";
import { Problem } from "./api.ts";

/** Whether changes arrive: `live`, on the way back, or not to be had. */
export type Liveness = "live" | "lost" | "signed-out";

export interface LiveEvent {
  readonly id?: string;
  readonly event: string;
  readonly data: string;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** The server speaks every 15 s at least. */
const SILENCE_MS = 40_000;
const MAX_EVENT_CHARACTERS = 65_536;

/** Takes text as it comes and tells whole events (HTML, server-sent events). */
export class EventParser {
  #held = "";
  #id: string | undefined;
  #event = "message";
  #data: string[] = [];

  push(piece: string): readonly LiveEvent[] {
    this.#held += piece;
    if (this.#held.length > MAX_EVENT_CHARACTERS) throw new RangeError("an event without end");
    const lines = this.#held.split(/\r\n|\r|\n/);
    this.#held = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): readonly LiveEvent[] {
    if (line === "") return this.#end();
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") this.#data.push(value);
    if (name === "event") this.#event = value;
    if (name === "id") this.#id = value;
    return [];
  }

  #end(): readonly LiveEvent[] {
    const data = this.#data;
    const event = this.#event;
    this.#data = [];
    this.#event = "message";
    if (data.length === 0) return [];
    return [{ event, data: data.join("\n"), ...(this.#id === undefined ? {} : { id: this.#id }) }];
  }
}

async function follow(
  response: Response,
  onEvent: (event: LiveEvent) => void,
  heard: () => void,
): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    for (const event of parser.push(decoder.decode(value, { stream: true }))) onEvent(event);
  }
}

/** Waits, but not longer than until the browser says that it is online again. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const wake = (): void => {
      over.abort();
      window.clearTimeout(timer);
      resolve();
    };
    const timer = window.setTimeout(wake, ms);
    window.addEventListener("online", wake, { signal: over.signal });
  });
}

/**
 * Follows the owner's events and comes back by itself, with the last event's id, after growing waits with jitter.
 * @returns how to stop
 */
export function goLive(
  api: Api,
  on: {
    readonly event: (event: LiveEvent) => void;
    readonly liveness: (liveness: Liveness) => void;
  },
): () => void {
  const stopped = new AbortController();
  let lastId: string | undefined;
  let failures = 0;
  const once = async (): Promise<void> => {
    const attempt = new AbortController();
    let silence = 0;
    const heard = (): void => {
      window.clearTimeout(silence);
      silence = window.setTimeout(() => attempt.abort(), SILENCE_MS);
    };
    const signal = AbortSignal.any([stopped.signal, attempt.signal]);
    // a stream may seem to stand while nothing comes through it
    window.addEventListener("offline", () => attempt.abort(), { signal });
    try {
      heard();
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (lastId !== undefined) headers["last-event-id"] = lastId;
      const response = await api.open("/v1/owner/events", headers, signal);
      failures = 0;
      on.liveness("live");
      await follow(
        response,
        (event) => {
          lastId = event.id ?? lastId;
          on.event(event);
        },
        heard,
      );
    } finally {
      window.clearTimeout(silence);
      attempt.abort();
    }
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        await once();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          on.liveness("signed-out");
          return;
        }
      }
      if (stopped.signal.aborted) return;
      on.liveness("lost");
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
      failures = Math.min(failures + 1, 10);
      // full jitter: a server that comes back is not met by everybody at once
      await pause(Math.random() * longest);
    }
  };
  void run();
  return () => stopped.abort();
}
