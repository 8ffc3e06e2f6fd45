import { setTimeout as pause } from "node:timers/promises";
import { TextDecoder } from "node:util";
import { Refusal } from "@countersign/core";
import type { Door } from "./door.ts";

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

const MAX_EVENT_CHARACTERS = 65_536;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

/**
 * Reads server-sent events (WHATWG HTML 9.2) from octets as they come, split anywhere. Comments, `id` and `retry` are
 * passed over.
 * @throws Refusal `too_large` for an event that does not end
 */
export async function* readEvents(octets: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of octets) {
    rest += decoder.decode(chunk, { stream: true }).replaceAll("\r", ""); // lines may end in CR LF
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > MAX_EVENT_CHARACTERS) throw new Refusal("too_large", "event of the proxy");
    for (const block of blocks) {
      const found = eventIn(block);
      if (found !== undefined) yield found;
    }
  }
}

function eventIn(block: string): ServerEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join("\n") };
}

export interface FollowOptions {
  /** Before the first new try; it doubles with each failure, up to 30 s. Default 500. */
  readonly firstDelayMs?: number;
  /** Called whenever the stream is open again: events may have been missed. */
  readonly onOpen?: () => Promise<void> | undefined;
}

async function followOnce(
  door: Door,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
  onOpen: FollowOptions["onOpen"],
): Promise<boolean> {
  let heard = false;
  try {
    const octets = await door.open("/v1/events", signal);
    await onOpen?.();
    for await (const event of readEvents(octets)) {
      heard = true;
      onEvent(event);
    }
  } catch {
    // lost or refused: the next try follows, and calls of the agent say what is wrong
  }
  return heard;
}

/**
 * Follows the proxy's events until the signal ends it, connecting again whenever the stream is lost. Never rejects,
 * and never keeps the process alive.
 */
export async function followEvents(
  door: Door,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
  { firstDelayMs = FIRST_DELAY_MS, onOpen }: FollowOptions = {},
): Promise<void> {
  let delayMs = firstDelayMs;
  while (!signal.aborted) {
    const heard = await followOnce(door, onEvent, signal, onOpen);
    delayMs = heard ? firstDelayMs : Math.min(delayMs * 2, MAX_DELAY_MS);
    await pause(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
