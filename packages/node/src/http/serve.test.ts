import { chmod, lstat, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { codeOf } from "../refusal.testing.ts";
import { call } from "./client.ts";
import { eventStream } from "./events.ts";
import { readJsonBody } from "./problem.ts";
import { headerLines, rawHeadersOf } from "./raw-headers.ts";
import { serve } from "./serve.ts";
import type { Handler, Listener, ListenOn, ServeOptions } from "./serve.ts";
import { openTarget } from "./target.ts";
import type { Target } from "./target.ts";

interface Peer {
  readonly id: number;
}
const loopback: ListenOn = { host: "127.0.0.1", port: 0 };
let folder = "";
let accepted = 0;
const opened: (Listener | Target)[] = [];

const app: Handler<Peer> = async (request, peer) => {
  switch (new URL(request.url).pathname) {
    case "/json":
      return Response.json(await readJsonBody(request, 4_096));
    case "/peer":
      return Response.json(peer);
    case "/headers":
      return Response.json({
        joined: request.headers.get("authorization"),
        lines: headerLines(request, "Authorization"),
        count: rawHeadersOf(request).length,
      });
    case "/refused":
      throw new Refusal("halted");
    case "/bug":
      throw new TypeError("the bug");
    case "/never":
      return new Promise(() => undefined);
    case "/events": {
      const stream = eventStream(request.signal);
      stream.send("hello", "1");
      return stream.response;
    }
    default:
      throw new Refusal("not_found");
  }
};

async function start(change: Partial<ServeOptions<Peer>> = {}): Promise<Listener> {
  const listener = await serve<Peer>({
    on: loopback,
    app,
    contextOf: () => {
      accepted += 1;
      return { id: accepted };
    },
    ...change,
  });
  opened.push(listener);
  return listener;
}

function targetOf(listener: Listener): Target {
  const target = openTarget({ url: `http://127.0.0.1:${listener.port}` });
  opened.push(target);
  return target;
}

/** Sends these octets and returns all that comes back until the other side closes. */
function raw(to: NetConnectOpts, ...parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(to);
    let got = "";
    socket.on("data", (chunk) => (got += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
    for (const part of parts) socket.write(part);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cs-"));
});
afterEach(async () => {
  for (const item of opened.splice(0).toReversed()) await item.close(0);
});
afterAll(() => rm(folder, { recursive: true }));

describe("an application behind a listener", () => {
  it.each([
    ["its answer", { method: "POST", path: "/json", json: { a: 1 } }, 200, '{"a":1}'],
    ["a refusal", { method: "GET", path: "/refused" }, 403, '"reason":"halted"'],
    ["a bug", { method: "GET", path: "/bug" }, 500, '"reason":"internal"'],
    [
      "another content type",
      { method: "POST", path: "/json", body: new Uint8Array([123, 125]) },
      415,
      '"reason":"unsupported_media_type"',
    ],
    [
      "a body over the handler's bound",
      { method: "POST", path: "/json", json: { a: "x".repeat(5_000) } },
      413,
      '"reason":"too_large"',
    ],
    [
      "a body over the listener's bound",
      { method: "POST", path: "/json", json: { a: "x".repeat(70_000) } },
      413,
      '"reason":"too_large"',
    ],
    [
      "a body far over the bound: the caller can still read why",
      { method: "POST", path: "/json", json: { a: "x".repeat(700_000) } },
      413,
      '"reason":"too_large"',
    ],
  ] as const)("%s", async (_name, options, status, words) => {
    const answer = await call(targetOf(await start()), options);
    expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([
      status,
      expect.stringContaining(words),
    ]);
  });

  it("lets a caller who reads only after writing have its answer", async () => {
    const { port } = await start();
    const head = "POST /json HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n";
    const got = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      let answer = "";
      socket.pause();
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(answer));
      socket.write(head);
      const send = (left: number): void => {
        if (left === 0) socket.resume();
        else socket.write("x".repeat(30_000), () => setImmediate(send, left - 1));
      };
      send(30);
      socket.on("data", (chunk) => (answer += chunk.toString()));
      socket.pause(); // listening for data has started the flow
    });
    expect(got).toContain("too_large");
  });

  it("counts a body without a length while reading it", async () => {
    const { port } = await start({ maxBodyBytes: 10 });
    const answer = await raw(
      { port, host: "127.0.0.1" },
      "POST /json HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
      `8\r\n{"a":123\r\n`,
      "8\r\n4567890}\r\n0\r\n\r\n",
    );
    expect(answer).toContain("HTTP/1.1 413");
    expect(answer).toContain("too_large");
  });

  it.each([
    ["headers that never end", "GET /peer HTTP/1.1\r\nhost: a\r\n", 408],
    ["no host", "GET /peer HTTP/1.1\r\n\r\n", 400],
    ["two hosts", "GET /peer HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400],
    ["a tunnel", "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n", 405],
    ["an expectation of nobody", "GET /peer HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n", 400],
    ["a body that never ends", "POST /json HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{", 408],
    ["too many octets of headers", `GET /peer HTTP/1.1\r\nx: ${"y".repeat(5_000)}\r\n\r\n`, 431],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      400,
    ],
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a host that is none", "GET /peer HTTP/1.1\r\nhost: a/b\r\nconnection: close\r\n\r\n", 400],
  ])("ends the connection on %s", async (_name, octets, status) => {
    const { port } = await start({
      headersTimeoutMs: 60,
      requestTimeoutMs: 60,
      maxHeaderBytes: 4_096,
    });
    const answer = await raw({ port, host: "127.0.0.1" }, octets);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer.toLowerCase()).toContain("content-type: application/problem+json");
    expect(answer).toMatch(new RegExp(`"status":${status},"reason":"[a-z_]+","next":"`));
  });

  it("asks for a body that was announced, unless it is too large", async () => {
    const { port } = await start();
    const announced = (length: number): string =>
      `POST /json HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
    const to = { port, host: "127.0.0.1" };
    expect(await raw(to, announced(2), "{}")).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 /);
    expect(await raw(to, announced(70_000))).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("puts no answer of its own into one that has begun, and is still there for others", async () => {
    const { port } = await start();
    const get = "GET /events HTTP/1.1\r\nhost: a\r\n\r\n";
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      let got = "";
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(got));
      socket.on("data", (chunk) => {
        got += chunk.toString();
        if (got.includes("hello")) socket.write("no HTTP\r\n\r\n");
      });
      socket.write(get);
    });
    expect(answer).toContain("HTTP/1.1 200");
    expect(answer).not.toContain("HTTP/1.1 400");
    expect(await raw({ port, host: "127.0.0.1" }, "no HTTP\r\n\r\n")).toContain("HTTP/1.1 400");
  });

  it("shows every Authorization line, however many headers there are", async () => {
    const { port } = await start();
    const many = "x: y\r\n".repeat(2_100);
    const answer = await raw(
      { port, host: "127.0.0.1" },
      `GET /headers HTTP/1.1\r\nhost: a\r\nauthorization: one\r\n${many}Authorization: two\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toContain('"lines":["one","two"]');
    expect(answer).toContain(`"count":${2 * 2_104}`);
  });

  it("learns about a connection once, whatever it carries", async () => {
    const target = targetOf(await start());
    const before = accepted;
    const bodies = [];
    for (let i = 0; i < 3; i += 1)
      bodies.push((await call(target, { method: "GET", path: "/peer" })).body);
    expect(accepted).toBe(before + 1);
    expect(new Set(bodies.map((body) => Buffer.from(body).toString())).size).toBe(1);
  });

  it("closes a connection about which nothing can be learned", async () => {
    const contextOf = (): Peer => {
      throw new Refusal("peer_unexpected");
    };
    const target = targetOf(await start({ contextOf }));
    expect(await codeOf(() => call(target, { method: "GET", path: "/peer" }))).toBe("unreachable");
  });

  it("accepts no more connections than its bound", async () => {
    const listener = await start({ maxConnections: 1 });
    expect((await call(targetOf(listener), { method: "GET", path: "/peer" })).status).toBe(200);
    const second = targetOf(listener);
    expect(await codeOf(() => call(second, { method: "GET", path: "/peer" }))).toBe("unreachable");
  });

  it("closes whatever is open: idle, streaming, unanswered, unfinished", async () => {
    const listener = await start();
    const target = targetOf(listener);
    await call(target, { method: "GET", path: "/peer" });
    const stream = await target.send({
      method: "GET",
      path: "/events",
      headers: {},
      signal: new AbortController().signal,
    });
    const never = codeOf(() => call(target, { method: "GET", path: "/never" }));
    const half = raw({ port: listener.port, host: "127.0.0.1" }, "GET /peer HTTP/1.1\r\n");
    await listener.close(20);
    expect(await never).toBe("unreachable");
    expect(await half).not.toContain("200");
    const rest = async (): Promise<void> => {
      for await (const chunk of stream.chunks) expect(chunk.length).toBeGreaterThan(0);
    };
    expect(await codeOf(rest)).toBe("unreachable");
  });

  it("refuses an address that is taken", async () => {
    const { port } = await start();
    const on: ListenOn = { host: "127.0.0.1", port };
    expect(await codeOf(() => start({ on }))).toBe("configuration_invalid");
  });

  it("has no certificate to replace without TLS", async () => {
    const listener = await start();
    expect(await codeOf(() => listener.replaceTls({ cert: "", key: "" }))).toBe(
      "configuration_invalid",
    );
  });
});

describe("a Unix socket", () => {
  it("has exactly the mode asked for, and goes away at close", async () => {
    const unix = join(folder, "a.sock");
    for (const mode of [0o600, 0o666]) {
      const listener = await start({ on: { unix, mode } });
      expect((await lstat(unix)).mode & 0o777).toBe(mode);
      expect(listener.address).toBe(`unix:${unix}`);
      const target = openTarget({ unix });
      expect((await call(target, { method: "GET", path: "/peer" })).status).toBe(200);
      target.close();
      await listener.close(0);
      await expect(lstat(unix)).rejects.toThrow("ENOENT");
    }
  });

  /** Leaves the socket file of a program that has died: its listener is gone, the file is not. */
  async function abandon(path: string): Promise<void> {
    const server = createServer();
    const aside = `${path}.aside`;
    await new Promise<void>((resolve) => server.listen(aside, resolve));
    await rename(aside, path); // the closing server removes only the name that it bound
    await new Promise((resolve) => server.close(resolve));
  }

  it.each([
    ["nothing there", async () => undefined, "ok"],
    ["a socket that nobody serves", (path: string) => abandon(path), "ok"],
    [
      "a socket in use",
      async (path: string) => void (await start({ on: { unix: path, mode: 0o600 } })),
      "configuration_invalid",
    ],
    [
      "a link",
      async (path: string) => {
        await abandon(`${path}.real`);
        await symlink(`${path}.real`, path);
      },
      "configuration_invalid",
    ],
    ["a file", (path: string) => writeFile(path, ""), "configuration_invalid"],
  ])("in the place of %s", async (_name, prepare, code) => {
    const home = await mkdtemp(join(folder, "d"));
    const path = join(home, "b.sock");
    await prepare(path);
    expect(await codeOf(() => start({ on: { unix: path, mode: 0o600 } }))).toBe(code);
  });

  it.each([
    ["only we can write", 0o755, "ok"],
    ["the group can write", 0o770, "private_mode"],
    ["all can write", 0o1777, "private_mode"],
  ])("in a folder that %s", async (_name, mode, code) => {
    const home = await mkdtemp(join(folder, "m"));
    await chmod(home, mode);
    const on: ListenOn = { unix: join(home, "c.sock"), mode: 0o600 };
    expect(await codeOf(() => start({ on }))).toBe(code);
  });

  it.each([
    ["a link to a folder", async (path: string) => symlink(folder, path), "private_mode"],
    ["no folder", async () => undefined, "configuration_invalid"],
  ])("in %s", async (_name, prepare, code) => {
    const home = join(await mkdtemp(join(folder, "l")), "h");
    await prepare(home);
    const on: ListenOn = { unix: join(home, "c.sock"), mode: 0o600 };
    expect(await codeOf(() => start({ on }))).toBe(code);
  });

  it.each([
    [99, "ok"],
    [100, "configuration_invalid"],
  ])("with a path of %i bytes", async (length, code) => {
    const home = join(folder, "p".repeat(length - folder.length - 4));
    await mkdir(home, { mode: 0o700 });
    const unix = `${home}/s1`;
    expect(unix.length).toBe(length);
    expect(await codeOf(() => start({ on: { unix, mode: 0o600 } }))).toBe(code);
  });
});
