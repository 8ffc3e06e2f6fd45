import { describe, expect, it } from "vitest";
import { d, ENTRY, NOW, OWNER } from "../issuance/attested.testing.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { countSigned, readSignedTimes, writeSignedTimes } from "./policy-decision.ts";
import { documentOf, MAIL, RULE, RULES } from "./policy.testing.ts";
import { readPolicyRules } from "./policy-rules.ts";

describe("readPolicyRules", () => {
  const invalid = "configuration_invalid";
  const lacking = (name: string): JsonObject =>
    Object.fromEntries(Object.entries(RULE).filter(([member]) => member !== name));

  it.each<[string, Json, string]>([
    ["the rules above", documentOf(RULE), "accepted"],
    [
      "every agent of a trust domain",
      documentOf({ ...RULE, entries: ["spiffe://example.org/agent/*"] }),
      "accepted",
    ],
    ["no rules", documentOf(), invalid],
    ["no object", [RULE], invalid],
    ["another version", { ...documentOf(RULE), v: 2 }, invalid],
    ["an unknown member", { ...documentOf(RULE), owner: OWNER }, invalid],
    ["an unknown member of a rule", documentOf({ ...RULE, allow: true }), invalid],
    [
      "an unknown member of a ceiling",
      documentOf({ ...RULE, ceiling: [{ ...MAIL, hosts: [] }] }),
      invalid,
    ],
    [
      "an unknown measurement",
      documentOf({ ...RULE, measurements: { binary: [d(1)], kernel: [d(2)] } }),
      invalid,
    ],
    ["no binary", documentOf({ ...RULE, measurements: { script: [d(2)] } }), invalid],
    [
      "a measurement that nothing meets",
      documentOf({ ...RULE, measurements: { binary: [] } }),
      invalid,
    ],
    ["two rules of one name", documentOf(RULE, RULE), invalid],
    [
      "an agent, not its registration",
      documentOf({ ...RULE, entries: [`${ENTRY.id}/0123456789abcdef`] }),
      invalid,
    ],
    ["every trust domain", documentOf({ ...RULE, entries: ["spiffe://*"] }), invalid],
    [
      "a pattern in the middle",
      documentOf({ ...RULE, entries: ["spiffe://example.org/agent/*/x"] }),
      invalid,
    ],
    [
      "a pattern of hosts",
      documentOf({ ...RULE, hosts: ["spiffe://example.org/proxy/*"] }),
      invalid,
    ],
    ["an empty ceiling alone", documentOf({ ...RULE, ceiling: [] }), invalid],
    [
      "an empty ceiling that is meant",
      documentOf({ ...RULE, ceiling: [], any_service: true }),
      "accepted",
    ],
    [
      "no installation at all",
      documentOf({ ...RULE, installation_keys: [], insecure_any_installation: true }),
      invalid,
    ],
    [
      "any installation, in a word",
      documentOf({ ...lacking("installation_keys"), insecure_any_installation: true }),
      "accepted",
    ],
    [
      "an installation by half its key",
      documentOf({ ...RULE, installation_keys: ["0123456789abcdef"] }),
      invalid,
    ],
    ["no rate at all", documentOf({ ...RULE, rate: { count: 0, window_seconds: 1 } }), invalid],
    ["an http issuer", { ...documentOf(RULE), issuer: "http://id.example.org" }, invalid],
    [
      "a grant of more than 30 days",
      documentOf({ ...RULE, longest_grant_seconds: 30 * 86_400 + 1 }),
      invalid,
    ],
    ...Object.keys(RULE).map((name): [string, Json, string] => [
      `no ${name}`,
      documentOf(lacking(name)),
      invalid,
    ]),
  ])("%s", async (_what, value, outcome) => {
    expect(await outcomeOf(() => readPolicyRules(value))).toBe(outcome);
  });
});

describe("the times of signatures", () => {
  it("come back from their file", () => {
    const times = countSigned(RULES, new Map([["mailers", [NOW - 700, NOW - 5]]]), "mailers", NOW);
    expect(times).toEqual(new Map([["mailers", [NOW - 5, NOW]]]));
    expect(readSignedTimes(writeSignedTimes(times) as Json)).toEqual(times);
  });

  it.each<[string, Json]>([
    ["no object", []],
    ["another version", { v: 2, signed: [] }],
    ["something else", { v: 1, signed: [{ rule: "mailers", at: ["now"] }] }],
    ["an unknown member", { v: 1, signed: [], more: 1 }],
  ])("are refused with %s: what cannot be read is not nothing", async (_what, value) => {
    expect(await outcomeOf(() => readSignedTimes(value))).toBe("configuration_invalid");
  });
});
