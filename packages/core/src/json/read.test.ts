import { describe, expect, test } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { isDigest, isHash, Members } from "./read.ts";
import type { Json } from "./strict.ts";

const HASH = "A".repeat(43);

describe("reading members", () => {
  const object: Json = { text: "abc", n: 5, flag: true, list: [1, 2], inner: { a: 1 }, hash: HASH };
  const members = (): Members => new Members(object, "statement_invalid", "st");

  test.each<readonly [string, (m: Members) => unknown, string]>([
    ["text", (m) => m.text("text"), "accepted"],
    ["text of another type", (m) => m.text("n"), "statement_invalid"],
    ["text absent", (m) => m.text("none"), "statement_invalid"],
    ["inherited names are absent", (m) => m.text("toString"), "statement_invalid"],
    ["text too long", (m) => m.text("text", { maxLength: 2 }), "statement_invalid"],
    ["text too short", (m) => m.text("text", { minLength: 4 }), "statement_invalid"],
    ["text of another form", (m) => m.text("text", { pattern: /^x/ }), "statement_invalid"],
    ["choice", (m) => m.choice("text", ["x", "abc"]), "accepted"],
    ["choice of others", (m) => m.choice("text", ["x"]), "statement_invalid"],
    ["integer at its bounds", (m) => m.integer("n", 5, 5), "accepted"],
    ["integer below", (m) => m.integer("n", 6), "statement_invalid"],
    ["integer above", (m) => m.integer("n", 0, 4), "statement_invalid"],
    ["integer of another type", (m) => m.integer("text"), "statement_invalid"],
    ["flag", (m) => m.flag("flag"), "accepted"],
    ["flag of another type", (m) => m.flag("n"), "statement_invalid"],
    ["thumbprint", (m) => m.thumbprint("hash"), "accepted"],
    ["digest without its prefix", (m) => m.digest("hash"), "statement_invalid"],
    ["list", (m) => m.list("list", (item) => item, 2), "accepted"],
    ["list over its bound", (m) => m.list("list", (item) => item, 1), "statement_invalid"],
    ["list of another type", (m) => m.list("inner", (item) => item, 9), "statement_invalid"],
    ["object", (m) => m.object("inner").integer("a"), "accepted"],
    ["object that is a list", (m) => m.object("list"), "statement_invalid"],
    ["unread members", (m) => m.end(), "statement_invalid"],
  ])("%s → %#", async (_, read, code) => {
    expect(await outcomeOf(() => read(members()))).toBe(code);
  });

  test("a closed object ends when each member was read", () => {
    const m = members();
    for (const name of Object.keys(object)) m.raw(name);
    expect(() => m.end()).not.toThrow();
  });

  test("optional members are read only when they are there", () => {
    expect(members().optional("none", () => 1)).toBeUndefined();
    expect(members().optional("n", (name) => members().integer(name))).toBe(5);
  });

  test.each([[undefined], [null], [[]], ["x"], [1]])("%j is no object", async (value) => {
    expect(await outcomeOf(() => new Members(value, "evidence_invalid"))).toBe("evidence_invalid");
  });

  test.each([
    [HASH, true],
    [HASH.slice(1), false],
    [`${HASH.slice(1)}B`, false],
    [`${HASH}A`, false],
    [`${HASH.slice(1)}=`, false],
    [5, false],
  ])("hash %j: %s", (value, is) => {
    expect(isHash(value)).toBe(is);
    expect(isDigest(`sha-256:${String(value)}`)).toBe(is);
    expect(isDigest(value)).toBe(false);
  });
});
