import { parseJsonObject, readProxyState } from "@countersign/core";
import type { ProxyState } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { approvedScene, makeScene } from "../cases/scene.testing.ts";
import type { Host } from "../people.testing.ts";
import { ENTRY_ID } from "../people.testing.ts";
import type { Release, Store } from "../store/store.ts";
import { makeRig } from "../world.testing.ts";
import { StateFeed } from "./state-feed.ts";

/** Reads the states of a stream as they come. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  constructor(response: Response) {
    if (response.body === null) throw new Error("no stream");
    this.#reader = response.body.getReader();
  }

  /** The next state, or `closed`. */
  async next(): Promise<ProxyState | "closed"> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data !== undefined)
          return readProxyState(parseJsonObject(data.slice(6), { maxBytes: 1e6, maxDepth: 12 }));
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return "closed";
      this.#text += new TextDecoder().decode(value);
    }
  }
}

async function streamOf(host: Host, signal = new AbortController().signal): Promise<Reader> {
  const request = new Request("https://server.test/v1/state", { signal });
  return new Reader(await host.rig.api(request, { certificate: host.certificate }));
}

describe("the state stream of a proxy", () => {
  it("begins with the whole state, and says each change", async () => {
    const { rig, host, cs, owner } = await approvedScene();
    const reader = await streamOf(host);
    expect(await reader.next()).toMatchObject({
      issuer: "https://id.example.org",
      now: rig.now(),
      entries: [{ id: ENTRY_ID }],
      stops: [],
      asks: [{ state: "approved" }],
      approvals: [{ cs, agent: host.agent }],
    });
    const { body } = await rig.call("admin", "POST /v1/halts", {
      json: { scope: "owner", target: owner.id, reason: "" },
    });
    expect(await reader.next()).toMatchObject({
      stops: [{ id: body["id"], scope: "owner" }],
      approvals: [],
    });
    await rig.close();
    expect(await reader.next()).toBe("closed");
  });

  it("demands a certificate", async () => {
    const { rig } = await makeScene();
    expect((await rig.call("api", "GET /v1/state")).word).toBe("client_certificate_required");
    await rig.close();
  });

  it("keeps four streams of one proxy; the oldest gives way", async () => {
    const { rig, host } = await makeScene();
    const readers = [];
    for (let i = 0; i < 5; i += 1) readers.push(await streamOf(host));
    expect(rig.feed.openStreams).toBe(4);
    const [oldest, second] = readers;
    await oldest?.next();
    await second?.next();
    expect(await oldest?.next()).toBe("closed");
    await rig.close();
  });

  it("forgets who went away", async () => {
    const { rig, host } = await makeScene();
    const gone = new AbortController();
    const reader = await streamOf(host, gone.signal);
    await reader.next();
    expect(rig.feed.openStreams).toBe(1);
    gone.abort();
    expect(rig.feed.openStreams).toBe(0);
    await rig.close();
  });
});

/** A store whose releases the test makes, and whose state counts how often it was asked. */
function quietStore(store: Store): { store: Store; release: () => void; asked: () => number } {
  const listeners = new Set<(release: Release) => void>();
  let count = 0;
  const quiet = new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (name === "subscribe")
        return (listener: (release: Release) => void) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        };
      if (name === "stateFor") {
        return (...given: Parameters<Store["stateFor"]>) => {
          count += 1;
          return target.stateFor(...given);
        };
      }
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const release = (): void =>
    listeners.forEach((listener) => listener({ size: 1, changed: "all" }));
  return { store: quiet, release, asked: () => count };
}

describe("a change while another is being sent", () => {
  it("is never lost, at whatever moment it comes", async () => {
    const rig = await makeRig();
    for (let ticks = 0; ticks < 60; ticks += 1) {
      const { store, release, asked } = quietStore(rig.world.store);
      const feed = new StateFeed({ ...rig.world, store });
      await feed.open("spiffe://example.org/proxy/host-1", new AbortController().signal);
      release();
      for (let i = 0; i < ticks; i += 1) await Promise.resolve();
      const before = asked();
      release();
      for (let i = 0; i < 200; i += 1) await Promise.resolve();
      expect([ticks, asked() > before]).toEqual([ticks, true]);
      feed.close();
    }
    await rig.close();
  });
});
