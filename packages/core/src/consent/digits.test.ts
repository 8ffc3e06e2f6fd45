import { expect, it } from "vitest";
import { DIGITS, drawDigits } from "./digits.ts";

it.each<readonly [string, readonly number[], string]>([
  ["nothing", [0, 0, 0, 0, 0, 0, 0, 0], "00"],
  ["seven", [0, 0, 0, 0, 0, 0, 0, 7], "07"],
  ["a hundred", [0, 0, 0, 0, 0, 0, 0, 100], "00"],
  ["2^64 - 1", [255, 255, 255, 255, 255, 255, 255, 255], "15"],
])("the digits of %s are its last two", (_name, octets, wanted) => {
  expect(drawDigits(() => new Uint8Array(octets))).toBe(wanted);
});

it("every two digits come, and each about as often", () => {
  const counts = new Map<string, number>();
  for (let n = 0; n < 10_000; n += 1) {
    const word = drawDigits((size) => new Uint8Array(size).fill(n >> 8, 6, 7).fill(n & 255, 7));
    expect(word).toMatch(DIGITS);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  expect(counts.size).toBe(100);
  expect(new Set(counts.values())).toEqual(new Set([100]));
});
