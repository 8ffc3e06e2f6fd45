import { expect, it } from "vitest";
import { isKnownLog } from "./checked.ts";

it("a browser keeps the first key of the log that it sees, and knows no other one", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  };
  expect(isKnownLog(storage, "log+1")).toBe(true);
  expect(isKnownLog(storage, "log+1")).toBe(true);
  expect(isKnownLog(storage, "log+2")).toBe(false);
  // and it does not forget the first for it
  expect(isKnownLog(storage, "log+1")).toBe(true);
});
