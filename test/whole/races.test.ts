import { describe, expect, it } from "vitest";
import { generateSigner } from "../../packages/node/src/index.ts";
import type { Uplink } from "../../packages/proxy/src/uplink/server.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

/** An uplink with something between the server's answer and its arrival. */
const late =
  (act: () => Promise<unknown>) =>
  (uplink: Uplink): Uplink => ({
    ...uplink,
    request: async (posted) => {
      const answer = await uplink.request(posted);
      await act();
      return answer;
    },
  });
const halted = (whole: Whole, scope: string, target: string): Promise<unknown> =>
  whole.scene.rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "" } });
const askCount = async (whole: Whole): Promise<number> =>
  (await whole.scene.rig.world.store.asks()).length;

describe("what crosses on the way", () => {
  it.each(["entry", "grant"])(
    "a halt of the %s that is heard before the credential it stops",
    async (scope) => {
      let act: () => Promise<unknown> = () => Promise.resolve();
      const whole = await makeWhole({ uplink: late(() => act()) });
      await whole.credential();
      act = async () => {
        act = () => Promise.resolve();
        const [grant] = await whole.scene.rig.world.store.grants();
        await halted(whole, scope, scope === "entry" ? ENTRY_ID : (grant?.cs ?? ""));
        await whole.heard();
      };
      await whole.approve();
      await whole.until(async () => (await whole.scene.rig.world.store.credentials()).length === 1);
      await whole.until(async () => (await whole.status())["state"] === "halted");
      expect((await whole.proof()).word).toBe("halted");
      await whole.end();
    },
  );

  it("a state from before the question that comes after its answer", async () => {
    let isBefore = true;
    const whole = await makeWhole({
      state: (state) => (isBefore ? { ...state, asks: [] } : state),
    });
    await whole.credential();
    await whole.heard();
    expect((await whole.status())["state"]).toBe("waiting");
    isBefore = false;
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    await whole.end();
  });

  it("a question that is gone from the state after it was there is over", async () => {
    let isHidden = false;
    const whole = await makeWhole({
      state: (state) => (isHidden ? { ...state, asks: [] } : state),
    });
    await whole.credential();
    await whole.heard();
    isHidden = true;
    const { state } = whole.w.server();
    if (state === undefined) throw new Error("nothing heard");
    await whole.agents.onState(state);
    expect(await whole.status()).toMatchObject({ state: "none", reason: "approval_expired" });
    await whole.end();
  });
});

describe("two changed programs at one entry", () => {
  it("supersede each other's question once for each call, and do not go on by themselves", async () => {
    const whole = await makeWhole();
    await whole.credential();
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    whole.door.scripts.set(8, 8);
    whole.door.scripts.set(9, 9);
    expect((await whole.credential(8)).word).toBe("202");
    await whole.heard();
    expect((await whole.credential(9)).word).toBe("202");
    await whole.heard();
    await whole.heard();
    expect(await askCount(whole)).toBe(3);
    expect((await whole.status(8))["reason"]).toBe("approval_expired");
    expect((await whole.status(9))["state"]).toBe("waiting");
    await whole.end();
  });
});

describe("a stop of an installation that is no more", () => {
  it("does not keep its successor from waiting", async () => {
    const whole = await makeWhole();
    const { host } = whole.scene;
    host.anchor = generateSigner();
    await host.ask(); // an earlier installation of the entry
    await halted(whole, "agent", host.agent);
    await whole.heard();
    expect((await whole.credential()).word).toBe("202");
    await whole.scene.put({ offline_proofs: true }); // so that a state is sent
    await whole.heard();
    expect((await whole.status())["state"]).toBe("waiting");
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    await whole.end();
  });
});

describe("the door", () => {
  it("gives ten proofs a second, also after the clock was set back", async () => {
    const whole = await makeWhole();
    await whole.credential();
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const words: string[] = [];
    for (let i = 0; i < 11; i += 1) words.push((await whole.proof()).word);
    expect(words.filter((word) => word === "200")).toHaveLength(10);
    expect(words.at(-1)).toBe("rate_limited");
    whole.scene.rig.advance(-100);
    expect((await whole.proof()).word).toBe("rate_limited");
    whole.scene.rig.advance(1);
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("gives nothing to a process that became another one meanwhile", async () => {
    const whole = await makeWhole();
    await whole.credential();
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    whole.door.isStillTrue = false;
    expect((await whole.credential()).word).toBe("program_changed");
    expect((await whole.proof()).word).toBe("program_changed");
    await whole.end();
  });
});
