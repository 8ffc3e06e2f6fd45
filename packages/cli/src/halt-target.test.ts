import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { liftLine } from "./commands/halt.ts";
import { concerned, resolveTarget } from "./halt-target.ts";
import type { Known, Target, What } from "./halt-target.ts";

const ENTRY = "spiffe://example.org/agent/mailer";
const AGENT = `${ENTRY}/0123456789abcdef`;
const OTHER = "spiffe://example.org/agent/mailer2/0123456789abcdef";
const PROXY = "spiffe://example.org/proxy/here";
const OWNER = "urn:agent-owner:example.org:alice-0001";
const BOB = "urn:agent-owner:example.org:bob-000001";
const CAROL = "urn:agent-owner:example.org:carol-0001";
const HASH = "A".repeat(43);

const KNOWN: Known = {
  trustDomain: "example.org",
  entries: [
    { id: ENTRY, proxy: PROXY },
    { id: "spiffe://example.org/agent/mailer2", proxy: "spiffe://example.org/proxy/there" },
  ],
  owners: [{ id: OWNER, name: "me" }],
  proxies: [{ id: PROXY }],
};

const TARGETS: readonly (readonly [What, string, string])[] = [
  ["agent", "mailer", `entry ${ENTRY}`],
  ["agent", AGENT, `agent ${AGENT}`],
  ["agent", ENTRY, `entry ${ENTRY}`],
  ["agent", "spiffe://example.org/agent/gone", "entry spiffe://example.org/agent/gone"],
  ["agent", "mailr", "not_found"],
  ["agent", PROXY, "malformed_request"],
  ["agent", "Mailer", "invalid_identifier"],
  ["entry", "mailer", `entry ${ENTRY}`],
  ["grant", `sha-256:${HASH}`, `grant sha-256:${HASH}`],
  ["grant", HASH, `grant sha-256:${HASH}`],
  ["grant", "sha-256:short", "malformed_request"],
  ["owner", "me", `owner ${OWNER}`],
  ["owner", OWNER, `owner ${OWNER}`],
  ["owner", "you", "not_found"],
  ["owner", "urn:agent-owner:x", "invalid_identifier"],
  ["proxy", "here", `proxy ${PROXY}`],
  ["proxy", PROXY, `proxy ${PROXY}`],
  ["proxy", "nowhere", "not_found"],
];

function said(what: What, name: string): string {
  try {
    const { scope, target } = resolveTarget(what, name, KNOWN);
    return `${scope} ${target}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.code;
  }
}

describe("what is stopped", () => {
  it.each(TARGETS)("%s %s: %s", (what, name, wanted) => {
    expect(said(what, name)).toBe(wanted);
  });
});

const CREDENTIALS = [
  { jti: "1", agent: AGENT, cs: "sha-256:one" },
  { jti: "2", agent: AGENT },
  { jti: "3", agent: OTHER, cs: "sha-256:two" },
];
const GRANTS = [
  { cs: "sha-256:one", owner: OWNER },
  { cs: "sha-256:two", owner: BOB, owners: [BOB, CAROL] },
];

const CONCERNED: readonly (readonly [Target["scope"], string, readonly string[]])[] = [
  ["agent", AGENT, ["1", "2"]],
  ["entry", ENTRY, ["1", "2"]],
  ["grant", "sha-256:two", ["3"]],
  ["owner", OWNER, ["1"]],
  ["owner", CAROL, ["3"]],
  ["proxy", PROXY, ["1", "2"]],
  ["domain", "example.org", ["1", "2", "3"]],
];

describe("credentials that live on", () => {
  it.each(CONCERNED)("of %s %s: %j", (scope, target, wanted) => {
    const live = { credentials: CREDENTIALS, grants: GRANTS, entries: KNOWN.entries };
    expect(concerned({ scope, target }, live).map(({ jti }) => jti)).toEqual(wanted);
  });
});

describe("the line that lifts it", () => {
  it.each([
    ["UUs5xEl-I1e9", "countersign lift UUs5xEl-I1e9"],
    ["-Us5xEl-I1e9", "countersign lift -- -Us5xEl-I1e9"],
  ])("of %s", (id, wanted) => {
    expect(liftLine(id)).toBe(wanted);
  });
});
