import { describe, expect, it } from "vitest";
import { isMeant, missing, reason } from "./gate.ts";
import type { GateState, Step } from "./gate.ts";

const READY: GateState = {
  digits: "matched",
  markedCount: 2,
  seen: new Set([0, 1]),
  textEnds: 1300,
  requestEnds: 4000,
  isOnline: true,
  isBusy: false,
};

describe("Approve is on only when everything is done (console.md 6)", () => {
  it.each<[string, Partial<GateState>, number, readonly Step[]]>([
    ["all done", {}, 1000, []],
    ["no digits asked", { digits: "none" }, 1000, []],
    ["digits not typed", { digits: "wanted" }, 1000, ["digits"]],
    ["one marked line not seen", { seen: new Set([1]) }, 1000, ["marked"]],
    ["no marked line", { markedCount: 0, seen: new Set() }, 1000, []],
    ["offline", { isOnline: false }, 1000, ["online"]],
    ["the text is over", {}, 1300, ["text"]],
    ["the last second of the text", {}, 1299, []],
    ["the request is over, whatever else", { digits: "wanted" }, 4000, ["request"]],
    ["two things", { digits: "wanted", seen: new Set() }, 1000, ["digits", "marked"]],
  ])("%s", (_, change, now, wanted) => {
    const steps = missing({ ...READY, ...change }, now);
    expect(steps).toEqual(wanted);
    expect(reason(steps) === undefined).toBe(wanted.length === 0);
  });

  it.each([
    ["half a second after it was turned on", 10_500, 10_000, 0, true],
    ["sooner", 10_499, 10_000, 0, false],
    ["sooner after the page came back", 10_600, 10_000, 10_200, false],
  ])("a press %s", (_, pressed, on, shown, wanted) => {
    expect(isMeant(pressed, on, shown)).toBe(wanted);
  });
});
