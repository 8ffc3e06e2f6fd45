import { describe, expect, it } from "vitest";
import { nodeCrypto } from "../../node/src/crypto.ts";
import { utf8 } from "./bytes.ts";
import { Refusal } from "./refusal.ts";
import { bounded, readOnce, rememberingCrypto } from "./remember.ts";

describe("readOnce", () => {
  const counting = (): { read: (data: Uint8Array) => { size: number }; times: () => number } => {
    let times = 0;
    return {
      times: () => times,
      read: (data) => {
        times += 1;
        if (data.length === 0) throw new Refusal("statement_invalid");
        return { size: data.length };
      },
    };
  };

  it("reads equal octets once, and others anew", () => {
    const c = rememberingCrypto(nodeCrypto, 10);
    const { read, times } = counting();
    const first = readOnce(c, "thing", utf8("one"), read);
    expect(readOnce(c, "thing", utf8("one"), read)).toBe(first);
    expect(times()).toBe(1);
    expect(readOnce(c, "thing", utf8("other"), read)).toEqual({ size: 5 });
    expect(times()).toBe(2);
  });

  it("keeps readers apart", () => {
    const c = rememberingCrypto(nodeCrypto, 10);
    expect(readOnce(c, "length", utf8("one"), (data) => data.length)).toBe(3);
    expect(readOnce(c, "first", utf8("one"), (data) => data[0])).toBe(111);
  });

  it("remembers no refusal", () => {
    const c = rememberingCrypto(nodeCrypto, 10);
    const { read, times } = counting();
    for (const round of [1, 2]) {
      expect(() => readOnce(c, "thing", new Uint8Array(0), read)).toThrow(Refusal);
      expect(times()).toBe(round);
    }
  });

  it("forgets the oldest beyond its bound", () => {
    const c = rememberingCrypto(nodeCrypto, 2);
    const { read, times } = counting();
    for (const text of ["a", "b", "c", "a"]) readOnce(c, "thing", utf8(text), read);
    expect(times()).toBe(4);
  });

  it("reads each time where nothing remembers", () => {
    const { read, times } = counting();
    readOnce(nodeCrypto, "thing", utf8("one"), read);
    readOnce(nodeCrypto, "thing", utf8("one"), read);
    expect(times()).toBe(2);
  });
});

describe("bounded", () => {
  it("holds at most so many, and forgets the oldest", () => {
    const held = bounded<number>(2);
    held.set("a", 1);
    held.set("b", 2);
    held.set("a", 3); // not a new one
    held.set("c", 4);
    expect([held.get("a"), held.get("b"), held.get("c")]).toEqual([undefined, 2, 4]);
  });
});
