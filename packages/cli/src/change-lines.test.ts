import { describe, expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { changeLines } from "./change-lines.ts";
import { instant } from "./terminal.ts";

const AT = 1_800_000_000;
const SCRIPT = { name: "main script", before: "3f1cPz9A", now: "88abT0vX" };

type Row = readonly [string, JsonObject, readonly string[]];
const ROWS: readonly Row[] = [
  ["never approved before", {}, []],
  ["nothing", { changes: [], same: ["host"] }, ["NOTHING CHANGED", "  same as before: host", ""]],
  [
    "one thing",
    { changes: [SCRIPT], same: [] },
    ["1 THING CHANGED", "  main script  3f1cPz9A -> 88abT0vX", ""],
  ],
  [
    "several, one new and one gone",
    {
      changes: [SCRIPT, { name: "prompt", now: "a" }, { name: "tool list", before: "b" }],
      same: [],
    },
    [
      "3 THINGS CHANGED",
      "  main script  3f1cPz9A -> 88abT0vX",
      "  prompt       none -> a",
      "  tool list    b -> none",
      "",
    ],
  ],
];

describe("what has changed, in a terminal (console.md 6.3)", () => {
  it.each(ROWS)("%s", (_name, diff, lines) => {
    const view = diff["changes"] === undefined ? {} : { diff: { approved_at: AT, ...diff } };
    const since = ` SINCE YOU APPROVED IT ON ${instant(AT)}`;
    expect(changeLines(view)).toEqual(
      lines.map((line) => (line.endsWith("CHANGED") ? line + since : line)),
    );
  });

  it("shows no control character that a server might send", () => {
    const changes = [{ name: "host\u001b[2J", before: "a\u0007", now: "b\nc" }];
    const text = changeLines({ diff: { approved_at: AT, changes, same: ["x\u001b"] } }).join("|");
    expect(text).not.toMatch(/[\u0000-\u001f]/);
  });
});
