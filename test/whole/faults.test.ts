import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import type { Loss } from "../../packages/server/src/store/faulty.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

const LOSSES: readonly Loss[] = ["lost-before", "lost-after"];

/** So many calls are lost, from when the test says so. */
class Losing {
  #from = Infinity;
  #calls = 0;
  readonly #many: number;

  constructor(many: number) {
    this.#many = many;
  }

  readonly when = (call: number): boolean => {
    this.#calls = call;
    return call > this.#from && call <= this.#from + this.#many;
  };

  /** The next calls are lost. */
  now(): void {
    this.#from = this.#calls;
  }
}

async function waiting(between: Between): Promise<Whole> {
  const whole = await makeWhole(between);
  expect((await whole.credential()).word).toBe("202");
  return whole;
}
const held = (whole: Whole): Promise<void> =>
  whole.until(async () => (await whole.status())["state"] === "held");
const asks = async ({ scene }: Whole): Promise<number> =>
  (await scene.rig.world.store.asks()).length;
const ordinals = async ({ scene }: Whole): Promise<readonly number[]> =>
  (await scene.rig.world.store.credentials()).map(({ n }) => n ?? 0).toSorted((a, b) => a - b);

describe.each(LOSSES)("a call of the proxy to the server is %s", (loss) => {
  it("for a nonce: the agent hears it, and asks again", async () => {
    const whole = await makeWhole({ uplink: (uplink) => faulty(uplink, "nonce", loss) });
    expect((await whole.credential()).word).toBe("indeterminate");
    expect((await whole.credential()).word).toBe("202");
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("while asking: the same request is posted again, and the owner is asked once", async () => {
    const whole = await waiting({ uplink: (uplink) => faulty(uplink, "request", loss) });
    const [ask] = await whole.scene.rig.world.store.asks();
    expect(await asks(whole)).toBe(1);
    expect(ask?.state).toBe("asked");
    await whole.approve();
    await held(whole);
    await whole.end();
  });

  it.each<[string, JsonObject]>([
    ["a standing approval", {}],
    ["an approval for one credential", { use: "single" }],
  ])("while issuing under %s: it is issued upon once", async (_name, terms) => {
    const losing = new Losing(1);
    const whole = await waiting({
      uplink: (uplink) => faulty(uplink, "request", loss, losing.when),
      entry: { grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling: [], ...terms } },
    });
    losing.now();
    await whole.approve();
    await held(whole);
    expect(await ordinals(whole)).toEqual([1]);
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("while issuing, each time it is posted: the next request is a new one", async () => {
    const losing = new Losing(3);
    const whole = await waiting({
      uplink: (uplink) => faulty(uplink, "request", loss, losing.when),
    });
    losing.now();
    await whole.approve();
    for (let second = 0; second < 20; second += 1) {
      whole.timers.advance(1000); // what it waits before it posts again, and before it begins anew
      await whole.heard();
    }
    await held(whole);
    expect(await ordinals(whole)).toEqual(loss === "lost-before" ? [1] : [1, 2]);
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("while renewing: the credential at hand stays until the next one is there", async () => {
    const losing = new Losing(1);
    const whole = await waiting({
      uplink: (uplink) => faulty(uplink, "nonce", loss, losing.when),
    });
    await whole.approve();
    await held(whole);
    losing.now();
    whole.timers.advance(450_000);
    await whole.heard();
    expect(await ordinals(whole)).toEqual([1]);
    expect((await whole.proof()).word).toBe("200");
    whole.timers.advance(16_000);
    await whole.until(async () => (await ordinals(whole)).length === 2);
    await whole.end();
  });
});

describe.each(LOSSES)("a write of the proxy's own memory is %s", (loss) => {
  it.each([1, 2, 3])("of an approval, %i times: the owner is not asked again", async (many) => {
    const losing = new Losing(many);
    const whole = await waiting({
      anchors: (anchors) => faulty(anchors, "update", loss, losing.when),
    });
    losing.now();
    await whole.approve();
    await whole.until(async () => {
      whole.timers.advance(1000);
      await whole.heard();
      return (await whole.status())["state"] === "held";
    });
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("of an end: keys are dropped all the same, and it is marked when the server is heard again", async () => {
    const losing = new Losing(1);
    const whole = await waiting({
      anchors: (anchors) => faulty(anchors, "update", loss, losing.when),
    });
    await whole.approve();
    await held(whole);
    const [grant] = await whole.scene.rig.world.store.grants();
    const entry = whole.door.entry.id;
    losing.now();
    const json = { scope: "grant", target: grant?.cs ?? "", reason: "" };
    await whole.scene.rig.call("admin", "POST /v1/halts", { json });
    await whole.until(async () => (await whole.status())["state"] === "halted");
    await whole.until(async () =>
      (await whole.w.anchors.memory(entry)).ended.includes(grant?.cs ?? "sha-256:"),
    );
    await whole.until(() => whole.w.server().isConnected);
    expect(["halted", "no_credential"]).toContain((await whole.proof()).word);
    await whole.end();
  });
});

describe("the proxy's clock and its stops", () => {
  it("a halt is felt though the clocks are too far apart to issue anything", async () => {
    const host = { skewSeconds: 0 };
    const whole = await waiting({ host });
    await whole.approve();
    await held(whole);
    host.skewSeconds = -3600;
    const json = { scope: "domain", target: "example.org", reason: "" };
    await whole.scene.rig.call("admin", "POST /v1/halts", { json });
    await whole.until(async () => (await whole.status())["state"] === "halted");
    expect((await whole.proof()).word).toBe("halted");
    await whole.end();
  });
});
