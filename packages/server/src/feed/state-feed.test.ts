import { parseJsonObject, readProxyState } from "@countersign/core";
import type { ProxyState } from "@countersign/core";
import type { Timers } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { approvedScene, makeScene } from "../cases/scene.testing.ts";
import type { Host } from "../people.testing.ts";
import { ENTRY_ID } from "../people.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import type { Release, Store } from "../store/store.ts";
import { makeRig } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";
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
    const data = await this.#data("state");
    return data === undefined
      ? "closed"
      : readProxyState(parseJsonObject(data, { maxBytes: 1e6, maxDepth: 12 }));
  }

  /** The word of the next beat, or undefined at the end. */
  beat(): Promise<string | undefined> {
    return this.#data("beat");
  }

  /** What the next event of this name says; others are passed over. */
  async #data(event: string): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const lines = block.split("\n");
        if (lines[0] === `event: ${event}`) return lines[1]?.slice("data: ".length);
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
    }
  }
}

async function streamOf(host: Host, signal = new AbortController().signal): Promise<Reader> {
  const request = new Request("https://server.test/v1/state", { signal });
  return new Reader(await host.rig.api(request, { certificate: host.certificate }));
}

/** Waits for the end of each. */
async function closed(readers: readonly Reader[]): Promise<void> {
  for (const reader of readers) while ((await reader.next()) !== "closed");
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

/** Timers whose waits end together, when the test says so. */
class Rounds implements Timers {
  readonly #waiting: Set<() => void> = new Set();

  after(_delayMs: number, run: () => void): () => void {
    this.#waiting.add(run);
    return () => this.#waiting.delete(run);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  end(): void {
    const due = [...this.#waiting];
    this.#waiting.clear();
    for (const run of due) run();
  }
}

describe("several streams of one proxy", () => {
  /** Two streams, and what each was asked last. */
  async function two(): Promise<{
    rig: Rig;
    host: Host;
    timers: Rounds;
    readers: readonly Reader[];
    answer: (word: string | undefined) => Promise<string>;
  }> {
    const timers = new Rounds();
    const { rig, host } = await makeScene({ timers });
    const readers = [await streamOf(host), await streamOf(host)];
    const answer = async (beat: string | undefined): Promise<string> =>
      (await host.call("POST /v1/beats", { beat })).word;
    return { rig, host, timers, readers, answer };
  }
  const stateOf = async (rig: Rig): Promise<unknown> =>
    (await rig.world.store.proxies()).map(({ state }) => state);

  it("that both keep answering halt it: two proxies have its identity", async () => {
    const { rig, host, timers, readers, answer } = await two();
    for (const round of [1, 2]) {
      for (const reader of readers) expect(await answer(await reader.beat())).toBe("200");
      expect([round, await stateOf(rig)]).toEqual([round, ["enrolled"]]);
      timers.end();
    }
    await closed(readers);
    expect(await stateOf(rig)).toEqual(["halted"]);
    expect((await rig.call("api", "GET /v1/state", { certificate: host.certificate })).word).toBe(
      "proxy_forked",
    );
    expect((await host.call("POST /v1/nonce", {})).word).toBe("proxy_forked");
    expect((await rig.call("admin", "GET /v1/halts")).body["stops"]).toMatchObject([
      { scope: "proxy", target: host.id, reason: "proxy_forked" },
    ]);
    await rig.close();
  });

  it.each<
    readonly [string, (words: readonly (string | undefined)[]) => readonly (string | undefined)[]]
  >([
    ["of which one is dead", ([, second]) => [second]],
    ["of which the older answers for both", ([first]) => [first, first]],
    ["that answer with words of the round before", (words) => words.map(() => undefined)],
  ])("%s: that one is closed, and nobody is halted", async (_name, choose) => {
    const { rig, timers, readers, answer } = await two();
    const before = await Promise.all(readers.map((reader) => reader.beat()));
    for (const word of before) await answer(word);
    timers.end();
    const words = await Promise.all(readers.map((reader) => reader.beat()));
    for (const [at, word] of choose(words).entries()) await answer(word ?? before[at]);
    timers.end();
    timers.end();
    expect(rig.feed.openStreams).toBeLessThan(2);
    expect(await stateOf(rig)).toEqual(["enrolled"]);
    expect(timers.waiting).toBe(0);
    await rig.close();
  });

  it("of which one is left in time: nobody is asked again", async () => {
    const timers = new Rounds();
    const { rig, host } = await makeScene({ timers });
    const gone = new AbortController();
    const readers = [await streamOf(host, gone.signal), await streamOf(host)];
    for (const reader of readers) await host.call("POST /v1/beats", { beat: await reader.beat() });
    gone.abort(); // a proxy that begins anew, with its next certificate
    timers.end();
    expect([rig.feed.openStreams, timers.waiting]).toEqual([1, 0]);
    expect(await stateOf(rig)).toEqual(["enrolled"]);
    await rig.close();
  });

  it("one alone is never asked; a word that was not asked for says nothing", async () => {
    const timers = new Rounds();
    const { rig, host } = await makeScene({ timers });
    await streamOf(host);
    expect(timers.waiting).toBe(0);
    expect((await host.call("POST /v1/beats", { beat: "A".repeat(22) })).word).toBe("200");
    expect((await host.call("POST /v1/beats", { beat: "A" })).word).toBe("malformed_request");
    expect((await rig.call("api", "POST /v1/beats", { json: {} })).word).toBe(
      "client_certificate_required",
    );
    await rig.close();
  });
});

describe("a state that cannot be read", () => {
  const failing = (when: (call: number) => boolean) => (store: Store) =>
    faulty(store, "stateFor", "lost-before", when);

  it("when the stream opens: refused, and nothing stays open", async () => {
    const { rig, host } = await makeScene({ wrap: failing((call) => call === 1) });
    const request = new Request("https://server.test/v1/state");
    const { certificate } = host;
    expect((await rig.api(request, { certificate })).status).toBe(503);
    expect(rig.feed.openStreams).toBe(0);
    await rig.close();
  });

  it("when something changed: the proxy connects again, and hears of the stop", async () => {
    const { rig, host } = await makeScene({ wrap: failing((call) => call === 2) });
    const reader = await streamOf(host);
    await reader.next();
    const order = { scope: "proxy", target: host.id, reason: "" };
    await rig.call("admin", "POST /v1/halts", { json: order });
    expect(await reader.next()).toBe("closed");
    const state = await (await streamOf(host)).next();
    expect(state).toMatchObject({ stops: [{ scope: "proxy" }] });
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
