import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { fromUtf8, Refusal } from "@countersign/core";
import { heldPin, pinsFromInput } from "./pins.ts";
import type { PinSource } from "./pins.ts";

/** Standard input with these pieces, then its end, or still open. */
function source(pieces: readonly string[], isOpen = false): PinSource {
  const stdin = new PassThrough();
  for (const piece of pieces) stdin.write(piece);
  if (!isOpen) stdin.end();
  return pinsFromInput({ stdin: stdin as unknown as NodeJS.ReadStream }); // all of it that is used
}
const next = async (pins: PinSource): Promise<string> => {
  try {
    return fromUtf8(await pins.next());
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
};

describe("a terminal", () => {
  it("is no place to write a PIN that everybody reads", () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const open = (): PinSource => pinsFromInput({ stdin: stdin as unknown as NodeJS.ReadStream }); // all of it that is used
    expect(open).toThrow(expect.objectContaining({ code: "malformed_request" }));
  });
});

describe("one PIN for every signature", () => {
  it("is read once, and given again until the token refuses it", async () => {
    const pins = heldPin(source(["847362\n1234\n"], true));
    expect([await next(pins), await next(pins)]).toEqual(["847362", "847362"]);
    pins.refused();
    expect([await next(pins), await next(pins)]).toEqual(["token_refused", "token_refused"]);
    pins.close();
  });

  it("is not there when there is none", async () => {
    expect(await next(heldPin(source([])))).toBe("malformed_request");
  });
});

describe("PINs from standard input", () => {
  it.each<readonly [string, readonly string[], boolean, readonly string[]]>([
    ["one line", ["847362\n"], false, ["847362", "malformed_request"]],
    ["one without its line end", ["847362"], false, ["847362", "malformed_request"]],
    ["two lines", ["847362\n1234\n"], false, ["847362", "1234"]],
    ["in pieces", ["84", "7362", "\n12", "34\n"], false, ["847362", "1234"]],
    ["while the pipe stays open", ["847362\n1234\n"], true, ["847362", "1234"]],
    ["with spaces, which are of it", [" 84 \n"], false, [" 84 "]],
    ["none", [], false, ["malformed_request"]],
    ["an empty line", ["\n847362\n"], false, ["malformed_request"]],
    ["a control character", ["8473\u000062\n"], false, ["malformed_request"]],
    ["a carriage return", ["847362\r\n"], false, ["malformed_request"]],
    ["101 octets", [`${"1".repeat(101)}\n`], false, ["malformed_request"]],
    ["a flood", ["1".repeat(1025)], true, ["too_large"]],
  ])("%s", async (_name, pieces, isOpen, wanted) => {
    const pins = source(pieces, isOpen);
    for (const one of wanted) expect(await next(pins)).toBe(one);
    pins.close();
  });
});
