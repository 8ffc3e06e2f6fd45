import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OWNER } from "../../packages/server/src/store/fixtures.testing.ts";
import { StandInChannel } from "./notice-channel.ts";
import { MAX_WAITING_PER_TARGET } from "../../packages/server/src/notices/deliveries.ts";
import { makeNoticeScene, settle } from "./notice-scene.ts";
import type { NoticeScene } from "./notice-scene.ts";

let scene: NoticeScene;
let channel: StandInChannel;
beforeEach(async () => {
  scene = await makeNoticeScene();
  channel = new StandInChannel();
});
afterEach(() => scene.close());

const never = (): Promise<never> => new Promise(() => undefined);
const waitingRows = async (): Promise<number> => (await scene.rig.world.store.notices()).length;

describe("the delivery of a notice", () => {
  it.each([
    ["is away", () => "later" as const],
    ["throws", () => Promise.reject(new Error("away"))],
  ])("is tried again with growing waits where the receiver %s", async (_what, answer) => {
    channel.answer = answer;
    await scene.start([channel]);
    await scene.asked({ deadline: scene.rig.now() + 86_400 });
    await settle();
    for (let minute = 0; minute < 30; minute += 1) await scene.pass(60);
    const tries = channel.tried.length;
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(40);
    channel.answer = () => "delivered";
    await scene.pass(900);
    expect(channel.taken).toHaveLength(1);
    expect(new Set(channel.tried.map(({ notice }) => notice.id)).size).toBe(1);
    expect(await waitingRows()).toBe(0);
  });

  it("waits somewhere below a bound that doubles up to a quarter of an hour", async () => {
    channel.answer = () => "later";
    await scene.start([channel]);
    await scene.asked({ deadline: scene.rig.now() + 86_400 });
    for (let hour = 0; hour < 20; hour += 1) await scene.pass(900);
    const waits = scene.timers.delaysMs.filter((ms) => ms !== 15_000);
    for (const [n, ms] of waits.slice(0, 12).entries())
      expect(ms).toBeLessThanOrEqual(Math.min(900_000, 2000 * 2 ** n));
    expect(Math.max(...waits)).toBeGreaterThan(60_000);
  });

  it("ends when the notice has lost its meaning", async () => {
    channel.answer = () => "later";
    await scene.start([channel]);
    await scene.asked();
    await scene.pass(3600);
    await scene.pass(900);
    const tries = channel.tried.length;
    await scene.pass(86_400);
    expect(channel.tried).toHaveLength(tries);
    expect(scene.outcomes.at(-1)).toBe("test expired");
    expect(await waitingRows()).toBe(0);
  });

  it("ends where the receiver is gone, with all that waits for it", async () => {
    channel.answer = never;
    await scene.start([channel]);
    for (let n = 0; n < 3; n += 1) await scene.asked();
    await settle();
    channel.answer = () => "gone";
    await scene.pass(15);
    await scene.pass(2);
    expect(scene.outcomes.filter((one) => one === "test gone")).toHaveLength(3);
    expect(await waitingRows()).toBe(0);
  });

  it("gives an attempt up after its time, and tells the channel", async () => {
    channel.answer = never;
    await scene.start([channel]);
    await scene.asked();
    await settle();
    expect(channel.tried[0]?.signal.aborted).toBe(false);
    await scene.pass(15);
    expect(channel.tried[0]?.signal.aborted).toBe(true);
    await scene.pass(2);
    expect(channel.tried).toHaveLength(2);
  });
});

describe("one that is slow", () => {
  it("holds no other target, channel or owner", async () => {
    const other = new StandInChannel("other");
    channel.at = ["1", "2"];
    channel.answer = ({ owner }, target) =>
      owner === OWNER && target === "1" ? never() : "delivered";
    await scene.start([channel, other]);
    await scene.asked();
    await scene.asked();
    await scene.asked({ owner: "urn:agent-owner:example.org:owner-two" });
    await settle();
    expect(other.taken).toHaveLength(3);
    // his own second target, and both of the other owner; `1` is one target for all in this stand-in
    expect(channel.tried.filter(({ target }) => target === "2")).toHaveLength(3);
    expect(channel.tried.filter(({ target }) => target === "1")).toHaveLength(1);
  });

  it("holds no decision: questions are put while nothing can be delivered", async () => {
    channel.answer = never;
    await scene.start([channel]);
    const before = await scene.rig.world.store.logSize();
    for (let n = 0; n < 50; n += 1) await scene.asked();
    expect(await scene.rig.world.store.logSize()).toBe(before + 50);
  });

  it("is waited for by nobody when the server ends", async () => {
    channel.answer = never;
    await scene.start([channel]);
    await scene.asked();
    await settle();
    scene.running.close();
    expect(channel.tried[0]?.signal.aborted).toBe(true);
    await settle();
    expect(scene.timers.waiting).toBe(0);
    expect(await waitingRows()).toBe(1);
  });

  it("has no more waiting for it than is kept: the oldest questions make room, changes of keys stay", async () => {
    channel.answer = never;
    await scene.start([channel]);
    for (let n = 0; n < 5; n += 1) await scene.asked();
    for (let n = 0; n < MAX_WAITING_PER_TARGET - 2; n += 1) await scene.key("added");
    await settle();
    expect(scene.running.waiting).toBe(MAX_WAITING_PER_TARGET);
    const rows = await scene.rig.world.store.notices();
    expect(rows).toHaveLength(MAX_WAITING_PER_TARGET);
    expect(rows.filter(({ notice }) => notice.kind === "request")).toHaveLength(2);
    expect(rows[0]?.notice.request).toBe("ask-1"); // under way
    expect(scene.outcomes.filter((one) => one === "test dropped")).toHaveLength(3);
  });
});
