import { expect, it } from "vitest";
import { TimeSpoken } from "./time-spoken.ts";

it.each([
  ["at a minute and at ten seconds", [62, 61, 60, 59, 11, 10, 9, 1, 0], [60, 10]],
  ["once, where ticks pass a mark by", [61, 58, 57, 12, 8, 7], [58, 8]],
  ["once, where a tick passes both", [61, 7, 6], [7]],
  ["not of what is over", [61, -3], []],
  ["not because a page was opened late", [45, 44, 11, 10], [10]],
  ["at a mark at which it was opened", [60, 59], [60]],
  ["anew of a text that was made anew", [61, 60, 59, 300, 61, 60], [60, 60]],
])("speaks %s", (_name, rests, spoken) => {
  const time = new TimeSpoken();
  expect(rests.filter((rest) => time.isDue(rest))).toEqual(spoken);
});
