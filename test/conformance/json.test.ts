import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, parseJson } from "@countersign/core";
import { outcomeOf } from "./outcome.ts";

const OPEN = { maxBytes: 1e6, maxDepth: 16, nullAllowed: true, fractionsAllowed: true };

/** Documents with several members, some of whose names and values look like structure. */
const document = fc.dictionary(
  fc.oneof(
    fc.string({ maxLength: 5 }).filter((name) => JSON.stringify(name).length === name.length + 2),
    fc.constantFrom(":", "{", "a"),
  ),
  fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('":"', "{}", "\\")),
  { minKeys: 1, maxKeys: 6, noNullPrototype: true },
);
/** A member name with an escape, or something in a string that looks like one: refused, so not for this property. */
const ESCAPED_NAME = /\\.(?:[^"\\]|\\.)*"\s*:/;
const isSafe = (text: string): boolean =>
  !ESCAPED_NAME.test(text) &&
  !text.includes("__proto__") &&
  !/-0|[0-9]e\+?[0-9]|[0-9]{16}/.test(text);

describe("RFC 7493 (I-JSON), RFC 8259", () => {
  test("2.3 objects MUST NOT have members with duplicate names: a planted one is always found", async () => {
    await fc.assert(
      fc.asyncProperty(document, fc.nat(), fc.boolean(), async (value, at, isEscaped) => {
        const text = JSON.stringify(value);
        fc.pre(isSafe(text));
        expect(parseJson(text, OPEN)).toEqual(JSON.parse(text));
        const names = Object.keys(value);
        const name = JSON.stringify(names[at % names.length]);
        const spelled = isEscaped ? name.replaceAll("a", "\\u0061") : name;
        const planted = `${text.slice(0, -1)},${spelled}:1}`;
        expect(await outcomeOf(() => parseJson(planted, OPEN))).toBe("malformed_json");
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ["2.1 UTF-8 without surrogates that stand alone", '"\\uDEAD"', "malformed_json"],
    ["2.1 a surrogate pair", '"\\uD83D\\uDE00"', "accepted"],
    ["2.2 the largest safe integer", "9007199254740991", "accepted"],
    ["2.2 numbers beyond it", "9007199254740993", "malformed_json"],
    ["2.2 numbers beyond IEEE 754", "1E400", "malformed_json"],
    ["RFC 8259 2: no comments", "{/**/}", "malformed_json"],
    ["RFC 8259 5: no trailing comma", "[1,]", "malformed_json"],
    ["RFC 8259 6: no leading zero", "[01]", "malformed_json"],
    ["RFC 8259 8.1: no byte order mark", "\uFEFF[1]", "malformed_json"],
  ])("%s", async (_, text, code) => {
    expect(await outcomeOf(() => parseJson(text, OPEN))).toBe(code);
  });
});

describe("RFC 8785 (JCS), integers only", () => {
  test("3.2.3 the sorting example", () => {
    const unsorted = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    const values = Object.values(JSON.parse(canonicalJson(unsorted)) as Record<string, string>);
    expect(values.toSorted()).toEqual(Object.values(unsorted).toSorted());
    const order = [...canonicalJson(unsorted).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
    expect(order).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ]);
  });

  test("3.2.2.2 the string example", () => {
    const text = "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\u002f";
    expect(canonicalJson([text])).toBe('["\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"]');
    expect(canonicalJson([text])).toBe(canonicalize([text]));
  });

  test.each([
    ["3.2.2.3 fractions are outside of the profile", [4.5]],
    ["3.2.2.3 NaN MUST NOT be used", [Number.NaN]],
    ["3.2.2.3 Infinity MUST NOT be used", [Infinity]],
    ["3.2.2.2 invalid Unicode MUST terminate with an error", ["\uDEAD"]],
  ])("%s", async (_, value) => {
    expect(await outcomeOf(() => canonicalJson(value))).toBe("malformed_json");
  });
});
