import { describe, expect, it } from "vitest";
import { typedId } from "./typed-id.ts";

const of = (...octets: readonly number[]): string =>
  typedId({ random: () => Uint8Array.from(octets) }, octets.length);

describe("an id that is typed", () => {
  it.each([
    [[0xfb, 0xef, 0xbe], "yyyy"], // of base64url it would be ----
    [[0xff, 0xff, 0xff], "xxxx"], // ____
    [[1, 2, 3], "AQID"],
  ])("%j: %s", (octets, id) => {
    expect(of(...octets)).toBe(id);
  });
});
