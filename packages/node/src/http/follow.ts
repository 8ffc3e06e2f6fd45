import { Refusal } from "@countersign/core";
import type { Bytes, Random } from "@countersign/core";
import { pause, systemTimers } from "../clock.ts";
import type { Timers } from "../clock.ts";
import { refusalOf } from "./client.ts";
import { createEventReader } from "./event-reader.ts";
import type { ServerEvent } from "./event-reader.ts";

import type { Incoming, Target } from "./target.ts";

export interface FollowOptions {
  /** Called for one event after the other. A thrown Refusal ends this connection (`onDown`); another throw ends all. */
  readonly onEvent: (event: ServerEvent) => void | Promise<void>;
  /** The other side has answered. */
  readonly onUp?: () => void;
  /** Something came: an event, part of one, or a heartbeat. */
  readonly onHeard?: () => void;
  /** The connection is lost, or was refused; the next try follows by itself. */
  readonly onDown?: (why: Refusal) => void;
  /** Ends the following. */
  readonly signal: AbortSignal;
  readonly random: Random;
  readonly timers?: Timers;
  readonly headers?: Readonly<Record<string, string>>;
  /** With nothing heard for so long, not even a heartbeat, the connection counts as dead; default 45,000. */
  readonly heartbeatTimeoutMs?: number;
  /** The first wait is somewhere below this; it doubles with each failure. Default 500. */
  readonly firstDelayMs?: number;
  /** Default 30,000. */
  readonly maxDelayMs?: number;
  /** Most characters of one event; default 4,194,304. */
  readonly maxEventCharacters?: number;
}

/**
 * How long to wait before try number `attempt` (0 is the first): anything from 0 to a bound that doubles. Full jitter,
 * because handshakes are what a server that has just come back cannot take all at once.
 */
export function jitteredDelayMs(
  random: Random,
  attempt: number,
  firstDelayMs: number,
  maxDelayMs: number,
): number {
  const bound = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt, 30));
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return Math.floor(((((a * 256 + b) * 256 + c) * 256 + d) / 2 ** 32) * bound);
}

async function refusalFrom(incoming: Incoming): Promise<Refusal> {
  const parts: Bytes[] = [];
  let byteCount = 0;
  for await (const chunk of incoming.chunks) {
    parts.push(chunk);
    byteCount += chunk.length;
    if (byteCount > 16_384) break;
  }
  const body = new Uint8Array(Buffer.concat(parts));
  return refusalOf({ status: incoming.status, headers: incoming.headers, body });
}

/** One connection until it ends. @returns whether an event came, and why it ended */
async function followOnce(
  target: Target,
  path: string,
  options: FollowOptions,
): Promise<{ readonly heard: boolean; readonly why: Refusal }> {
  const timers = options.timers ?? systemTimers;
  const timeoutMs = options.heartbeatTimeoutMs ?? 45_000;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  options.signal.addEventListener("abort", end, { once: true });
  let disarm = timers.after(timeoutMs, end);
  let heard = false;
  try {
    const incoming = await target.send({
      method: "GET",
      path,
      headers: { accept: "text/event-stream", ...options.headers },
      signal: ended.signal,
    });
    if (!(incoming.headers["content-type"] ?? "").startsWith("text/event-stream"))
      return { heard, why: await refusalFrom(incoming) };
    options.onUp?.();
    const feed = createEventReader(options.maxEventCharacters ?? 4_194_304);
    for await (const chunk of incoming.chunks) {
      disarm();
      options.onHeard?.();
      for (const event of feed(chunk)) {
        await options.onEvent(event);
        heard = true; // and taken: whoever refuses what he hears waits longer each time
      }
      disarm = timers.after(timeoutMs, end);
    }
    return { heard, why: new Refusal("unreachable", "the stream ended") };
  } catch (error) {
    if (ended.signal.aborted) return { heard, why: new Refusal("unreachable", "no heartbeat") };
    if (error instanceof Refusal) return { heard, why: error };
    throw error;
  } finally {
    disarm();
    options.signal.removeEventListener("abort", end);
    ended.abort();
  }
}

/**
 * Follows a stream of server-sent events and connects again whenever it is lost, until the signal ends it. Whatever
 * was missed in between is not asked for: streams here begin with the whole state.
 * Rejects only with what `onEvent` threw, other than a Refusal.
 */
export async function followEvents(
  target: Target,
  path: string,
  options: FollowOptions,
): Promise<void> {
  const { signal, random, timers = systemTimers } = options;
  let attempt = 0;
  while (!signal.aborted) {
    const { heard, why } = await followOnce(target, path, options);
    if (signal.aborted) return;
    options.onDown?.(why);
    if (heard) attempt = 0;
    const { firstDelayMs = 500, maxDelayMs = 30_000 } = options;
    await pause(timers, jitteredDelayMs(random, attempt, firstDelayMs, maxDelayMs), signal);
    attempt += 1;
  }
}
