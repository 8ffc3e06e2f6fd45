import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { ManualTimers } from "../clock.testing.ts";
import { codeOf } from "../refusal.testing.ts";
import { createEventReader } from "./event-reader.ts";
import type { ServerEvent } from "./event-reader.ts";
import { eventStream } from "./events.ts";
import type { EventStream } from "./events.ts";
import { followEvents, jitteredDelayMs } from "./follow.ts";
import type { FollowOptions } from "./follow.ts";
import { problemResponse } from "./problem.ts";
import { serve } from "./serve.ts";
import { handlerTarget, openTarget } from "./target.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Lets every promise that can settle do so; nothing here waits for a clock. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("createEventReader", () => {
  const rows: [string, string, readonly ServerEvent[]][] = [
    ["an event", "event: a\ndata: 1\n\n", [{ event: "a", data: "1" }]],
    ["no name", "data: 1\n\n", [{ event: "message", data: "1" }]],
    ["lines", "data: 1\ndata:2\ndata\n\n", [{ event: "message", data: "1\n2\n" }]],
    ["CRLF", "event: a\r\ndata: 1\r\n\r\n", [{ event: "a", data: "1" }]],
    [
      "comments and unknown fields",
      ": x\nid: 7\nretry: 1\ndata: 1\n\n",
      [{ event: "message", data: "1" }],
    ],
    ["a name without data", "event: a\n\ndata: 1\n\n", [{ event: "message", data: "1" }]],
    ["an unfinished one", "data: 1\n\ndata: 2\n", [{ event: "message", data: "1" }]],
  ];
  it.each(rows)("reads %s, split anywhere", (_name, text, wanted) => {
    const octets = encode(text);
    expect(createEventReader(100)(octets)).toEqual(wanted);
    const feed = createEventReader(100);
    expect([...octets].flatMap((octet) => feed(Uint8Array.of(octet)))).toEqual(wanted);
  });

  it.each([
    ["a line as long as the bound", `data: ${"x".repeat(13)}\n`, "ok"],
    ["a longer line", `data: ${"x".repeat(14)}\n`, "too_large"],
    ["a line without an end", "x".repeat(21), "too_large"],
    ["many lines of one event", "data: 1\n".repeat(3), "too_large"],
    ["comments without an end", ":\n".repeat(11), "too_large"],
    ["a NUL, which is a character like others", "\u0000", "ok"],
  ])("bounds %s", async (_name, text, code) => {
    expect(await codeOf(() => createEventReader(20)(encode(text)))).toBe(code);
  });

  it("refuses what is not UTF-8", async () => {
    expect(await codeOf(() => createEventReader(20)(Uint8Array.of(255)))).toBe("malformed_request");
  });

  it("returns or refuses, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        const feed = createEventReader(64);
        try {
          for (const chunk of chunks) feed(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
      { seed: 1 },
    );
  });

  it("reads what a stream sends", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 }),
        async (texts) => {
          const stream = eventStream(new AbortController().signal, { timers: new ManualTimers() });
          for (const text of texts) stream.send("e", text);
          stream.close();
          const octets = new Uint8Array(await stream.response.arrayBuffer());
          const wanted = texts.map((text) => ({
            event: "e",
            data: text.replace(/\r\n|\r/g, "\n"),
          }));
          expect(createEventReader(10_000)(octets)).toEqual(wanted);
        },
      ),
      { seed: 2, numRuns: 50 },
    );
  });
});

describe("eventStream", () => {
  it("sends a heartbeat when nothing else was sent for so long, and none after its end", async () => {
    const timers = new ManualTimers();
    const stream = eventStream(new AbortController().signal, { timers, heartbeatMs: 100 });
    timers.advance(99);
    stream.send("a", "1");
    timers.advance(99);
    timers.advance(1);
    stream.close();
    expect(timers.waiting).toBe(0);
    expect(stream.send("a", "2")).toBe(false);
    expect(await stream.response.text()).toBe(":\n\nevent: a\ndata: 1\n\n:\n\n");
  });

  it("drops a reader who leaves more than the bound unread, not for one large event", async () => {
    const stream = eventStream(new AbortController().signal, {
      timers: new ManualTimers(),
      maxBacklogBytes: 1_000,
    });
    expect(stream.send("a", "x".repeat(5_000))).toBe(true);
    expect(stream.backlogBytes()).toBeGreaterThan(5_000);
    expect(stream.send("a", "y")).toBe(false);
    await expect(stream.response.text()).rejects.toThrow("slow");
  });

  it("ends with its request, and with its reader", async () => {
    const timers = new ManualTimers();
    const request = new AbortController();
    const first = eventStream(request.signal, { timers });
    const second = eventStream(new AbortController().signal, { timers });
    request.abort();
    await second.response.body?.cancel();
    expect([first.send("a", ""), second.send("a", ""), timers.waiting]).toEqual([false, false, 0]);
    expect(eventStream(AbortSignal.abort(), { timers }).send("a", "")).toBe(false);
  });

  it("takes no name that could start another line", () => {
    const stream = eventStream(new AbortController().signal, { timers: new ManualTimers() });
    expect(() => stream.send("a\ndata", "")).toThrow(TypeError);
  });

  it("cuts the connection of a reader who stops reading", async () => {
    let stream: EventStream | undefined;
    let isCut = (): boolean => false;
    const listener = await serve({
      on: { host: "127.0.0.1", port: 0 },
      app: async (request) => (stream = eventStream(request.signal)).response,
      contextOf: (socket) => {
        isCut = () => socket.destroyed;
      },
    });
    const reader = connect(listener.port, "127.0.0.1");
    reader.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await new Promise((resolve) => reader.once("data", resolve));
    reader.pause();
    const closed = new Promise((resolve) => reader.once("close", resolve));
    reader.on("error", () => undefined);
    const large = "x".repeat(4_000_000);
    for (let i = 0; i < 20 && stream?.send("a", large) === true; i += 1) await settle();
    expect(stream?.send("a", "")).toBe(false);
    expect(isCut()).toBe(true); // at once: waiting for the queue would be waiting for the reader
    reader.resume();
    await closed;
    await listener.close(0);
  });
});

describe("followEvents", () => {
  interface Story {
    readonly seen: string[];
    readonly timers: ManualTimers;
    readonly streams: EventStream[];
    readonly end: () => void;
    readonly done: Promise<void>;
  }
  /** Follows a handler in memory; answers come from `answers`, then streams. */
  function follow(change: Partial<FollowOptions> = {}, answers: (() => Response)[] = []): Story {
    const seen: string[] = [];
    const timers = new ManualTimers();
    const streams: EventStream[] = [];
    const ended = new AbortController();
    const target = handlerTarget(async (request) => {
      const answer = answers.shift();
      if (answer !== undefined) return answer();
      const stream = eventStream(request.signal, { timers, heartbeatMs: 1_000_000 });
      streams.push(stream);
      return stream.response;
    });
    const done = followEvents(target, "/events", {
      onEvent: ({ event, data }) => void seen.push(`${event} ${data}`),
      onUp: () => seen.push("up"),
      onDown: (why) => seen.push(`down ${why.code}`),
      signal: ended.signal,
      random: (count) => new Uint8Array(count).fill(128),
      timers,
      ...change,
    });
    return { seen, timers, streams, end: () => ended.abort(), done };
  }

  it("connects again after the stream has ended", async () => {
    const { seen, timers, streams, end, done } = follow();
    await settle();
    streams[0]?.send("a", "1");
    streams[0]?.close();
    await settle();
    timers.advance(251); // half of the first delay: the random octets say so
    await settle();
    streams[1]?.send("a", "2");
    await settle();
    end();
    await done;
    expect(seen).toEqual(["up", "a 1", "down unreachable", "up", "a 2"]);
  });

  it("connects again when not even a heartbeat comes", async () => {
    const { seen, timers, streams, end, done } = follow({ heartbeatTimeoutMs: 5_000 });
    await settle();
    timers.advance(4_999);
    streams[0]?.send("a", "1");
    await settle();
    timers.advance(4_999);
    await settle();
    expect(seen).toEqual(["up", "a 1"]);
    timers.advance(1);
    await settle();
    expect(seen).toEqual(["up", "a 1", "down unreachable"]);
    expect(streams[0]?.send("a", "2")).toBe(false);
    end();
    await done;
    expect(timers.waiting).toBe(0);
  });

  it("says why it was refused, and waits longer each time, up to the bound", async () => {
    const refuse = (): Response => problemResponse(new Refusal("proxy_forked"));
    const answers = Array.from({ length: 9 }, () => refuse);
    const { seen, timers, end, done } = follow({ heartbeatTimeoutMs: 77 }, answers);
    for (let i = 0; i < 9; i += 1) {
      await settle();
      timers.advance(20_000);
    }
    await settle();
    end();
    await done;
    expect(seen.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => "down proxy_forked"));
    const waits = timers.delaysMs.filter((delay) => delay !== 77 && delay !== 1_000_000);
    expect(waits.slice(0, 8)).toEqual([250, 501, 1003, 2007, 4015, 8031, 15_058, 15_058]);
  });

  it("waits longer each time, too, when what it hears is refused by its listener", async () => {
    const onEvent = (): never => {
      throw new Refusal("clock_skewed");
    };
    const { timers, streams, end, done } = follow({ onEvent, heartbeatTimeoutMs: 77_777 });
    for (let i = 0; i < 4; i += 1) {
      await settle();
      streams[i]?.send("a", "1");
      await settle();
      timers.advance(20_000);
    }
    end();
    await done;
    const waits = timers.delaysMs.filter((delay) => delay !== 77_777 && delay !== 1_000_000);
    expect(waits).toEqual([250, 501, 1003, 2007]);
  });

  const bug = new TypeError("the bug");
  it.each([
    ["a Refusal ends the connection only", new Refusal("hold"), "ok", "down hold"],
    ["another throw ends all", bug, "bug: TypeError: the bug", "up"],
  ])("thrown by the listener, %s", async (_name, error, code, last) => {
    const onEvent = (): never => {
      throw error;
    };
    const { seen, streams, end, done } = follow({ onEvent });
    const result = codeOf(() => done);
    await settle();
    streams[0]?.send("a", "1");
    await settle();
    end();
    expect(await result).toBe(code);
    expect(seen.at(-1)).toBe(last);
  });

  it("bounds an event", async () => {
    const { seen, streams, end, done } = follow({ maxEventCharacters: 50 });
    await settle();
    streams[0]?.send("a", "x".repeat(51));
    await settle();
    end();
    await done;
    expect(seen).toEqual(["up", "down too_large"]);
  });

  it("follows over a socket, through a restart of the server", async () => {
    const seen: string[] = [];
    const ended = new AbortController();
    const timers = new ManualTimers();
    const start = (port: number): ReturnType<typeof serve> =>
      serve({
        on: { host: "127.0.0.1", port },
        app: async (request) => {
          const stream = eventStream(request.signal, { timers: new ManualTimers() });
          stream.send("a", "1");
          return stream.response;
        },
        contextOf: () => undefined,
      });
    let listener = await start(0);
    const target = openTarget({ url: `http://127.0.0.1:${listener.port}` });
    let wake: (what: string) => void = () => undefined;
    const next = (): Promise<string> => new Promise((resolve) => (wake = resolve));
    const say = (what: string): void => {
      seen.push(what);
      wake(what);
    };
    const first = next();
    const done = followEvents(target, "/", {
      onEvent: ({ event }) => say(event),
      onDown: (why) => say(`down ${why.code}`),
      signal: ended.signal,
      random: (count) => new Uint8Array(count),
      timers,
    });
    await first;
    const second = next();
    await listener.close(0);
    await second;
    listener = await start(listener.port);
    const third = next();
    await settle();
    timers.advance(0);
    await third;
    ended.abort();
    await done;
    target.close();
    await listener.close(0);
    expect(seen).toEqual(["a", "down unreachable", "a"]);
  });
});

describe("jitteredDelayMs", () => {
  it("lies anywhere below a bound that doubles and stops", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat(2_000),
        (octets, attempt) => {
          const delay = jitteredDelayMs(() => octets, attempt, 500, 30_000);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThan(Math.min(30_000, 500 * 2 ** attempt));
        },
      ),
      { seed: 3 },
    );
  });
});
