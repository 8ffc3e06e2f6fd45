import { describe, expect, it } from "vitest";
import { LinkRefusal, readTrust, writeApprovalPart, writeCredentialPart } from "@countersign/core";
import type { Bytes, HeaderLines } from "@countersign/core";
import { requestHeaders, trustFileOf } from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE, strangerJwk } from "../../../core/src/verify/story.testing.ts";
import type { Story, StoryOptions } from "../../../core/src/verify/story.testing.ts";
import { relyingParty } from "./relying-party.ts";
import { problemFor } from "./refused.ts";
import { URL } from "./requests.testing.ts";
import type { RelyingPartyOptions } from "./settings.ts";

interface Row {
  readonly name: string;
  readonly story?: StoryOptions;
  readonly party?: Partial<RelyingPartyOptions>;
  readonly path?: string;
  readonly lines?: (lines: HeaderLines) => HeaderLines;
  readonly leaf?: (story: Story) => Bytes;
  readonly origin?: string;
  readonly now?: number;
  readonly wanted: readonly [link: string, code: string];
}

const without =
  (name: string) =>
  (lines: HeaderLines): HeaderLines =>
    lines.filter(([field]) => field.toLowerCase() !== name);
const twice =
  (name: string) =>
  (lines: HeaderLines): HeaderLines => [
    ...lines,
    ...lines.filter(([field]) => field.toLowerCase() === name),
  ];
const OTHER = "spiffe://example.org/agent/other/0011223344556677";
const none = (): HeaderLines => [];
const NONE = { demand: { proof: "none" } } as const;

const ROWS: readonly Row[] = [
  { name: "the true story", wanted: ["accepted", "verified"] },
  {
    name: "its place in the log, both forms",
    party: { demand: { proof: "logged" } },
    wanted: ["accepted", "logged"],
  },
  {
    name: "a name, where no more is demanded",
    party: NONE,
    lines: none,
    wanted: ["accepted", "none"],
  },
  {
    name: "a name and a token, where no more is demanded",
    party: NONE,
    lines: without("agent-owner-evidence"),
    wanted: ["accepted", "none"],
  },
  {
    name: "a claim, where that is demanded",
    party: { demand: { proof: "claimed" } },
    lines: without("agent-owner-evidence"),
    wanted: ["accepted", "claimed"],
  },
  {
    name: "an approval that reaches the second name of the service",
    party: { resources: ["https://else.example", RESOURCE] },
    wanted: ["accepted", "verified"],
  },

  // peer
  { name: "at its end", now: NOW + 660, wanted: ["peer", "expired"] },
  {
    name: "a certificate that is none",
    leaf: () => new Uint8Array(9),
    wanted: ["peer", "malformed_certificate"],
  },
  {
    name: "a CA's certificate",
    leaf: ({ credential }) => credential.chain[1] ?? new Uint8Array(),
    wanted: ["peer", "invalid_identifier"],
  },
  {
    name: "the roots of nobody known",
    origin: "spiffe://other.example",
    wanted: ["peer", "unknown_trust_domain"],
  },

  // request
  { name: "a target that is no path", path: URL, wanted: ["request", "malformed_request"] },
  {
    name: "two approvals",
    lines: twice("agent-owner-evidence"),
    wanted: ["request", "malformed_request"],
  },
  {
    name: "two transaction tokens",
    lines: (lines) => [...lines, ["Txn-Token", "a"], ["txn-token", "b"]],
    wanted: ["request", "malformed_request"],
  },

  // what is sent beside the certificate
  { name: "no token where an owner is demanded", lines: none, wanted: ["wit", "wit_missing"] },
  {
    name: "no token where an assurance is demanded",
    party: { demand: { proof: "none", oa: 1 } },
    lines: none,
    wanted: ["wit", "wit_missing"],
  },
  { name: "two tokens", lines: twice("workload-identity-token"), wanted: ["wit", "wit_repeated"] },
  {
    name: "no approval",
    lines: without("agent-owner-evidence"),
    wanted: ["evidence", "owner_evidence_needed"],
  },
  {
    name: "the token of another agent: the name in a header is never the caller",
    story: { certificate: (d) => ({ ...d, agent: OTHER }) },
    wanted: ["forms", "forms_differ"],
  },
  {
    name: "the token of another agent, where a name is enough",
    party: NONE,
    story: { certificate: (d) => ({ ...d, agent: OTHER }) },
    wanted: ["forms", "forms_differ"],
  },
  {
    name: "a certificate of another key",
    story: { certificate: (d) => ({ ...d, key: strangerJwk() }) },
    wanted: ["forms", "forms_differ"],
  },
  {
    name: "an approval that does not reach this service",
    party: { resources: ["https://else.example", "https://more.example"] },
    wanted: ["ceiling", "outside_ceiling"],
  },
  {
    name: "an owner too weak",
    party: { demand: { oa: 4 } },
    wanted: ["demand", "assurance_insufficient"],
  },
];

describe("a caller over mutual TLS", () => {
  it.each(ROWS)("$name → $wanted", async (row) => {
    const story = await makeStory(row.story);
    const lines = without("authorization")(await requestHeaders(story, URL));
    const party = relyingParty({
      trust: readTrust(trustFileOf(story), NOW),
      resources: [RESOURCE],
      clock: () => row.now ?? NOW,
      ...row.party,
    });
    const leaf = row.leaf?.(story) ?? story.credential.chain[0] ?? new Uint8Array();
    const origin = row.origin ?? story.domain.origin;
    const request = { path: row.path ?? "/drafts/7", headers: row.lines?.(lines) ?? lines };
    const found = await party.verifyConnected(request, { leaf, origin }).then(
      ({ proof }) => ["accepted", proof],
      (error: unknown) => {
        if (!(error instanceof LinkRefusal)) throw error;
        expect(problemFor(error).problem.reason).toBe(error.code);
        return [error.link, error.code];
      },
    );
    expect(found).toEqual(row.wanted);
  });

  it("says who, and what TLS covers", async () => {
    const story = await makeStory();
    const lines = await requestHeaders(story, URL, {
      txnToken: "txn",
      context: { "ctx-token": "x" },
    });
    const party = relyingParty({
      trust: trustFileOf(story),
      resources: [RESOURCE],
      clock: () => NOW,
      contextHeaders: ["Ctx-Token"],
    });
    const leaf = story.credential.chain[0] ?? new Uint8Array();
    const peer = { leaf, origin: story.domain.origin };
    const caller = await party.verifyConnected({ path: "/drafts/7", headers: lines }, peer);
    expect(caller).toMatchObject({
      agent: story.agent,
      audience: `${RESOURCE}/drafts/7`,
      txnToken: "txn",
    });
    expect(caller.context.get("ctx-token")).toBe("x");
    // the evidence is remembered with the token: it need not come again
    const again = without("agent-owner-evidence")(lines);
    expect((await party.verifyConnected({ path: "/", headers: again }, peer)).proof).toBe(
      "verified",
    );
  });

  it("fetches the approval from the configured origin, and from nowhere else", async () => {
    const story = await makeStory();
    const asked: string[] = [];
    const domain = { ...story.domain, evidenceOrigin: "https://evidence.example" };
    const { approval, credential } = story.bundle;
    const party = relyingParty({
      trust: new Map([[domain.origin, domain]]),
      resources: [RESOURCE],
      clock: () => NOW,
      evidence: {
        fetch: (url) => {
          asked.push(new globalThis.URL(url).origin);
          const isFirst = /\/e\/[^/]+$/.test(url);
          if (approval === undefined) throw new Error("no approval");
          const part = isFirst ? writeApprovalPart(approval) : writeCredentialPart(credential);
          return Promise.resolve(new Response(JSON.stringify(part)));
        },
      },
    });
    const lines = without("agent-owner-evidence")(await requestHeaders(story, URL));
    const leaf = story.credential.chain[0] ?? new Uint8Array();
    const peer = { leaf, origin: domain.origin };
    expect((await party.verifyConnected({ path: "/", headers: lines }, peer)).proof).toBe(
      "verified",
    );
    expect(new Set(asked)).toEqual(new Set(["https://evidence.example"]));
  });

  it("hands the roots of one trust domain to a TLS stack, and never of two", async () => {
    const story = await makeStory();
    const options = { resources: [RESOURCE], clock: () => NOW };
    const one = relyingParty({ ...options, trust: trustFileOf(story) });
    const { origin } = story.domain;
    expect(one.roots()).toEqual({ origin, roots: story.domain.bundle.roots });
    const second = { ...story.domain, origin: "spiffe://other.example" };
    const domains = new Map(
      [origin, second.origin].map((name) => [name, name === origin ? story.domain : second]),
    );
    const two = relyingParty({ ...options, trust: domains });
    expect(() => two.roots()).toThrow("configuration_invalid");
    expect(two.roots(origin).origin).toBe(origin);
    expect(() => one.roots("spiffe://third.example")).toThrow("configuration_invalid");
  });
});
