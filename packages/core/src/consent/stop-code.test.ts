import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUtf8 } from "../bytes.ts";
import { makeStopCode, readStopCode, stopCodePayload } from "./stop-code.ts";

const octets = (value: number) => (byteCount: number) => new Uint8Array(byteCount).fill(value);

describe("a stop code", () => {
  it("has 80 random bits in four groups", () => {
    expect(makeStopCode(octets(0))).toBe("0000-0000-0000-0000");
    expect(makeStopCode(octets(255))).toBe("ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    let asked = 0;
    makeStopCode((byteCount) => {
      asked += byteCount;
      return new Uint8Array(byteCount);
    });
    expect(asked * 8).toBe(80);
  });

  it("comes back however it is typed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 10 }), (random) => {
        const code = makeStopCode(() => random);
        expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
        for (const typed of [code, code.toLowerCase(), code.replaceAll("-", " "), ` ${code} `])
          expect(readStopCode(typed)).toBe(code);
        expect(readStopCode(code.replaceAll("0", "o").replaceAll("1", "L"))).toBe(code);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["a character less", "0000-0000-0000-000"],
    ["a character more", "0000-0000-0000-00000"],
    ["a letter that is none of them", "0000-0000-0000-000U"],
    ["a request's code", "ABCDE-FGHJK"],
    ["something long", "0".repeat(65)],
    ["another alphabet", "٠٠٠٠-٠٠٠٠-٠٠٠٠-٠٠٠٠"],
  ])("is none: %s", (_what, typed) => {
    expect(readStopCode(typed)).toBeUndefined();
  });

  it("is hashed under a name of its own", () => {
    expect(fromUtf8(stopCodePayload("0000-0000-0000-0000"))).toBe(
      "countersign-stop-code/1\u00000000-0000-0000-0000",
    );
  });
});
