import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf } from "../refusal.testing.ts";
import { call, callJson } from "./client.ts";
import type { CallOptions } from "./client.ts";
import { handlerTarget, openTarget } from "./target.ts";
import type { Target, TargetSpec } from "./target.ts";

const get: CallOptions = { method: "GET", path: "/" };
const opened: { close(): unknown; closeAllConnections?(): void }[] = [];

/** A server that breaks rules: made by hand, not with ours. */
async function against(listener: RequestListener): Promise<Target> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo; // it listens on TCP
  const target = openTarget({ url: `http://127.0.0.1:${address.port}` });
  opened.push(server, target);
  return target;
}
afterEach(() => {
  for (const item of opened.splice(0)) {
    item.closeAllConnections?.();
    item.close();
  }
});

const problem = { "content-type": "application/problem+json" };

describe("callJson", () => {
  const rows: [string, number, Record<string, string>, string, string][] = [
    ["an object", 200, {}, '{"a":1}', "ok"],
    ["nothing", 204, {}, "", "ok"],
    ["a refusal that we know", 403, problem, '{"reason":"halted","next":"x"}', "halted"],
    ["a refusal that we do not know", 403, problem, '{"reason":"toString"}', "unreachable"],
    ["a reason that is no text", 403, problem, '{"reason":1}', "unreachable"],
    ["a problem that is no JSON", 403, problem, "<", "unreachable"],
    ["a refusal of another type", 403, {}, '{"reason":"halted"}', "unreachable"],
    ["a redirect, which is not followed", 307, { location: "/ok" }, "", "unreachable"],
    ["an object with a member twice", 200, {}, '{"a":1,"a":2}', "malformed_json"],
    ["a list", 200, {}, "[]", "malformed_json"],
    ["as much as allowed", 200, {}, `{"a":"${"x".repeat(92)}"}`, "ok"],
    ["one octet more", 200, {}, `{"a":"${"x".repeat(93)}"}`, "too_large"],
  ];
  it.each(rows)("%s", async (_name, status, headers, body, code) => {
    const target = await against((_incoming, outgoing) => {
      outgoing.writeHead(status, headers).end(body);
    });
    expect(await codeOf(() => callJson(target, { ...get, maxBytes: 100 }))).toBe(code);
  });

  it("hands on what to do next, unable to move a cursor, and nothing over its bound", async () => {
    for (const [next, wanted] of [
      ["run \u001b[2J it", "run \\u001b[2J it"],
      ["x".repeat(401), undefined],
    ]) {
      const answer = JSON.stringify({ reason: "halted", next });
      const target = handlerTarget(
        async () => new Response(answer, { status: 403, headers: problem }),
      );
      await expect(callJson(target, get)).rejects.toMatchObject({ code: "halted", next: wanted });
    }
  });
});

describe("call", () => {
  const rows: [string, RequestListener, Partial<CallOptions>, string][] = [
    ["an answer", (_in, out) => out.end("x"), {}, "ok"],
    ["no answer in time", () => undefined, { timeoutMs: 30 }, "unreachable"],
    ["an answer that never ends", (_in, out) => out.write("x"), { timeoutMs: 30 }, "unreachable"],
    [
      "an answer that breaks off",
      (_in, out) => out.write("x", () => out.destroy()),
      {},
      "unreachable",
    ],
    ["a connection that is cut", (incoming) => incoming.socket.destroy(), {}, "unreachable"],
    [
      "headers over the bound",
      (_in, out) => out.setHeader("x", "y".repeat(20_000)).end(),
      {},
      "unreachable",
    ],
    ["a caller that has given up", () => undefined, { signal: AbortSignal.abort() }, "unreachable"],
  ];
  it.each(rows)("%s", async (_name, listener, options, code) => {
    const target = await against(listener);
    expect(await codeOf(() => call(target, { ...get, ...options }))).toBe(code);
  });

  it("nobody there", async () => {
    const target = openTarget({ unix: "/nonexistent/countersign.sock" });
    expect(await codeOf(() => call(target, get))).toBe("unreachable");
  });

  it("ends when its caller gives up", async () => {
    const caller = new AbortController();
    const target = await against(() => caller.abort());
    const { signal } = caller;
    expect(await codeOf(() => call(target, { ...get, signal }))).toBe("unreachable");
  });

  it("keeps one connection for one call after the other", async () => {
    const ports = new Set<number | undefined>();
    const target = await against((incoming, outgoing) => {
      ports.add(incoming.socket.remotePort);
      outgoing.end("x");
    });
    for (let i = 0; i < 3; i += 1) await call(target, get);
    expect(ports.size).toBe(1);
  });

  it("sends its body with its length and the headers given", async () => {
    const target = await against((incoming, outgoing) => {
      const { "content-length": length, "content-type": type, x } = incoming.headers;
      incoming.on("data", (chunk: Buffer) => outgoing.write(chunk));
      incoming.on("end", () => outgoing.end(` ${length} ${type} ${x?.toString()}`));
    });
    const options = { method: "POST", path: "/", json: { ä: 1 }, headers: { x: "y" } } as const;
    const { body } = await call(target, options);
    expect(Buffer.from(body).toString()).toBe('{"ä":1} 8 application/json y');
  });
});

describe("openTarget", () => {
  const ca = ["x"];
  const rows: [string, TargetSpec, string][] = [
    ["a socket", { unix: "/run/a.sock" }, "ok"],
    ["http on 127.0.0.1", { url: "http://127.0.0.1:80" }, "ok"],
    ["http on localhost", { url: "http://localhost:8080" }, "ok"],
    ["http on ::1", { url: "http://[::1]:8080" }, "ok"],
    ["http elsewhere", { url: "http://example.org" }, "configuration_invalid"],
    [
      "http on a name that begins alike",
      { url: "http://localhost.example" },
      "configuration_invalid",
    ],
    ["https with roots", { url: "https://example.org:8443", ca: [] }, "ok"],
    ["https with the system's roots", { url: "https://example.org", ca: "system" }, "ok"],
    ["https without roots", { url: "https://example.org" }, "configuration_invalid"],
    ["a path", { url: "https://example.org/a", ca }, "configuration_invalid"],
    ["a user", { url: "https://a@example.org", ca }, "configuration_invalid"],
    ["another scheme", { url: "ftp://example.org", ca }, "configuration_invalid"],
    ["no address", { url: "example.org", ca }, "configuration_invalid"],
  ];
  it.each(rows)("%s", async (_name, spec, code) => {
    expect(await codeOf(() => openTarget(spec).close())).toBe(code);
  });
});

describe("handlerTarget", () => {
  it("gives a handler the request and its answer back", async () => {
    const target = handlerTarget(async (request) =>
      Response.json({ url: request.url, body: await request.text() }),
    );
    const { value } = await callJson(target, { method: "POST", path: "/a?b", json: { c: 1 } });
    expect(value).toEqual({ url: "http://localhost/a?b", body: '{"c":1}' });
  });

  it("ends with its caller, even if the handler does not", async () => {
    const target = handlerTarget(() => new Promise(() => undefined));
    expect(await codeOf(() => call(target, { ...get, timeoutMs: 20 }))).toBe("unreachable");
  });

  it("knows answers without a body", async () => {
    const target = handlerTarget(async () => new Response(null, { status: 204 }));
    expect((await callJson(target, get)).value).toEqual({});
  });
});
