import { describe, expect, it } from "vitest";
import { keysKnownTo } from "./known-keys.ts";
import type { SpokenFor } from "./known-keys.ts";

/** `a<b,c` is key a, co-signed by b and c; `a!b` is key a, which was said to be his in a session of b. */
function keyOf(text: string): SpokenFor {
  const [, jkt = "", how = "", by = ""] = /^(\w+)([<!]?)(.*)$/.exec(text) ?? [];
  const names = by.split(",").filter((name) => name !== "");
  return {
    jkt,
    coSigners: how === "<" ? names : [],
    knownBy: how === "!" ? names : [],
  };
}

describe("keys that whoever holds one knows", () => {
  it.each([
    ["itself", "a", "a"],
    ["not one that nobody spoke for", "a x", "a"],
    ["one that it co-signed", "a b<a", "a b"],
    ["one that one of those co-signed", "a b<a c<b", "a b c"],
    ["one that it was said to be his by", "a b!a", "a b"],
    ["not one that another stranger spoke for", "a x y<x z!x", "a"],
    ["not one that speaks for itself", "a x!x", "a"],
    ["the one that co-signed it, and what that one spoke for", "b a<b c<b", "a b c"],
    ["not one in whose session it was said to be his", "x a!x y<x", "a"],
    ["nothing by a key that is gone", "a<gone b<gone", "a"],
    ["two that co-signed each other", "a<b b<a", "a b"],
  ])("%s", (_name, keys, known) => {
    const rows = keys.split(" ").map(keyOf);
    expect([...keysKnownTo(rows, "a")].toSorted()).toEqual(known.split(" "));
  });
});
