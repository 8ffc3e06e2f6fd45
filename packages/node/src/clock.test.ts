import { describe, expect, it } from "vitest";
import { pause, systemTimers } from "./clock.ts";
import { ManualTimers } from "./clock.testing.ts";

describe("pause", () => {
  it("waits as long as asked", async () => {
    const timers = new ManualTimers();
    let isOver = false;
    const done = pause(timers, 10).then(() => (isOver = true));
    timers.advance(9);
    await Promise.resolve();
    expect(isOver).toBe(false);
    timers.advance(1);
    await done;
  });

  it("ends with its signal and leaves no timer", async () => {
    const timers = new ManualTimers();
    const ended = new AbortController();
    const done = pause(timers, 10, ended.signal);
    ended.abort();
    await done;
    await pause(timers, 10, ended.signal);
    expect(timers.waiting).toBe(0);
  });
});

describe("systemTimers", () => {
  it("run once, unless cancelled", async () => {
    const ran: string[] = [];
    systemTimers.after(0, () => ran.push("cancelled"))();
    await new Promise<void>((resolve) => {
      systemTimers.after(1, () => {
        ran.push("ran");
        resolve();
      });
    });
    expect(ran).toEqual(["ran"]);
  });
});
