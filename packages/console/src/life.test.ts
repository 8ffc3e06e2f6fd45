import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lifeOf, MAX_LANES } from "./life.ts";
import type { CredentialSpan, Gap, LifeFacts } from "./life.ts";

const NOW = 100_000;
const MIN = 60;
const span = (from: number, until: number): { from: number; until: number } => ({
  from: NOW + from * MIN,
  until: NOW + until * MIN,
});
const credential = (from: number, until = from + 15): CredentialSpan => ({
  ...span(from, until),
  n: undefined,
  seq: 0,
});
/** Renewed at half life. */
const USUAL: LifeFacts = {
  credentials: [-3, -10.5, -18].map((from) => credential(from)),
  grants: [span(-60, 600)],
  stops: [],
};

describe("the life of an agent", () => {
  it.each<[string, Partial<LifeFacts>, readonly Gap[]]>([
    ["has no gap where each was renewed", {}, []],
    [
      "has one where nobody renewed",
      { credentials: [credential(-3), credential(-40)] },
      [{ ...span(-25, -3), why: "not renewed" }],
    ],
    [
      "has one where there was no approval",
      { credentials: [credential(-3), credential(-40)], grants: [span(-3, 60), span(-60, -25)] },
      [{ ...span(-25, -3), why: "no approval" }],
    ],
    [
      "goes on having none where it is stopped",
      { credentials: [credential(-40)], stops: [NOW - 26 * MIN] },
      [{ ...span(-25, 0), why: "stopped" }],
    ],
    [
      "goes on having none where the approval ended",
      { credentials: [credential(-40)], grants: [span(-60, -25)] },
      [{ ...span(-25, 0), why: "no approval" }],
    ],
    ["has none before the first that is known", { credentials: [credential(-3)] }, []],
    ["has none at all without credentials", { credentials: [] }, []],
    [
      "leaves out one that is long past",
      { credentials: [credential(-3), credential(-90), credential(-200)] },
      [{ ...span(-75, -3), why: "not renewed" }],
    ],
  ])("%s", (_name, change, gaps) => {
    expect(lifeOf({ ...USUAL, ...change }, NOW).gaps).toEqual(gaps);
  });

  it.each<[string, Partial<LifeFacts>, number | undefined]>([
    ["at half the life of the newest", {}, NOW + 4.5 * MIN],
    ["now, where half of it is over", { credentials: [credential(-9)] }, NOW],
    ["not, once it has ended", { credentials: [credential(-20)] }, undefined],
    ["not, while it is stopped", { stops: [NOW - 1] }, undefined],
    ["not without an approval", { grants: [span(-60, -1)] }, undefined],
    ["not without a credential", { credentials: [] }, undefined],
  ])("is renewed %s", (_name, change, next) => {
    expect(lifeOf({ ...USUAL, ...change }, NOW).next).toBe(next);
  });

  it("draws those that live at the same time in rows of their own", () => {
    const { bars } = lifeOf(USUAL, NOW);
    expect(bars.map(({ lane, isAlive }) => [lane, isAlive])).toEqual([
      [0, false],
      [1, true],
      [0, true],
    ]);
  });

  it("never draws outside the rows, and gaps never overlap a credential", () => {
    const spans = fc.array(
      fc.record({ from: fc.integer({ min: -90, max: 0 }), long: fc.integer({ min: 1, max: 30 }) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(spans, (made) => {
        const credentials = made
          .map(({ from, long }) => credential(from, from + long))
          .toSorted((a, b) => b.from - a.from);
        const { bars, gaps } = lifeOf({ ...USUAL, credentials }, NOW);
        for (const { lane } of bars) expect(lane).toBeLessThan(MAX_LANES);
        for (const gap of gaps)
          for (const { from, until } of credentials)
            expect(from >= gap.until || until <= gap.from).toBe(true);
      }),
    );
  });
});
