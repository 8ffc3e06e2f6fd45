import type { Entry, RunFact } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { factsOf } from "../world.testing.ts";
import { runFactOf } from "./digits.ts";

const RUN: RunFact = { uid: 1001, since: 5 };
const random = (size: number): Uint8Array => new Uint8Array(size).fill(7, size - 1);

describe("what evidence says of the run (owner.md 1.7)", () => {
  type Row = readonly [string, { run?: RunFact; hasTerminal?: boolean }, string, unknown];
  it.each<Row>([
    ["no run door", { hasTerminal: true }, "owner", undefined],
    ["nobody at a terminal", { run: RUN, hasTerminal: false }, "owner", RUN],
    ["nothing said of a terminal", { run: RUN }, "owner", RUN],
    [
      "somebody there, and an owner",
      { run: RUN, hasTerminal: true },
      "owner",
      { ...RUN, digits: "07" },
    ],
    ["somebody there, and no owner to be asked", { run: RUN, hasTerminal: true }, "none", RUN],
  ])("%s", (_name, about, binding, wanted) => {
    const entry = { binding } as Entry; // nothing else is looked at
    expect(runFactOf({ random }, { entry, facts: { ...factsOf(2), ...about } })).toEqual(wanted);
  });
});
