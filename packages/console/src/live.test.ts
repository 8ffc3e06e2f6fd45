import { describe, expect, it } from "vitest";
import { EventParser } from "./live.ts";

describe("EventParser (HTML 9.2.6)", () => {
  it.each<[string, readonly string[], readonly object[]]>([
    ["one event", ["data: a\n\n"], [{ event: "message", data: "a" }]],
    ["in pieces", ["da", "ta: a", "\n", "\n"], [{ event: "message", data: "a" }]],
    [
      "name, id and two lines",
      ["event: inbox\nid: 7\ndata: a\ndata: b\n\n"],
      [{ event: "inbox", id: "7", data: "a\nb" }],
    ],
    ["a comment", [": still here\n\n"], []],
    ["no data", ["event: inbox\n\n"], []],
    ["carriage returns", ["data: a\r\n\r\n"], [{ event: "message", data: "a" }]],
    ["a value with a colon", ["data: a: b\n\n"], [{ event: "message", data: "a: b" }]],
    ["an end that has not come", ["data: a\n"], []],
    [
      "the id stays for later ones",
      ["id: 3\ndata: a\n\ndata: b\n\n"],
      [
        { event: "message", id: "3", data: "a" },
        { event: "message", id: "3", data: "b" },
      ],
    ],
  ])("%s", (_, pieces, wanted) => {
    const parser = new EventParser();
    expect(pieces.flatMap((piece) => parser.push(piece))).toEqual(wanted);
  });

  it("does not keep an event that never ends", () => {
    const parser = new EventParser();
    expect(() => parser.push("x".repeat(65_537))).toThrow(RangeError);
  });

  it("does not keep an event of lines without end either", () => {
    const parser = new EventParser();
    const line = `data: ${"x".repeat(1000)}\n`;
    const flood = (): void => {
      for (let n = 0; n < 100; n += 1) parser.push(line);
    };
    expect(flood).toThrow(RangeError);
  });

  it("takes many events that come in one piece", () => {
    const parser = new EventParser();
    const event = `data: ${"x".repeat(1000)}\n\n`;
    expect(parser.push(event.repeat(100))).toHaveLength(100);
  });
});
