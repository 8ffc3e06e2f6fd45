import { describe, expect, test } from "vitest";
import { memoryReplayStore } from "./replay.ts";

describe("replay store in memory", () => {
  test("one of many calls at once is the first", async () => {
    const store = memoryReplayStore({ maxEntries: 10 });
    const calls = Array.from({ length: 20 }, () => store.first("a", "1", 100, 0));
    const answers = await Promise.all(calls);
    expect(answers.filter((answer) => answer === "first")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "used")).toHaveLength(19);
  });

  test("keeps a name until its expiry, scope by scope", async () => {
    const store = memoryReplayStore({ maxEntries: 10 });
    expect(await store.first("a", "1", 100, 0)).toBe("first");
    expect(await store.first("b", "1", 100, 0)).toBe("first");
    expect(await store.first("a", "1", 200, 99)).toBe("used");
    expect(await store.first("a", "1", 200, 100)).toBe("first");
  });

  test("a caller who floods it leaves half to the others, and each next one half of the rest", async () => {
    const store = memoryReplayStore({ maxEntries: 100 });
    const flood = async (scope: string): Promise<number> => {
      let taken = 0;
      while ((await store.first(scope, `${taken}`, 100, 0)) === "first") taken += 1;
      return taken;
    };
    expect(await flood("a")).toBe(50);
    expect(await flood("b")).toBe(25);
    expect(await flood("c")).toBe(13);
    expect(await store.first("quiet", "1", 100, 0)).toBe("first");
    expect(await store.first("a", "0", 100, 0)).toBe("used");
  });

  test("never makes room by forgetting what still lives; expiry gives room back", async () => {
    const store = memoryReplayStore({ maxEntries: 2 });
    expect(await store.first("a", "1", 100, 0)).toBe("first");
    expect(await store.first("b", "1", 100, 0)).toBe("first");
    expect(await store.first("c", "1", 100, 99)).toBe("unavailable");
    expect(await store.first("a", "1", 100, 99)).toBe("used");
    expect(await store.first("c", "1", 200, 100)).toBe("first");
  });

  test("a clock that steps back reopens nothing", async () => {
    const store = memoryReplayStore({ maxEntries: 10 });
    expect(await store.first("a", "1", 100, 0)).toBe("first");
    expect(await store.first("a", "2", 300, 200)).toBe("first");
    expect(await store.first("a", "1", 100, 50)).toBe("unavailable");
  });

  test.each([0, -1])("room for %s refuses all", async (maxEntries) => {
    expect(await memoryReplayStore({ maxEntries }).first("a", "1", 100, 0)).toBe("unavailable");
  });
});
