import { setMaxListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Refusal } from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { handlerTarget, silentLog } from "../../packages/node/src/index.ts";
import type { Target } from "../../packages/node/src/index.ts";
import { ServerState } from "../../packages/proxy/src/uplink/state.ts";
import { enrolHost } from "../../packages/server/src/people.testing.ts";
import type { Host } from "../../packages/server/src/people.testing.ts";
import { makeRig, seededRandom } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";

const PROXIES = 200;
const STEP_MS = 250;
const LONGEST_DELAY_SECONDS = 30;

/** What full jitter leads to: waits of 15 s in the mean, so 13.3 a second; five deviations on top. */
const EXPECTED_PER_SECOND = PROXIES / (LONGEST_DELAY_SECONDS / 2);
const MOST_PER_SECOND = EXPECTED_PER_SECOND + 5 * Math.sqrt(EXPECTED_PER_SECOND);

/** Lets everything go on that waits for no timer. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function unlimited(): AbortController {
  const made = new AbortController();
  setMaxListeners(0, made.signal); // one for each proxy
  return made;
}

/** Many proxies that follow one server, which the test can take away. */
class Fleet {
  readonly timers = new ManualTimers();
  readonly #ended = unlimited();
  readonly #following: Promise<void>[] = [];
  #server = unlimited();
  #isAway = false;
  tries = 0;
  connected = 0;

  constructor(rig: Rig, hosts: readonly Host[]) {
    for (const [n, host] of hosts.entries()) {
      const inner = handlerTarget((request) => {
        const signal = AbortSignal.any([request.signal, this.#server.signal]);
        return rig.api(new Request(request, { signal }), { certificate: host.certificate });
      });
      const target: Target = {
        send: async (request) => {
          this.tries += 1;
          if (this.#isAway) throw new Refusal("unreachable", "away");
          const { chunks, ...rest } = await inner.send(request);
          this.connected += 1;
          return { ...rest, chunks: this.#untilAway(chunks) };
        },
        close: () => inner.close(),
      };
      this.#following.push(
        new ServerState(rig.now).follow(target, {
          signal: this.#ended.signal,
          random: seededRandom(`proxy ${n}`),
          timers: this.timers,
          log: silentLog,
          onState: () => Promise.resolve(),
        }),
      );
    }
  }

  async *#untilAway(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { signal } = this.#server;
    const gone = new Promise<"gone">((resolve) =>
      signal.addEventListener("abort", () => resolve("gone"), { once: true }),
    );
    const reader = chunks[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([reader.next(), gone]);
      if (next === "gone") throw new Refusal("unreachable", "away");
      if (next.done === true) return;
      yield next.value;
    }
  }

  leave(): void {
    this.#isAway = true;
    this.#server.abort();
  }

  comeBack(): void {
    this.#isAway = false;
    this.#server = unlimited();
    this.connected = 0;
  }

  async settle(): Promise<void> {
    for (let before = -1; before !== this.tries;) {
      before = this.tries;
      for (let count = 0; count < 8; count += 1) await turn();
    }
  }

  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += STEP_MS) {
      this.timers.advance(STEP_MS);
      await turn();
    }
  }

  async end(): Promise<void> {
    this.#ended.abort();
    this.#server.abort();
    await Promise.all(this.#following);
  }
}

describe("the server returns to 200 proxies that miss it", () => {
  let rig: Rig;
  const hosts: Host[] = [];
  beforeAll(async () => {
    rig = await makeRig();
    for (let n = 0; n < PROXIES; n += 1) hosts.push(await enrolHost(rig, `host-${n}`));
  });
  afterAll(() => rig.close());

  it.each([60, 3600])(
    "after %i s away: all are back within 30 s, and never many at once",
    async (away) => {
      const fleet = new Fleet(rig, hosts);
      await fleet.settle();
      expect(fleet.connected).toBe(PROXIES);
      fleet.leave();
      await fleet.pass(away * 1000);
      fleet.comeBack();
      const perSecond: number[] = [];
      let before = 0;
      for (let second = 0; second <= LONGEST_DELAY_SECONDS; second += 1) {
        await fleet.pass(1000);
        await fleet.settle();
        perSecond.push(fleet.connected - before);
        before = fleet.connected;
      }
      expect(fleet.connected).toBe(PROXIES);
      expect(Math.max(...perSecond)).toBeLessThanOrEqual(MOST_PER_SECOND);
      await fleet.end();
    },
  );
});
