import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { ManualTimers } from "./clock.testing.ts";
import { onShutdown } from "./shutdown.ts";

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Host extends EventEmitter {
  readonly codes: number[] = [];
  exit(code: number): void {
    this.codes.push(code);
  }
}

describe("onShutdown", () => {
  const never = (): Promise<void> => new Promise(() => undefined);
  const rows: [
    string,
    () => Promise<void>,
    (host: Host, timers: ManualTimers) => void,
    number[],
  ][] = [
    ["SIGTERM closes, then exits", async () => undefined, (host) => host.emit("SIGTERM"), [0]],
    ["SIGINT too", async () => undefined, (host) => host.emit("SIGINT"), [0]],
    ["a failure", () => Promise.reject(new Error("x")), (host) => host.emit("SIGINT"), [1]],
    [
      "closing that takes too long",
      never,
      (host, timers) => {
        host.emit("SIGINT");
        timers.advance(10_000);
      },
      [1],
    ],
    [
      "a second signal",
      never,
      (host) => {
        host.emit("SIGINT");
        host.emit("SIGTERM");
      },
      [1],
    ],
    ["no signal", never, () => undefined, []],
  ];
  it.each(rows)("%s", async (_name, close, happen, codes) => {
    const host = new Host();
    const timers = new ManualTimers();
    let closed = 0;
    const remove = onShutdown({
      close: () => {
        closed += 1;
        return close();
      },
      host,
      timers,
    });
    happen(host, timers);
    await settle();
    remove();
    expect(host.codes).toEqual(codes);
    expect(closed).toBe(codes.length === 0 ? 0 : 1);
    expect(host.listenerCount("SIGINT") + host.listenerCount("SIGTERM")).toBe(0);
  });
});
