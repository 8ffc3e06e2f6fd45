import { describe, expect, it } from "vitest";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { handlerTarget, silentLog } from "../../packages/node/src/index.ts";
import { uplinkOf } from "../../packages/proxy/src/uplink/server.ts";
import { ServerState } from "../../packages/proxy/src/uplink/state.ts";
import { approvedScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { Host } from "../../packages/server/src/people.testing.ts";

const ROUND_MS = 15_000;

/** A proxy that follows the server with the certificate of this host. */
class Follower {
  readonly #ended = new AbortController();
  readonly #following: Promise<void>;
  readonly state: ServerState;
  readonly lost: string[] = [];

  constructor({ rig }: Scene, host: Host, timers: ManualTimers) {
    this.state = new ServerState(rig.now);
    const target = handlerTarget((request) => rig.api(request, { certificate: host.certificate }));
    this.#following = this.state.follow(target, {
      signal: this.#ended.signal,
      random: (byteCount) => new Uint8Array(byteCount).fill(255), // waits as long as it may
      timers,
      log: { ...silentLog, warn: (_event, fields) => this.lost.push(String(fields?.["why"])) },
      onState: () => Promise.resolve(),
      answerBeat: uplinkOf(target).beat,
    });
  }

  end(): Promise<void> {
    this.#ended.abort();
    return this.#following;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setTimeout(resolve)); // zero: turns of the loop
}

async function rounds(timers: ManualTimers, count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    timers.advance(ROUND_MS);
    await settle();
  }
}

async function setUp(): Promise<{ scene: Scene; timers: ManualTimers; proxies: Follower[] }> {
  const timers = new ManualTimers();
  const scene = await approvedScene({ timers });
  const { host } = scene;
  const copy = new Host(host.rig, host.id, host.signer, host.certificate);
  const proxies = [new Follower(scene, host, timers), new Follower(scene, copy, timers)];
  await settle();
  return { scene, timers, proxies };
}

describe("T16: a copied proxy directory", () => {
  it("that both run: the host is halted after two rounds, its grants end, and each is told", async () => {
    const { scene, timers, proxies } = await setUp();
    expect(proxies.map(({ state }) => state.view().isConnected)).toEqual([true, true]);
    await rounds(timers, 2);
    expect((await scene.host.call("POST /v1/nonce", {})).word).toBe("proxy_forked");
    expect(await scene.rig.world.store.grants({ liveAt: scene.rig.now() })).toEqual([]);
    await rounds(timers, 1); // they connect again
    for (const { lost } of proxies) expect(lost.at(-1)).toContain("proxy_forked");
    await Promise.all(proxies.map((proxy) => proxy.end()));
    await scene.rig.close();
  });

  it("of which one stops in time: nobody is halted", async () => {
    const { scene, timers, proxies } = await setUp();
    await rounds(timers, 1);
    await proxies[1]?.end();
    await rounds(timers, 3);
    expect((await scene.host.call("POST /v1/nonce", {})).word).toBe("200");
    await proxies[0]?.end();
    await scene.rig.close();
  });
});
