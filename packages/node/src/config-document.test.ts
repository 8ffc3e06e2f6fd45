import { describe, expect, it } from "vitest";
import { Members, readPolicyRules, Refusal } from "@countersign/core";
import type { Json } from "@countersign/core";
import { parseConfigDocument } from "./config-document.ts";

const said = (text: string, read: (value: Json) => unknown = readPolicyRules): string => {
  try {
    parseConfigDocument(text, read);
    return "read";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.code).toBe("configuration_invalid");
    return error.message.slice("configuration_invalid: ".length);
  }
};

const RULES = `v: 1
issuer: https://id.example.org
rules:
  - name: mailers
    entries: [spiffe://example.org/agent/mailer, "spiffe://example.org/agent/batch-*"]
    hosts: [spiffe://example.org/proxy/host-1]
    measurements:
      binary: [sha-256:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE]
    ceiling:
      - type: http_api
        locations: [https://mail.example.com/]
        actions: [send]
    use: [standing]
    longest_grant_seconds: 86400
    max_ttl_seconds: 900
    max_issue: 200
    max_live: 8
    rate: { count: 10, window_seconds: 3600 }
    installation_keys: [AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE]
`;

describe("a document of several levels", () => {
  it("is read as JSON", () => {
    expect(said(RULES)).toBe("read");
  });

  it.each([
    ["an unknown member", "    max_live: 8", "    max_lives: 8", /^line 4, column 5: .*max_live /],
    ["one beside the known", "v: 1", "v: 1\nwhatever: 2", /^line 2, column 1: .*whatever/],
    [
      "one within",
      "count: 10,",
      "count: 10, burst: 3,",
      /^line 18, column 24: policy\.rules\[0\]\.rate\.burst is not a known member/,
    ],
    ["one within a ceiling", "actions: [send]", "actions: [1]", /^line 12, column 9: .*actions/],
    ["a name with a dot", "v: 1", 'v: 1\n"a.b": 2', /^line 2, column 1: policy\.a\.b/],
    ["a bound of no number", "max_issue: 200", "max_issue: lots", /^line 16, column 5: /],
    ["a fraction", "max_issue: 200", "max_issue: 2.5", /2\.5 is no integer/],
    ["nothing", "max_issue: 200", "max_issue:", /is empty/],
    ["an alias", "v: 1", "v: &a 1\nw: *a", /aliases/],
    ["one name twice", "v: 1", "v: 1\nv: 1", /^not YAML at line 2, column 1/],
    ["no YAML", "v: 1", "v: [", /^not YAML at line /],
    ["another version", "v: 1", "v: 2", /^line 1, column 1: policy\.v /],
  ])("refuses %s, with its place", (_what, old, changed, words) => {
    expect(said(RULES.replace(old, changed))).toMatch(words);
  });

  it("refuses what is nested too deeply", () => {
    const levels = (open: string, close: string): string => open.repeat(20) + close.repeat(20);
    expect(said(`a: ${levels("[", "]")}`, (value) => value)).toMatch(/too deeply/);
  });

  it("leaves what is no refusal of a document as it is", () => {
    const other = (value: Json): unknown => new Members(value, "malformed_json").text("v");
    expect(() => parseConfigDocument(RULES, other)).toThrow("malformed_json");
  });
});
