import {
  checkServer,
  base64url,
  buildServerTls,
  buildRoot,
  parseCertificate,
  readJoinToken,
  Refusal,
  serverId,
  utf8,
  writeProxyState,
} from "@countersign/core";
import type { ProxyState } from "@countersign/core";
import {
  application,
  eventStream,
  generateSigner,
  handlerTarget,
  json,
  nodeCrypto as c,
  silentLog,
} from "@countersign/node";
import type { EventStream } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { uplinkOf } from "./server.ts";
import { ServerState } from "./state.ts";

const NOW = 1_800_000_000;
const codeOf = async (run: () => unknown): Promise<string> => {
  try {
    await run();
    return "accepted";
  } catch (error) {
    return error instanceof Refusal ? error.code : String(error);
  }
};

const TOKEN = {
  v: 1,
  td: "example.org",
  name: "host-1",
  api: "https://127.0.0.1:8443",
  root: "A".repeat(43),
  secret: "A".repeat(22),
  exp: NOW + 600,
};
const bad = "join_token_invalid";

describe("a join token", () => {
  it.each<readonly [string, object, number, string]>([
    ["as made", {}, NOW, "accepted"],
    ["at its end", {}, NOW + 600, bad],
    ["a second before", {}, NOW + 599, "accepted"],
    ["of another version", { v: 2 }, NOW, bad],
    ["with an address in plain", { api: "http://127.0.0.1:8443" }, NOW, bad],
    ["with a path", { api: "https://127.0.0.1:8443/x" }, NOW, bad],
    ["with a short secret", { secret: "AA" }, NOW, bad],
    ["with a root that is no hash", { root: "AA" }, NOW, bad],
    ["with something more", { more: 1 }, NOW, bad],
    ["without its root", { root: undefined }, NOW, bad],
  ])("%s → %#", async (_name, change, now, code) => {
    const text = base64url(utf8(JSON.stringify({ ...TOKEN, ...change })));
    expect(await codeOf(() => readJoinToken(`${text}\n`, now))).toBe(code);
  });

  it.each(["", "x", "!!!", base64url(utf8("[]")), "A".repeat(5000)])(
    "that is none: %s",
    async (text) => {
      expect(await codeOf(() => readJoinToken(text, NOW))).toBe(bad);
    },
  );
});

describe("who the server is", () => {
  it.each<readonly [string, string, string]>([
    ["the server", serverId("example.org"), "accepted"],
    ["of another trust domain", serverId("example.com"), "untrusted_chain"],
    ["a proxy", "spiffe://example.org/proxy/host-1", "untrusted_chain"],
  ])("%s → %s", async (_name, uri, code) => {
    const signer = generateSigner();
    const serial = new Uint8Array(20).fill(1);
    const times = { notBefore: NOW, notAfter: NOW + 60 };
    const root = await buildRoot(
      c,
      { ...times, origin: "spiffe://example.org", hierarchy: "infrastructure", name: "x", serial },
      signer,
    );
    const made = await buildServerTls(
      c,
      {
        ...times,
        uri,
        dns: ["a.example"],
        ips: [],
        key: signer.key,
        serial,
        issuer: parseCertificate(root),
      },
      signer,
    ).catch(() => root);
    expect(await codeOf(() => checkServer("example.org")(made))).toBe(code);
  });
});

describe("the calls", () => {
  const uplink = (answer: () => Response): ReturnType<typeof uplinkOf> =>
    uplinkOf(handlerTarget(() => Promise.resolve(answer())));
  const posted = { request: "a", evidence: "b", endorsement: "c" };
  it.each<readonly [string, () => Response, string]>([
    ["a nonce", () => json({ nonce: "AAAAAAAA", now: NOW, expires_in: 120 }), "accepted"],
    ["a nonce without a time", () => json({ nonce: "AAAAAAAA" }), "malformed_request"],
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example" } }),
      "indeterminate",
    ],
    ["a page", () => new Response("<html>"), "indeterminate"],
    ["too much", () => json({ nonce: "x".repeat(9_000_000) }), "too_large"],
  ])("nonce: %s → %s", async (_name, answer, code) => {
    const found = await codeOf(() => uplink(answer).nonce(undefined));
    if (code === "accepted" || code === "malformed_request") expect(found).toBe(code);
    else expect(found).not.toBe("accepted");
  });

  it("the server's reason comes through", async () => {
    const refusing = application(
      { "POST /v1/credential-requests": () => Promise.reject(new Refusal("halted")) },
      silentLog,
    );
    const target = handlerTarget((request) => refusing(request, {}));
    expect(await codeOf(() => uplinkOf(target).request(posted))).toBe("halted");
  });

  it("asked", async () => {
    const asked = { state: "asked", id: "x", deadline: NOW, next: "wait", reasons: [] } as const;
    expect(await uplink(() => json(asked, 202)).request(posted)).toEqual(asked);
  });
});

function stateAt(seq: number): ProxyState {
  return {
    issuer: "https://id.example.org",
    trustDomain: "example.org",
    now: NOW,
    seq,
    checkpoint: `id.example.org/log\n${seq}\n`,
    entries: [],
    stops: [],
    asks: [],
    approvals: [],
    trustBundle: "{}",
    development: false,
  };
}

describe("what the proxy knows of the server", () => {
  it("is the last message; the newest checkpoint ever seen is kept", async () => {
    let now = NOW;
    const server = new ServerState(() => now);
    expect(server.view()).toMatchObject({ isConnected: false, heardAt: NOW });
    let stream: EventStream | undefined;
    const target = handlerTarget((request) =>
      Promise.resolve((stream = eventStream(request.signal)).response),
    );
    const ended = new AbortController();
    const heard: number[] = [];
    let wake: () => void = () => undefined;
    const following = server.follow(target, {
      signal: ended.signal,
      random: (byteCount) => new Uint8Array(byteCount),
      log: silentLog,
      onState: (state) => {
        heard.push(state.seq);
        wake();
        return Promise.resolve();
      },
    });
    const say = (seq: number): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
        stream?.send("state", JSON.stringify(writeProxyState(stateAt(seq))));
      });
    await say(5);
    await say(3); // a server that went back
    expect(heard).toEqual([5, 3]);
    expect(server.view()).toMatchObject({
      state: { seq: 3 },
      seen: { seq: 5, checkpoint: stateAt(5).checkpoint },
      isConnected: true,
    });
    now += 100;
    expect(server.view()).toMatchObject({ isConnected: true, heardAt: NOW }); // nothing came since
    await say(6);
    expect(server.view().heardAt).toBe(NOW + 100);
    ended.abort();
    stream?.close();
    await following;
  });

  it("is heeded, stops and all, when its trust bundle names other pages; those are not followed", async () => {
    const server = new ServerState(() => NOW);
    const bundle = (rpId: string): string =>
      JSON.stringify({
        keys: [],
        spiffe_sequence: 1,
        countersign: {
          issuer: "https://id.example.org",
          trust_domain: "spiffe://example.org",
          log: { origin: "example.org", vkey: "example.org+00000000+AAAA" },
          consent: { rp_id: rpId, origins: [`https://${rpId}`] },
          removed_owner_keys: [],
          exp: NOW + 60,
        },
      });
    const stop = { id: "s", scope: "domain", target: "example.org", since: NOW } as const;
    const states: readonly ProxyState[] = [
      { ...stateAt(1), trustBundle: bundle("consent.example.org") },
      { ...stateAt(2), trustBundle: bundle("evil.example.org"), stops: [stop] },
    ];
    const target = handlerTarget((request) => {
      const stream = eventStream(request.signal);
      for (const state of states) stream.send("state", JSON.stringify(writeProxyState(state)));
      return Promise.resolve(stream.response);
    });
    const ended = new AbortController();
    const said: string[] = [];
    await server.follow(target, {
      signal: ended.signal,
      random: (byteCount) => new Uint8Array(byteCount),
      log: { ...silentLog, error: (event: string) => said.push(event) },
      onState: ({ seq }) => {
        if (seq === 2) ended.abort();
        return Promise.resolve();
      },
    });
    expect(said).toEqual(["trust.pages_changed"]);
    expect(server.view()).toMatchObject({
      state: { seq: 2, stops: [stop] },
      pages: { rpId: "consent.example.org", origins: ["https://consent.example.org"] },
    });
  });

  it("is followed on after a fault of ours", async () => {
    const server = new ServerState(() => NOW);
    let opened = 0;
    const target = handlerTarget((request) => {
      const stream = eventStream(request.signal);
      opened += 1;
      stream.send("state", JSON.stringify(writeProxyState(stateAt(opened))));
      return Promise.resolve(stream.response);
    });
    const ended = new AbortController();
    const said: string[] = [];
    const log = { ...silentLog, error: (event: string) => said.push(event) };
    await server.follow(target, {
      signal: ended.signal,
      random: (byteCount) => new Uint8Array(byteCount),
      log,
      onState: ({ seq }) => {
        if (seq === 1) throw new TypeError("a fault");
        ended.abort();
        return Promise.resolve();
      },
    });
    expect([opened, said]).toEqual([2, ["state.failed"]]);
  });
});
