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
  /** Characters of the lines of the event that has not ended. */
  #length = 0;

  push(piece: string): readonly LiveEvent[] {
    this.#held += piece;
    const lines = this.#held.split(/\r\n|\r|\n/);
    this.#held = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#line(line));
    if (this.#length + this.#held.length > MAX_EVENT_CHARACTERS)
      throw new RangeError("an event without end");
    return events;
  }

  #line(line: string): readonly LiveEvent[] {
    if (line === "") return this.#end();
    this.#length += line.length + 1;
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
    this.#length = 0;
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

/** How an owner's events are followed. */
export interface Live {
  stop(): void;
  /** Comes back now, if it waits to do so. */
  retry(): void;
  /** When it comes back by itself, in milliseconds since the epoch; undefined while it does not wait. */
  retryAtMs(): number | undefined;
}

/** Waits, but not longer than until the browser says that it is online again, or somebody presses. */
class Pause {
  endsAtMs: number | undefined;
  #wake: () => void = () => undefined;

  wake(): void {
    this.#wake();
  }

  wait(ms: number): Promise<void> {
    this.endsAtMs = Date.now() + ms;
    return new Promise((resolve) => {
      const over = new AbortController();
      this.#wake = () => {
        this.endsAtMs = undefined;
        over.abort();
        window.clearTimeout(timer);
        resolve();
      };
      const timer = window.setTimeout(this.#wake, ms);
      window.addEventListener("online", this.#wake, { signal: over.signal });
    });
  }
}

interface Told {
  readonly event: (event: LiveEvent) => void;
  readonly liveness: (liveness: Liveness) => void;
}

/** One stream until it ends. @param heardId told the id of each event */
async function followOnce(
  api: Api,
  on: Told,
  at: { readonly lastId: string | undefined; readonly stopped: AbortSignal },
  heardId: (id: string) => void,
): Promise<void> {
  const attempt = new AbortController();
  let silence = 0;
  const heard = (): void => {
    window.clearTimeout(silence);
    silence = window.setTimeout(() => attempt.abort(), SILENCE_MS);
  };
  const signal = AbortSignal.any([at.stopped, attempt.signal]);
  // a stream may seem to stand while nothing comes through it
  window.addEventListener("offline", () => attempt.abort(), { signal });
  try {
    heard();
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (at.lastId !== undefined) headers["last-event-id"] = at.lastId;
    const response = await api.open("/v1/owner/events", headers, signal);
    on.liveness("live");
    const take = (event: LiveEvent): void => {
      if (event.id !== undefined) heardId(event.id);
      on.event(event);
    };
    await follow(response, take, heard);
  } finally {
    window.clearTimeout(silence);
    attempt.abort();
  }
}

/** Follows the owner's events and comes back by itself, with the last event's id, after growing waits with jitter. */
export function goLive(api: Api, told: Told): Live {
  const stopped = new AbortController();
  const pause = new Pause();
  let lastId: string | undefined;
  let failures = 0;
  const on: Told = {
    event: told.event,
    liveness: (liveness) => {
      if (liveness === "live") failures = 0;
      told.liveness(liveness);
    },
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        await followOnce(api, on, { lastId, stopped: stopped.signal }, (id) => (lastId = id));
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          on.liveness("signed-out");
          return;
        }
      }
      if (stopped.signal.aborted) return;
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
      failures = Math.min(failures + 1, 10);
      // full jitter: a server that comes back is not met by everybody at once
      const waited = pause.wait(Math.random() * longest);
      on.liveness("lost");
      await waited;
    }
  };
  void run();
  return {
    stop: () => stopped.abort(),
    retry: () => pause.wake(),
    retryAtMs: () => pause.endsAtMs,
  };
}
