import { describe, expect, it } from "vitest";
import type { OwnerKind } from "../consent/statement.ts";
import { Refusal } from "../refusal.ts";
import { decideDigits, matchFor, triesLeft } from "./digits.ts";
import type { DigitsRuling } from "./digits.ts";

function rule(
  typed: string | undefined,
  failures: number | "none",
  ownerKind: OwnerKind = "person",
): DigitsRuling | string {
  const known = failures === "none" ? undefined : { digits: "42", failures };
  try {
    return decideDigits(typed, known, { ownerKind });
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const bad = "malformed_request";

describe("whether the statement of a question may be made (owner.md 1.7)", () => {
  it.each<readonly [string, ReturnType<typeof rule>, DigitsRuling | string]>([
    ["no digits are asked for", rule(undefined, "none"), { do: "open" }],
    ["digits where none are asked for", rule("42", "none"), bad],
    ["none were typed", rule(undefined, 0), { do: "ask", triesLeft: 2 }],
    ["none were typed, after one failure", rule(undefined, 1), { do: "ask", triesLeft: 1 }],
    ["the right ones", rule("42", 0), { do: "open" }],
    ["the right ones after one failure", rule("42", 1), { do: "open" }],
    ["one other digit", rule("43", 0), { do: "count", failures: 1, triesLeft: 1 }],
    ["the two turned round", rule("24", 0), { do: "count", failures: 1, triesLeft: 1 }],
    ["wrong once more", rule("24", 1), { do: "deny" }],
    ["wrong when there is nothing left", rule("24", 2), { do: "deny" }],
    ["one digit", rule("4", 0), bad],
    ["three digits", rule("421", 0), bad],
    ["no digits", rule("ab", 0), bad],
    ["digits of another script", rule("٤٢", 0), bad],
    ["a line more", rule("42\n", 0), bad],
    ["nothing at all", rule("", 0), bad],
    ["a device's key", rule(undefined, 0, "device"), { do: "open" }],
    ["a policy's key", rule(undefined, 0, "policy"), { do: "open" }],
    ["a machine that types", rule("42", 0, "policy"), bad],
    ["a machine that guesses is not counted", rule("24", 1, "device"), bad],
  ])("%s", (_name, ruled, wanted) => {
    expect(ruled).toEqual(wanted);
  });

  it.each([
    [0, 2],
    [1, 1],
    [2, 0],
    [3, 0],
  ])("after %i failures %i tries are left", (failures, left) => {
    expect(triesLeft({ digits: "42", failures })).toBe(left);
  });
});

describe("what a statement says of the digits", () => {
  const [person, machine] = [{ ownerKind: "person" }, { ownerKind: "policy" }] as const;
  it.each<readonly [string, string | undefined, string | undefined]>([
    ["a person's", matchFor("42", person, undefined), "42"],
    ["a machine's", matchFor("42", machine, undefined), undefined],
    ["without any", matchFor(undefined, person, undefined), undefined],
    ["of several persons", matchFor("42", person, { isOfPersons: true }), "42"],
    ["a person's beside a machine", matchFor("42", person, { isOfPersons: false }), undefined],
    ["a machine's beside a person", matchFor("42", machine, { isOfPersons: false }), undefined],
  ])("%s", (_name, made, wanted) => {
    expect(made).toBe(wanted);
  });
});
