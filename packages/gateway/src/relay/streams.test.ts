import { fromUtf8, Refusal, utf8 } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { generateSigner, nodeCrypto, nodeRandom, silentLog } from "@countersign/node";
import type { Outgoing, Target } from "@countersign/node";
import { describe, expect, it } from "vitest";
import type { Caller } from "../http/caller.ts";
import type { GatewayWorld } from "../world.ts";
import { Queue } from "./queue.ts";
import { Streams } from "./streams.ts";

const CALLER: Caller = {
  id: "spiffe://example.org/proxy/host-1",
  key: generateSigner().key,
  certificate: utf8("a certificate"),
};
const LIMITS = { queuedPerProxy: 32, atOnce: 32, atOncePerProxy: 32, perSecond: 999, burst: 999 };
const never = { after: () => () => undefined };

/** A server whose streams the test feeds. */
class Server implements Target {
  readonly asked: Outgoing[] = [];
  readonly #feeds: ReadableStreamDefaultController<Uint8Array>[] = [];
  status = 200;
  type = "text/event-stream";

  send(request: Outgoing): ReturnType<Target["send"]> {
    this.asked.push(request);
    const chunks = new ReadableStream<Uint8Array>({ start: (feed) => void this.#feeds.push(feed) });
    return Promise.resolve({
      status: this.status,
      headers: { "content-type": this.type },
      chunks,
    });
  }

  feed(stream: number): ReadableStreamDefaultController<Uint8Array> {
    const feed = this.#feeds[stream];
    if (feed === undefined) throw new Error("no such stream");
    return feed;
  }

  close(): void {
    // nothing is kept open
  }
}

function setUp(): {
  server: Server;
  seen: Bytes[];
  open: (gone?: AbortController) => Promise<Response>;
} {
  const server = new Server();
  const seen: Bytes[] = [];
  const w: GatewayWorld = {
    c: nodeCrypto,
    random: nodeRandom,
    clock: () => 0,
    timers: never,
    log: silentLog,
    trustDomain: "example.org",
    proxies: new Set([CALLER.id]),
    queue: new Queue(LIMITS, never, () => 0),
    keyThumbprint: () => "",
    useServer: (act) => act({ calls: server, streams: server }),
  };
  const streams = new Streams();
  return {
    server,
    seen,
    open: (gone = new AbortController()) =>
      streams.open(
        w,
        CALLER,
        new Request("http://gateway/v1/state", { signal: gone.signal }),
        () => (chunk) => void seen.push(chunk),
      ),
  };
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
const readerOf = ({ body }: Response): Reader => {
  if (body === null) throw new Error("no body");
  return body.getReader();
};
const wordOf = async (run: () => Promise<unknown>): Promise<string> => {
  try {
    await run();
    return "passed";
  } catch (error) {
    return error instanceof Refusal ? error.code : "thrown";
  }
};

describe("a state stream that is passed on", () => {
  it("comes an octet for an octet, and is read along with", async () => {
    const { server, seen, open } = setUp();
    const reader = readerOf(await open());
    for (const text of ["event: sta", "te\ndata: {}\n\n", ":\n\n"]) {
      server.feed(0).enqueue(utf8(text));
      expect(fromUtf8((await reader.read()).value ?? utf8("?"))).toBe(text);
    }
    expect(seen.map((chunk) => fromUtf8(chunk)).join("")).toBe("event: state\ndata: {}\n\n:\n\n");
    server.feed(0).close();
    expect((await reader.read()).done).toBe(true);
  });

  it("nothing is read ahead of a proxy that does not read: the server notices", async () => {
    const { server, seen, open } = setUp();
    await open();
    for (let i = 0; i < 100; i += 1) server.feed(0).enqueue(new Uint8Array(1000));
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(seen.length).toBeLessThanOrEqual(1);
    expect(server.feed(0).desiredSize).toBeLessThan(-90);
  });

  it("ends with its proxy: the server's end is let go", async () => {
    const { server, open } = setUp();
    const gone = new AbortController();
    await open(gone);
    expect(server.asked[0]?.signal.aborted).toBe(false);
    gone.abort();
    expect(server.asked[0]?.signal.aborted).toBe(true);
    const reader = readerOf(await open());
    await reader.cancel();
    expect(server.asked[1]?.signal.aborted).toBe(true);
  });

  it("ends with the server", async () => {
    const { server, open } = setUp();
    const reader = readerOf(await open());
    server.feed(0).error(new Refusal("unreachable", "cut"));
    await expect(reader.read()).rejects.toThrow("unreachable");
  });

  it("more than eight of a proxy are refused until one has ended", async () => {
    const { server, open } = setUp();
    const first = new AbortController();
    await open(first);
    for (let i = 1; i < 8; i += 1) await open();
    expect(await wordOf(open)).toBe("rate_limited");
    first.abort();
    expect(await wordOf(open)).toBe("passed");
    expect(await wordOf(open)).toBe("rate_limited");
    expect(server.asked).toHaveLength(9);
  });

  it("a refusal of the server is passed on as it is, and counts for nothing", async () => {
    const { server, open } = setUp();
    server.status = 403;
    server.type = "application/problem+json";
    for (let i = 0; i < 20; i += 1) {
      const opening = open();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      server.feed(i).enqueue(utf8('{"reason":"halted"}'));
      server.feed(i).close();
      const answer = await opening;
      expect([answer.status, await answer.text()]).toEqual([403, '{"reason":"halted"}']);
    }
  });
});
