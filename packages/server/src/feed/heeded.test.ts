import { describe, expect, it } from "vitest";
import { Heeded } from "./heeded.ts";

const P = "spiffe://example.org/proxy/build-3";
const Q = "spiffe://example.org/proxy/lab-09";

function made(): { heeded: Heeded; pass: (seconds: number) => void } {
  let now = 1000;
  let drawn = 0;
  const random = (byteCount: number): Uint8Array => new Uint8Array(byteCount).fill((drawn += 1));
  return { heeded: new Heeded(random, () => now), pass: (seconds) => void (now += seconds) };
}

describe("Heeded", () => {
  it("knows when a proxy answered the word after a state, and that another did not", () => {
    const { heeded, pass } = made();
    const word = heeded.ask(P, ["one"]) ?? "";
    heeded.ask(Q, ["one"]);
    expect(heeded.at(P, "one")).toBeUndefined();
    pass(2);
    heeded.answer(P, word);
    expect(heeded.at(P, "one")).toBe(1002);
    expect(heeded.at(Q, "one")).toBeUndefined();
  });

  it("asks nothing where there is no stop, or none that was not heeded", () => {
    const { heeded } = made();
    expect(heeded.ask(P, [])).toBeUndefined();
    heeded.answer(P, heeded.ask(P, ["one"]) ?? "");
    expect(heeded.ask(P, ["one"])).toBeUndefined();
    expect(heeded.ask(P, ["one", "two"])).toBeDefined();
  });

  it.each<[string, (heeded: Heeded, word: string) => void]>([
    ["another word", (heeded) => heeded.answer(P, "AAAAAAAAAAAAAAAAAAAAAA")],
    ["another proxy's answer", (heeded, word) => heeded.answer(Q, word)],
    [
      "an answer to an older state",
      (heeded, word) => {
        heeded.ask(P, ["one", "two"]);
        heeded.answer(P, word);
      },
    ],
  ])("takes %s for nothing", (_name, act) => {
    const { heeded } = made();
    act(heeded, heeded.ask(P, ["one"]) ?? "");
    expect(heeded.at(P, "one")).toBeUndefined();
  });

  it("keeps the first instant, and forgets a stop that was lifted", () => {
    const { heeded, pass } = made();
    heeded.answer(P, heeded.ask(P, ["one"]) ?? "");
    pass(5);
    heeded.answer(P, heeded.ask(P, ["one", "two"]) ?? "");
    expect([heeded.at(P, "one"), heeded.at(P, "two")]).toEqual([1000, 1005]);
    heeded.ask(P, ["two"]);
    expect([heeded.at(P, "one"), heeded.at(P, "two")]).toEqual([undefined, 1005]);
    heeded.ask(P, []);
    expect(heeded.at(P, "two")).toBeUndefined();
  });
});
