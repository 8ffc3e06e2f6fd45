import { expect, it } from "vitest";
import { counterStep } from "./counter.ts";
import type { CounterStep } from "./counter.ts";

type Row = readonly [stored: number | undefined, shown: number | undefined, step: CounterStep];
const ROWS: readonly Row[] = [
  [undefined, undefined, "silent"],
  [undefined, 0, "silent"],
  [0, 0, "silent"],
  [0, undefined, "silent"],
  [undefined, 1, "advanced"],
  [0, 1, "advanced"],
  [7, 8, "advanced"],
  [7, 1000, "advanced"],
  [7, 7, "regressed"],
  [7, 6, "regressed"],
  [7, 0, "regressed"],
  [7, undefined, "regressed"],
  [0xffff_fffe, 0xffff_ffff, "advanced"],
  [0xffff_ffff, 0, "regressed"],
];

it.each(ROWS)("a counter of %s, then %s: %s", (stored, shown, step) => {
  expect(counterStep(stored, shown)).toBe(step);
});
