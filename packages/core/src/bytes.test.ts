import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  base64,
  base64url,
  concat,
  equalBytes,
  equalText,
  fromBase64,
  fromBase64url,
  fromUtf8,
  hex,
  utf8,
} from "./bytes.ts";
import { outcomeOf } from "./outcome.testing.ts";

const octets = fc.uint8Array({ maxLength: 70 });

describe("base64url", () => {
  test("is what Node writes, and reads back", () => {
    fc.assert(
      fc.property(octets, (data) => {
        expect(base64url(data)).toBe(Buffer.from(data).toString("base64url"));
        expect(fromBase64url(base64url(data))).toEqual(data);
        expect(base64(data)).toBe(Buffer.from(data).toString("base64"));
        expect(fromBase64(base64(data))).toEqual(data);
      }),
    );
  });

  test("one value has one spelling: what is read is what would be written", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_=+/ -]{0,12}$/), (text) => {
        let data;
        try {
          data = fromBase64url(text);
        } catch {
          return;
        }
        expect(base64url(data)).toBe(text);
      }),
    );
  });

  test.each([
    ["", "accepted"],
    ["AA", "accepted"],
    ["AB", "malformed_token"],
    ["A", "malformed_token"],
    ["AA==", "malformed_token"],
    ["AAA\n", "malformed_token"],
    ["AA+A", "malformed_token"],
    ["AAÄA", "malformed_token"],
    ["\u0000\u0000", "malformed_token"],
  ])("base64url %j → %s", async (text, code) => {
    expect(await outcomeOf(() => fromBase64url(text))).toBe(code);
  });

  test.each([
    ["", "accepted"],
    ["AA==", "accepted"],
    ["AAA=", "accepted"],
    ["AAAA", "accepted"],
    ["AA", "malformed_token"],
    ["AAA", "malformed_token"],
    ["A===", "malformed_token"],
    ["====", "malformed_token"],
    ["AAAA====", "malformed_token"],
    ["AB==", "malformed_token"],
    ["AA=A", "malformed_token"],
    ["AA_A", "malformed_token"],
  ])("base64 %j → %s", async (text, code) => {
    expect(await outcomeOf(() => fromBase64(text))).toBe(code);
  });
});

describe("text and octets", () => {
  test("UTF-8 reads back, a byte order mark is kept", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => fromUtf8(utf8(text)) === text),
    );
    expect(fromUtf8(new Uint8Array([0xef, 0xbb, 0xbf, 0x41]))).toBe("\uFEFFA");
  });

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]]])(
    "%j is not UTF-8",
    async (data) => {
      expect(await outcomeOf(() => fromUtf8(new Uint8Array(data)))).toBe("malformed_json");
    },
  );

  test("equality is equality", () => {
    fc.assert(
      fc.property(octets, octets, (a, b) => {
        expect(equalBytes(a, b)).toBe(hex(a) === hex(b));
        expect(equalBytes(a, a.slice())).toBe(true);
      }),
    );
    expect([equalText("a", "a"), equalText("a", "b"), equalText("a", "aa")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("concat and hex", () => {
    expect(hex(concat(new Uint8Array([0, 15]), new Uint8Array(), new Uint8Array([255])))).toBe(
      "000fff",
    );
  });
});
