import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { canonicalBytes, canonicalJson } from "./canonical.ts";
import { parseJson } from "./strict.ts";

const name = fc.string({ unit: "grapheme", maxLength: 6 }).filter((text) => text !== "__proto__");
const json = fc.letrec<{ value: object | string | number | boolean }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.boolean(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

/** Names that cannot stand without an escape are written, and refused when read. */
function hasEscapedName(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(
    ([key, item]) => JSON.stringify(key).length !== key.length + 2 || hasEscapedName(item),
  );
}

describe("canonical form", () => {
  test("is that of another implementation", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson({ value })).toBe(canonicalize({ value }));
      }),
    );
  });

  test("parse ∘ serialise is the identity, and strict", () => {
    fc.assert(
      fc.property(json, (value) => {
        fc.pre(!hasEscapedName(value));
        const read = parseJson(canonicalBytes({ value }), { maxBytes: 1e6, maxDepth: 16 });
        expect(read).toEqual({ value });
        expect(canonicalJson(read as object)).toBe(canonicalJson({ value }));
      }),
    );
  });

  test("sorts by UTF-16 code unit, not by code point", () => {
    expect(canonicalJson({ "\u{1F600}": 1, "\uFB33": 2, a: 3, "1": 4 })).toBe(
      '{"1":4,"a":3,"\u{1F600}":1,"\uFB33":2}',
    );
  });

  test("members that are undefined are absent; toJSON is not called", () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  test.each([
    ["a fraction", { a: 1.5 }],
    ["minus zero", { a: -0 }],
    ["not a number", { a: Number.NaN }],
    ["an unsafe integer", { a: 2 ** 53 }],
    ["a hole", [undefined]],
    ["a function", { a: (): void => undefined }],
    ["a bigint", { a: 1n }],
    ["a lone surrogate", { a: "\uD800" }],
    ["a lone surrogate in a name", { "\uDC00": 1 }],
  ])("%s has no canonical form", async (_, value) => {
    expect(await outcomeOf(() => canonicalJson(value))).toBe("malformed_json");
  });
});
