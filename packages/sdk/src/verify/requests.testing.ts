import type { HeaderLines, ReplayStore } from "@countersign/core";
import type { RequestOptions } from "../../../core/src/verify/request.testing.ts";
import { NOW, RESOURCE, strangerKey } from "../../../core/src/verify/story.testing.ts";
import type { StoryOptions } from "../../../core/src/verify/story.testing.ts";
import type { RelyingPartyOptions } from "./settings.ts";

export const PATH = "/drafts/7?send=1";
export const URL = RESOURCE + PATH;

/** A request with one thing otherwise than in the true story, and what becomes of it. */
export interface RequestRow {
  readonly name: string;
  readonly story?: StoryOptions;
  readonly request?: RequestOptions;
  readonly path?: string;
  /** Address that the agent made its proof for. */
  readonly url?: string;
  readonly lines?: (lines: HeaderLines) => HeaderLines;
  readonly party?: Partial<RelyingPartyOptions>;
  readonly now?: number;
  readonly wanted: readonly [link: string, code: string, status: number];
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
const replaced =
  (name: string, value: (old: string) => string) =>
  (lines: HeaderLines): HeaderLines =>
    lines.map(([field, old]) => [field, field.toLowerCase() === name ? value(old) : old]);
export const stranger = strangerKey();
const full: ReplayStore = { first: () => Promise.resolve("unavailable") };

export const REQUESTS: readonly RequestRow[] = [
  { name: "the true story", wanted: ["accepted", "verified", 200] },
  {
    name: "the true story, with its place in the log",
    party: { demand: { proof: "logged" } },
    wanted: ["accepted", "logged", 200],
  },
  {
    name: "a claim, where no more is demanded",
    party: { demand: { proof: "claimed" } },
    request: { evidence: null },
    wanted: ["accepted", "claimed", 200],
  },
  {
    name: "a claim, with evidence that nobody demanded",
    party: { demand: { proof: "claimed" } },
    wanted: ["accepted", "claimed", 200],
  },
  {
    name: "a credential without owner, where none is demanded",
    story: { draft: ({ owner: _none, ...draft }) => draft },
    party: { demand: { proof: "none" } },
    request: { evidence: null },
    wanted: ["accepted", "none", 200],
  },
  {
    name: "a proof for an alias of the service",
    party: { resources: ["https://other.example", `${RESOURCE}/`] },
    wanted: ["accepted", "verified", 200],
  },
  {
    name: "a transaction token that the proof covers",
    request: { txnToken: "txn-token-0123456789abcdef" },
    wanted: ["accepted", "verified", 200],
  },
  {
    name: "a context header that the proof covers",
    party: { contextHeaders: ["Ctx-Token"] },
    request: { context: { "ctx-token": "abc" } },
    wanted: ["accepted", "verified", 200],
  },

  // request
  {
    name: "no token",
    lines: without("workload-identity-token"),
    wanted: ["request", "wit_missing", 400],
  },
  { name: "no proof", lines: without("authorization"), wanted: ["request", "wpt_missing", 401] },
  { name: "nothing at all", lines: () => [], wanted: ["request", "wpt_missing", 401] },
  {
    name: "the token as a bearer token",
    lines: replaced("authorization", () => "Bearer abc"),
    wanted: ["request", "wpt_missing", 401],
  },
  {
    name: "two tokens",
    lines: twice("workload-identity-token"),
    wanted: ["request", "wit_repeated", 400],
  },
  {
    name: "two tokens that a platform joined",
    lines: replaced("workload-identity-token", (wit) => `${wit}, ${wit}`),
    wanted: ["request", "wit_repeated", 400],
  },
  {
    name: "two proofs",
    lines: twice("authorization"),
    wanted: ["request", "wpt_missing", 401],
  },
  { name: "a target that is no path", path: URL, wanted: ["request", "malformed_request", 400] },

  // wit and trust
  {
    name: "a token at its end",
    now: NOW + 660,
    wanted: ["wit", "expired", 400],
  },
  {
    name: "a token of another trust domain",
    party: { trust: new Map() },
    wanted: ["wit", "unknown_trust_domain", 400],
  },
  {
    name: "trust that is out of date",
    story: {
      trust: (domain) => ({ ...domain, bundle: { ...domain.bundle, exp: NOW + 1 } }),
    },
    now: NOW + 1,
    wanted: ["trust", "indeterminate", 503],
  },

  // proof
  {
    name: "a stolen token without its key",
    request: { provedBy: stranger },
    wanted: ["proof", "invalid_signature", 401],
  },
  {
    name: "a proof for another address",
    url: "https://evil.example/drafts/7",
    wanted: ["proof", "audience_mismatch", 401],
  },
  {
    name: "a proof for another path",
    url: `${RESOURCE}/drafts/8`,
    wanted: ["proof", "audience_mismatch", 401],
  },
  {
    name: "a proof that has expired",
    now: NOW + 40,
    wanted: ["proof", "expired", 401],
  },
  {
    name: "a proof that lives too long inside the own trust domain",
    story: { trust: (domain) => ({ ...domain, isInside: true }) },
    request: { proof: (claims) => ({ ...claims, exp: NOW + 71 }) },
    wanted: ["proof", "lifetime_too_long", 401],
  },
  {
    name: "a proof of another token",
    request: { proof: (claims) => ({ ...claims, wth: "A".repeat(43) }) },
    wanted: ["proof", "wit_binding_mismatch", 401],
  },
  {
    name: "a transaction token that was added on the way",
    lines: (lines) => [...lines, ["Txn-Token", "added"]],
    wanted: ["proof", "txn_token_binding_mismatch", 401],
  },
  {
    name: "a context header that the proof does not cover",
    party: { contextHeaders: ["ctx-token"] },
    lines: (lines) => [...lines, ["Ctx-Token", "added"]],
    wanted: ["proof", "other_token_binding_mismatch", 401],
  },
  {
    name: "evidence that the proof does not cover",
    request: { proof: ({ oth: _none, ...claims }) => claims },
    wanted: ["proof", "other_token_binding_mismatch", 401],
  },
  {
    name: "evidence that was taken out on the way",
    lines: without("agent-owner-evidence"),
    wanted: ["proof", "other_token_binding_mismatch", 401],
  },
  {
    name: "evidence twice",
    lines: twice("agent-owner-evidence"),
    wanted: ["proof", "other_token_binding_mismatch", 401],
  },
  {
    name: "evidence that was exchanged on the way",
    lines: replaced("agent-owner-evidence", (old) => old.slice(4)),
    wanted: ["proof", "other_token_binding_mismatch", 401],
  },

  // evidence
  {
    name: "no evidence where it is demanded",
    request: { evidence: null },
    wanted: ["evidence", "owner_evidence_needed", 400],
  },
  {
    name: "evidence that is no bundle",
    request: { evidence: "e30" },
    wanted: ["evidence", "malformed_request", 400],
  },
  {
    name: "evidence that is not base64url",
    request: { evidence: "{}" },
    wanted: ["evidence", "malformed_token", 400],
  },
  {
    name: "evidence larger than a header may be",
    request: { evidence: "A".repeat(8193) },
    wanted: ["evidence", "too_large", 413],
  },

  // links of core
  {
    name: "a development credential",
    story: { trustDomain: "k3x9.dev.invalid" },
    wanted: ["development", "development_refused", 403],
  },
  {
    name: "no owner",
    story: { draft: ({ owner: _none, ...draft }) => draft },
    wanted: ["owner-claim", "owner_missing", 403],
  },
  {
    name: "an owner key that nobody pinned",
    story: { trust: (domain) => ({ ...domain, ownerPins: [] }) },
    wanted: ["owner-accepted", "owner_key_unaccepted", 403],
  },
  {
    name: "an owner key that was removed",
    story: {
      trust: (domain) => ({
        ...domain,
        bundle: { ...domain.bundle, removedOwnerKeys: domain.ownerPins.map(({ jkt }) => jkt) },
      }),
    },
    wanted: ["owner-accepted", "owner_key_unaccepted", 403],
  },
  {
    name: "an approval that does not reach the service",
    url: "https://other.example/drafts/7",
    party: { resources: [RESOURCE, "https://other.example"] },
    wanted: ["ceiling", "outside_ceiling", 403],
  },
  {
    name: "a checkpoint of another log",
    story: { checkpointBy: strangerKey("Ed25519") },
    party: { demand: { proof: "logged" } },
    wanted: ["inclusion", "checkpoint_invalid", 403],
  },
  {
    name: "an owner without hardware, where that is demanded",
    party: { demand: { oa: 3 } },
    wanted: ["demand", "assurance_insufficient", 403],
  },

  // replay
  {
    name: "a replay store that has no answer",
    party: { replay: full },
    wanted: ["replay", "indeterminate", 503],
  },
];
