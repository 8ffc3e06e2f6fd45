import type { Cancel, Timers } from "../clock.ts";
import { systemTimers } from "../clock.ts";

export interface EventStreamOptions {
  /** Default: the event loop's. */
  readonly timers?: Timers;
  /** A comment is sent when so long nothing was; default 15,000. */
  readonly heartbeatMs?: number;
  /** A reader with more unread than this when the next event comes is dropped; default 65,536. */
  readonly maxBacklogBytes?: number;
}

/** The sending side of server-sent events. */
export interface EventStream {
  /** The answer to give to the caller. */
  readonly response: Response;
  /**
   * False when nobody listens any more (gone, closed, or dropped just now for being too slow).
   * @param id what the reader gives as `Last-Event-ID` when it connects again; default none
   */
  send(event: string, data: string, id?: string): boolean;
  /** Ends the stream after what was sent. */
  close(): void;
  /** Octets sent that the reader's connection has not taken. */
  backlogBytes(): number;
}

const HEARTBEAT = new TextEncoder().encode(":\n\n");
const droppers = new WeakMap<Response, (destroy: () => void) => void>();

/** Tells a stream how to end its connection at once: the queue of a reader that does not read cannot be closed. */
export function onDrop(response: Response, destroy: () => void): void {
  droppers.get(response)?.(destroy);
}

function encode(event: string, data: string, id: string | undefined): Uint8Array {
  if (id !== undefined && !/^[A-Za-z0-9._-]+$/.test(id)) throw new TypeError("ids are one word");
  if (!/^[a-z][a-z0-9._-]*$/.test(event)) throw new TypeError("event names are lower-case words");
  const lines = data.split(/\r\n|\n|\r/).map((line) => `data: ${line}\n`);
  const named = id === undefined ? "" : `id: ${id}\n`;
  return new TextEncoder().encode(`event: ${event}\n${named}${lines.join("")}\n`);
}

/**
 * A stream of server-sent events (WHATWG HTML 9.2). One event may be larger than the backlog allowed; a second one is
 * not sent to a reader who has not taken the first: it is dropped and connects again.
 * @param signal the request's: the stream ends when its caller goes away
 */
export function eventStream(signal: AbortSignal, options: EventStreamOptions = {}): EventStream {
  const { timers = systemTimers, heartbeatMs = 15_000, maxBacklogBytes = 65_536 } = options;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let destroy: (() => void) | undefined;
  let cancelHeartbeat: Cancel = () => undefined;
  const backlogBytes = (): number =>
    controller === undefined ? 0 : maxBacklogBytes - (controller.desiredSize ?? maxBacklogBytes);
  const end = (): ReadableStreamDefaultController<Uint8Array> | undefined => {
    const open = controller;
    controller = undefined;
    cancelHeartbeat();
    signal.removeEventListener("abort", close);
    return open;
  };
  const close = (): void => end()?.close();
  const write = (octets: Uint8Array): boolean => {
    if (controller === undefined) return false;
    if (backlogBytes() > maxBacklogBytes) {
      const open = end();
      if (destroy === undefined) open?.error(new Error("the reader is too slow"));
      else destroy();
      return false;
    }
    controller.enqueue(octets);
    cancelHeartbeat();
    cancelHeartbeat = timers.after(heartbeatMs, () => write(HEARTBEAT));
    return true;
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (made) => {
        controller = made;
      },
      cancel: () => {
        end();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxBacklogBytes }),
  );
  const response = new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
  droppers.set(response, (given) => {
    destroy = given;
  });
  if (signal.aborted) close();
  else {
    signal.addEventListener("abort", close, { once: true });
    write(HEARTBEAT); // the reader learns at once that somebody is there
  }
  return {
    response,
    send: (event, data, id) => write(encode(event, data, id)),
    close,
    backlogBytes,
  };
}
