import type { Crypto, Seconds } from "../crypto.ts";
import { agentEntryOf } from "../identifier/workload.ts";
import type { RequestClaims } from "../issuance/request.ts";
import type { Signed } from "../jose/signed.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { matchesLocation } from "../proof/audience.ts";
import { Refusal } from "../refusal.ts";
import type { ActionClass, CeilingEntry } from "./ceiling.ts";
import type { PolicyRule, PolicyRules } from "./policy-rules.ts";
import { render } from "./render.ts";
import { isCredentialStatement } from "./statement.ts";
import type { CredentialStatement, Statement } from "./statement.ts";

/** When each rule has signed, oldest first; kept by whoever signs, across restarts. */
export type SignedTimes = ReadonlyMap<string, readonly Seconds[]>;

/** Why a request is left for a person. */
export type LeaveCode =
  | "statement_unsuitable"
  | "member_unbounded"
  | "agent_unlisted"
  | "host_unlisted"
  | "measurement_unlisted"
  | "installation_unlisted"
  | "ceiling_wider"
  | "use_unlisted"
  | "grant_longer"
  | "ttl_longer"
  | "issues_more"
  | "live_more"
  | "warned"
  | "rate_reached";

export interface LeaveReason {
  readonly code: LeaveCode;
  /** The rule that would have signed; absent where no rule names the agent. */
  readonly rule?: string;
  readonly text: string;
  /** With `rate_reached`: when the rule signs again. */
  readonly againAt?: Seconds;
}

/** A policy engine signs or leaves it; it never denies. */
export type PolicyRuling =
  | { readonly do: "sign"; readonly rule: string }
  | { readonly do: "leave"; readonly reasons: readonly LeaveReason[] };

/** What is to be signed and by whom. The agent's words are in R and are never read. */
export interface PolicyQuestion {
  readonly statement: Statement;
  readonly request: Signed<RequestClaims>;
  /** What the appraisal says beside: words for people. */
  readonly observed: { readonly warnings: readonly string[] };
  /** The owner and his key that are asked. */
  readonly signer: { readonly owner: string; readonly jkt: string };
}

type Reason = Pick<LeaveReason, "code" | "text" | "againAt">;

const SKEW_SECONDS = 60;
const LONGEST_CEREMONY_SECONDS = 3600;

/** Which members these rules bound or check. What a newer statement could hold beside them, nobody has bounded. */
const BOUNDED = {
  statement: new Set(
    "typ kind decision jti aud td iat exp nonce owner agent req grant view".split(" "),
  ),
  agent: new Set(["id", "jkt", "meas", "host"]),
  grant: new Set("use nbf exp max_ttl max_issue max_live rekey ceiling".split(" ")),
} as const;

function unboundedMember({ agent, grant, ...body }: CredentialStatement): string | undefined {
  const find = (known: ReadonlySet<string>, value: object): string | undefined =>
    Object.keys(value).find((name) => !known.has(name));
  return find(BOUNDED.statement, body) ?? find(BOUNDED.agent, agent) ?? find(BOUNDED.grant, grant);
}

/** The statement must be one that this owner could sign at all: for this server, this request and now. */
function unsuitable(
  c: Crypto,
  { statement, request, signer }: PolicyQuestion,
  body: CredentialStatement,
  issuer: string,
  now: Seconds,
): string | undefined {
  if (body.decision !== "approve") return "it denies";
  if (body.aud !== issuer || request.claims.aud !== issuer) return "it is for another server";
  if (body.owner.id !== signer.owner || body.owner.jkt !== signer.jkt)
    return "it is for another owner or key";
  if (now >= body.exp || body.iat > now + SKEW_SECONDS) return "it is not to be signed now";
  if (body.exp - body.iat > LONGEST_CEREMONY_SECONDS) return "it may wait for days";
  try {
    render(c, statement, request);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

const REVERSIBLE: readonly (ActionClass | undefined)[] = [
  undefined,
  "read_only",
  "reversible_write",
];
/** What a rule's class covers. What cannot be undone is signed only where the rule says that very class. */
const CLASSES: Readonly<Record<ActionClass | "unsaid", readonly (ActionClass | undefined)[]>> = {
  unsaid: REVERSIBLE,
  read_only: ["read_only"],
  reversible_write: ["read_only", "reversible_write"],
  irreversible_action: ["irreversible_action"],
  external_commitment: ["external_commitment"],
  privileged_administration: ["privileged_administration"],
};

/** An empty list could mean all or nothing: it fits an empty list only. */
function covers<T>(
  wanted: readonly T[],
  allowed: readonly T[],
  fits: (one: T, bound: T) => boolean,
): boolean {
  if (wanted.length === 0) return allowed.length === 0;
  return wanted.every((one) => allowed.some((bound) => fits(one, bound)));
}

function isInside(wanted: CeilingEntry, allowed: CeilingEntry): boolean {
  return (
    wanted.type === allowed.type &&
    covers(wanted.locations, allowed.locations, (one, bound) => matchesLocation(bound, one)) &&
    covers(wanted.actions, allowed.actions, (one, bound) => one === bound) &&
    CLASSES[allowed.class ?? "unsaid"].includes(wanted.class) &&
    (allowed.max_calls === undefined ||
      (wanted.max_calls !== undefined && wanted.max_calls <= allowed.max_calls))
  );
}

function ceilingFits(rule: PolicyRule, ceiling: readonly CeilingEntry[]): boolean {
  if (ceiling.length === 0) return rule.isAnyService;
  return ceiling.every((entry) => rule.ceiling.some((allowed) => isInside(entry, allowed)));
}

function measuredFits(rule: PolicyRule, meas: CredentialStatement["agent"]["meas"]): boolean {
  return (
    meas.length === rule.measurements.size &&
    meas.every(({ n, d }) => rule.measurements.get(n)?.has(d) === true)
  );
}

/** When the rule has room again, if it has none. */
function fullUntil(
  { rate }: PolicyRule,
  signed: readonly Seconds[],
  now: Seconds,
): Seconds | undefined {
  const recent = signed.filter((at) => at > now - rate.windowSeconds);
  const oldest = recent.at(-rate.count);
  return oldest === undefined ? undefined : oldest + rate.windowSeconds;
}

type Bound = readonly [holds: boolean, code: LeaveCode, text: string];

/** Who asks: where it runs, what it is, and what the appraisal says of it. */
function identityBounds(
  rule: PolicyRule,
  agent: CredentialStatement["agent"],
  warnings: readonly string[],
): readonly Bound[] {
  const { host, jkt, meas } = agent;
  const isHere = host !== undefined && rule.hosts.includes(host);
  const isKnown = rule.insecureAnyInstallation || rule.installationKeys.has(jkt);
  return [
    [isHere, "host_unlisted", host === undefined ? "it names no host" : "the host is not listed"],
    [measuredFits(rule, meas), "measurement_unlisted", "the program is not one that is listed"],
    [isKnown, "installation_unlisted", `the installation key ${jkt} is not listed`],
    [
      rule.insecureIgnoreWarnings || warnings.length === 0,
      "warned",
      `the appraisal warns: ${warnings.join("; ")}`,
    ],
  ];
}

/** What it would be given. */
function grantBounds(
  rule: PolicyRule,
  grant: CredentialStatement["grant"],
  now: Seconds,
): readonly Bound[] {
  const { longestGrantSeconds, maxTtlSeconds, maxIssue, maxLive } = rule;
  return [
    [
      ceilingFits(rule, grant.ceiling),
      "ceiling_wider",
      grant.ceiling.length === 0 ? "it has no ceiling" : "it reaches further than the rule",
    ],
    [rule.use.includes(grant.use), "use_unlisted", `${grant.use} is not listed`],
    [
      grant.nbf <= now + SKEW_SECONDS && grant.exp - now <= longestGrantSeconds,
      "grant_longer",
      `it would last longer than ${longestGrantSeconds} s`,
    ],
    [
      grant.max_ttl <= maxTtlSeconds,
      "ttl_longer",
      `credentials of ${grant.max_ttl} s, and the rule ends at ${maxTtlSeconds}`,
    ],
    [
      grant.max_issue <= maxIssue,
      "issues_more",
      `${grant.max_issue} credentials, and the rule ends at ${maxIssue}`,
    ],
    [
      grant.max_live <= maxLive,
      "live_more",
      `${grant.max_live} at a time, and the rule ends at ${maxLive}`,
    ],
  ];
}

/** Every bound of the rule that the statement does not keep. */
function outside(
  rule: PolicyRule,
  { agent, grant }: CredentialStatement,
  { observed }: PolicyQuestion,
  signed: readonly Seconds[],
  now: Seconds,
): readonly Reason[] {
  const bounds = [
    ...identityBounds(rule, agent, observed.warnings),
    ...grantBounds(rule, grant, now),
  ];
  const reasons: readonly Reason[] = bounds
    .filter(([holds]) => !holds)
    .map(([, code, text]) => ({ code, text }));
  const againAt = fullUntil(rule, signed, now);
  if (againAt === undefined) return reasons;
  const text = `${rule.rate.count} were signed within ${rule.rate.windowSeconds} s`;
  return [...reasons, { code: "rate_reached", text, againAt }];
}

const leave = (code: LeaveCode, text: string): PolicyRuling => ({
  do: "leave",
  reasons: [{ code, text }],
});

/**
 * Decides whether a policy engine signs: only what fits R, this server and this owner, and lies inside every bound of
 * one rule. Everything else is left for a person, with every reason.
 */
export function decideByRules(
  c: Crypto,
  { issuer, rules }: PolicyRules,
  question: PolicyQuestion,
  signedTimes: SignedTimes,
  now: Seconds,
): PolicyRuling {
  const { statement } = question;
  if (!isCredentialStatement(statement))
    return leave("statement_unsuitable", "it is of another kind");
  const { body } = statement;
  const unbounded = unboundedMember(body);
  if (unbounded !== undefined) return leave("member_unbounded", `rules do not bound ${unbounded}`);
  const why = unsuitable(c, question, body, issuer, now);
  if (why !== undefined) return leave("statement_unsuitable", why);
  const entry = agentEntryOf(body.agent.id);
  const named = rules.filter(({ entries }) =>
    entries.some(({ text, isPrefix }) => (isPrefix ? entry.startsWith(text) : entry === text)),
  );
  if (named.length === 0) return leave("agent_unlisted", "no rule names the agent");
  const reasons: LeaveReason[] = [];
  for (const rule of named) {
    const broken = outside(rule, body, question, signedTimes.get(rule.name) ?? [], now);
    if (broken.length === 0) return { do: "sign", rule: rule.name };
    for (const reason of broken) reasons.push({ ...reason, rule: rule.name });
  }
  return { do: "leave", reasons };
}

/** The times with one more, without those that no window reaches any more. To be kept before the signature leaves. */
export function countSigned(
  { rules }: PolicyRules,
  times: SignedTimes,
  signedBy: string,
  now: Seconds,
): SignedTimes {
  const kept = new Map<string, readonly Seconds[]>();
  for (const { name, rate } of rules) {
    const recent = (times.get(name) ?? []).filter((at) => at > now - rate.windowSeconds);
    const all = name === signedBy ? [...recent, now].toSorted((a, b) => a - b) : recent;
    if (all.length > 0) kept.set(name, all);
  }
  return kept;
}

const MAX_KEPT_RULES = 1000;
const MAX_KEPT_TIMES = 10_000;

/** The times as they are kept in a file. */
export function writeSignedTimes(times: SignedTimes): object {
  return { v: 1, signed: [...times].map(([rule, at]) => ({ rule, at })) };
}

/** @throws Refusal `configuration_invalid`: what cannot be read must not count as nothing signed */
export function readSignedTimes(value: Json): SignedTimes {
  const members = new Members(value, "configuration_invalid", "signed");
  members.integer("v", 1, 1);
  const rows = members.list(
    "signed",
    (item, where) => {
      const row = new Members(item, "configuration_invalid", where);
      const second = (at: Json): Seconds =>
        typeof at === "number" && Number.isSafeInteger(at) && at >= 0
          ? at
          : row.fail("at", "holds something that is no second");
      const read = [row.text("rule", { maxLength: 64 }), row.list("at", second, MAX_KEPT_TIMES)];
      row.end();
      return read as [string, readonly Seconds[]];
    },
    MAX_KEPT_RULES,
  );
  members.end();
  return new Map(rows);
}
