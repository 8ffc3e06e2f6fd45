import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { parseJson, parseJsonObject } from "./strict.ts";

const LIMITS = { maxBytes: 1000, maxDepth: 3 };
const OPEN = { maxBytes: 100_000, maxDepth: 16, nullAllowed: true, fractionsAllowed: true };

describe("strict JSON", () => {
  test.each([
    ['{"a":1}', "accepted"],
    ['{"a":1,"a":1}', "malformed_json"],
    ['{"a":1,"\\u0061":2}', "malformed_json"],
    ['{"a":{"b":1},"a":{"c":1,"d":2}}', "malformed_json"],
    ['{"a":{"b":1,"b":1}}', "malformed_json"],
    ['[{"a":1,"a":1}]', "malformed_json"],
    ['{"":1,"":2}', "malformed_json"],
    ['{"a":":{\\":\\"}"}', "accepted"],
    ['{"a:":1,"b{":2}', "accepted"],
    // some releases of V8 read escaped names wrongly, for ever, once they have met this one
    ['{"\\\\":1}', "malformed_json"],
    ['{"a\\\\":1,"b:":2}', "malformed_json"],
    ['{"\\u0061":1}', "malformed_json"],
    ['{"a\\"b" :1}', "malformed_json"],
    ['["\\\\"]', "accepted"],
    ['{"__proto__":1}', "malformed_json"],
    ['{"\\u005f_proto__":1}', "malformed_json"],
    ['{"constructor":1}', "accepted"],
    ['{"a":null}', "malformed_json"],
    ['{"a":1.5}', "malformed_json"],
    ['{"a":1.0}', "accepted"],
    ['{"a":-0}', "malformed_json"],
    ['{"a":9007199254740991}', "accepted"],
    ['{"a":9007199254740992}', "malformed_json"],
    ['{"a":1e400}', "malformed_json"],
    ['{"a":"\\ud800"}', "malformed_json"],
    ['{"\\udc00":1}', "malformed_json"],
    ['{"a":"\\ud83d\\ude00"}', "accepted"],
    ['{"a":[[1]]}', "accepted"],
    ['{"a":[[[1]]]}', "malformed_json"],
    ["\uFEFF{}", "malformed_json"],
    ["{} x", "malformed_json"],
    ["", "malformed_json"],
    ["{'a':1}", "malformed_json"],
    ["[NaN]", "malformed_json"],
    [`"${"a".repeat(1000)}"`, "too_large"],
  ])("%s → %s", async (text, code) => {
    expect(await outcomeOf(() => parseJson(text, LIMITS))).toBe(code);
    expect(await outcomeOf(() => parseJson(utf8(text), LIMITS))).toBe(
      text.includes("\uFEFF") ? "malformed_json" : code,
    );
  });

  test.each([
    ["[null,1.5,-0.5]", "accepted"],
    ["[-0.0]", "malformed_json"],
    ["[1e400]", "malformed_json"],
    ["[1e300]", "malformed_json"],
  ])("open to strangers: %s → %s", async (text, code) => {
    expect(await outcomeOf(() => parseJson(text, OPEN))).toBe(code);
  });

  test.each(["[]", '"a"', "1", "true"])("%s is no object", async (text) => {
    expect(await outcomeOf(() => parseJsonObject(text, LIMITS))).toBe("malformed_json");
  });

  test("octets that are not UTF-8", async () => {
    const input = new Uint8Array([0x22, 0xff, 0x22]);
    expect(await outcomeOf(() => parseJson(input, LIMITS))).toBe("malformed_json");
  });

  test("nesting that would exhaust a stack is refused, not fatal", async () => {
    const deep = "[".repeat(50_000) + "]".repeat(50_000);
    expect(await outcomeOf(() => parseJson(deep, { ...OPEN, maxBytes: 200_000 }))).toBe(
      "malformed_json",
    );
  });

  test("returns or refuses, whatever comes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json({ noUnicodeString: false })), async (text) => {
        expect(["accepted", "malformed_json"]).toContain(
          await outcomeOf(() => parseJson(text, OPEN)),
        );
      }),
    );
  });
});
