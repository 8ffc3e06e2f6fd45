import type { ProxyState, StopScope } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { stopOf } from "./stops.ts";
import type { Stoppable } from "./stops.ts";

const ENTRY = "spiffe://example.org/agent/mailer";
const AGENT = `${ENTRY}/0011223344556677`;
const OF: Stoppable = { entry: ENTRY, proxy: "p", owner: "o", agent: AGENT, cs: "c" };
const { agent: _agent, ...UNKNOWN } = OF;

function stateOf(scope: string, target: string): ProxyState {
  return {
    issuer: "https://id.example.org",
    trustDomain: "example.org",
    now: 0,
    seq: 0,
    checkpoint: "",
    entries: [],
    stops: [{ id: "s", scope: scope as StopScope, target, since: 0 }], // a scope of tomorrow among them
    asks: [],
    approvals: [],
    trustBundle: "",
    development: false,
  };
}

describe("what a stop covers", () => {
  it.each<readonly [string, string, Stoppable, boolean]>([
    ["agent", AGENT, OF, true],
    ["agent", `${ENTRY}/8899aabbccddeeff`, OF, false],
    ["agent", AGENT, UNKNOWN, true],
    ["agent", "spiffe://example.org/agent/mailer-2/0011223344556677", UNKNOWN, false],
    ["entry", ENTRY, OF, true],
    ["entry", `${ENTRY}-2`, OF, false],
    ["grant", "c", OF, true],
    ["grant", "d", OF, false],
    ["owner", "o", OF, true],
    ["owner", "x", OF, false],
    ["owner", "x", { ...OF, owners: ["o", "x"] }, true],
    ["owner", "y", { ...OF, owners: ["o", "x"] }, false],
    ["proxy", "p", OF, true],
    ["proxy", "q", OF, false],
    ["domain", "example.org", OF, true],
    ["planet", "x", OF, true],
  ])("%s %s → %#", (scope, target, of, covers) => {
    expect(stopOf(stateOf(scope, target), of) !== undefined).toBe(covers);
  });
});
