import type { Digest, Jwk, Seconds } from "../crypto.ts";
import { canonicalJson } from "../json/canonical.ts";
import { isoTime } from "../consent/sentences.ts";
import type { Measurement } from "../consent/statement.ts";
import type { Appraisal } from "../evidence/appraisal.ts";
import type { EvidenceClaims } from "../evidence/eat.ts";
import type { Signed } from "../jose/signed.ts";
import type { RefusalCode } from "../refusal.ts";
import type { EndorsementClaims } from "./endorsement.ts";
import { OWNER_TTL_CAP_SECONDS, UNBOUND_TTL_CAP_SECONDS } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { judgeExpectation } from "./expectation.ts";
import type { Expected } from "./expectation.ts";
import type { Grant, Known } from "./known.ts";
import { isByOwnersOf } from "./quorum.ts";
import type { RequestClaims } from "./request.ts";

/** R, E and N of one request, verified and belonging together, with their appraisal. */
export interface Attested {
  readonly proxy: string;
  readonly agent: string;
  readonly anchor: string;
  readonly key: Jwk;
  readonly request: Signed<RequestClaims>;
  readonly evidence: Signed<EvidenceClaims>;
  readonly endorsement: Signed<EndorsementClaims>;
  readonly appraisal: Appraisal;
  readonly measurements: readonly Measurement[];
}

/** Why the owner is asked, shown first. */
export interface AskReason {
  readonly code:
    | "first_approval"
    | "measurement_changed"
    | "grant_over"
    | "grant_used_up"
    | "ceiling_changed"
    | "terms_changed"
    | "installation_replaced";
  /** Words for people, made of measured values only. */
  readonly text: string;
}

/** What is to be signed. Only `decideCredential` makes one. */
export interface CredentialDraft {
  readonly agent: string;
  readonly key: Jwk;
  readonly iat: Seconds;
  readonly exp: Seconds;
  readonly owner?: { readonly grant: Grant; readonly n: number };
}

export type Ruling =
  | { readonly do: "issue"; readonly draft: CredentialDraft }
  | {
      readonly do: "ask";
      readonly why: readonly AskReason[];
      readonly deadline: Seconds;
      readonly expected: Expected;
    }
  | {
      readonly do: "refuse";
      readonly code: RefusalCode;
      readonly why: string;
      /** What the caller can do, where that is more exact than the table's sentence. */
      readonly next?: string;
    };

/** Bounds that the server's configuration sets. Unit: seconds. */
export interface IssuePolicy {
  readonly ownerTtlSeconds: Seconds;
  readonly unboundTtlSeconds: Seconds;
  readonly approvalDeadlineSeconds: Seconds;
  /** End of the issuing CA's certificate. */
  readonly caNotAfter: Seconds;
}

export const DEFAULT_ISSUE_POLICY: Omit<IssuePolicy, "caNotAfter"> = {
  ownerTtlSeconds: 900,
  unboundTtlSeconds: 3600,
  approvalDeadlineSeconds: 3600,
};

const MAX_PENDING_PER_OWNER_AND_PROXY = 5;
const MAX_PENDING_PER_OWNER = 20;
/** Places of those that only questions take which the owner expects: nobody else can fill his inbox. */
const PLACES_FOR_EXPECTED = 8;
const SKEW_SECONDS = 60;

const refuse = (code: RefusalCode, why: string): Ruling => ({ do: "refuse", code, why });

function refuseAsking(why: string, next: string): Ruling {
  return { do: "refuse", code: "approval_denied", why, next };
}

/**
 * Decides one credential request (DESIGN 4, order of checks from the entry on). Pure: everything was verified or
 * loaded before, and the commit is guarded by `known.epoch`.
 */
export function decideCredential(
  a: Attested,
  known: Known,
  policy: IssuePolicy,
  now: Seconds,
): Ruling {
  const { entry } = known;
  if (known.hold !== undefined) return refuse("hold", known.hold);
  if (entry === undefined) return refuse("entry_unknown", "no such entry");
  if (entry.proxy !== a.proxy) return refuse("entry_not_served", "the entry names another proxy");
  const stop = known.stops[0];
  if (stop !== undefined) return refuse("halted", `${stop.scope} stopped at ${stop.since}`);
  if (a.appraisal.verdict === "refuse")
    return refuse(a.appraisal.refusal ?? "posture_refused", a.appraisal.reasons.join("; "));
  return entry.binding === "none"
    ? decideUnbound(a, policy, now)
    : decideOwned(a, entry, known, policy, now);
}

function decideUnbound(a: Attested, policy: IssuePolicy, now: Seconds): Ruling {
  if (a.appraisal.verdict !== "ok")
    return refuse("measurement_unknown", a.appraisal.reasons.join("; "));
  const ttl = Math.min(
    policy.unboundTtlSeconds,
    UNBOUND_TTL_CAP_SECONDS,
    a.endorsement.claims.exp - now,
    policy.caNotAfter - now,
  );
  return ttl < 1
    ? refuse("endorsement_invalid", "no time is left")
    : { do: "issue", draft: { agent: a.agent, key: a.key, iat: now, exp: now + ttl } };
}

function decideOwned(
  a: Attested,
  entry: Entry,
  known: Known,
  policy: IssuePolicy,
  now: Seconds,
): Ruling {
  const { grant } = known;
  if (a.endorsement.claims.cs === undefined) return ask(a, whyAsked(a, known), known, policy, now);
  if (grant === undefined || grant.statement.agent.id !== a.agent)
    return refuse("endorsement_invalid", "the endorsement names no grant of this agent");
  const broken = outsideGrant(a, entry, grant, known, now);
  if (broken.length > 0) return ask(a, broken, known, policy, now);
  if (known.live >= grant.statement.grant.max_live)
    return refuse("too_many_live", `${known.live} live`);
  if (a.appraisal.verdict !== "ok")
    return refuse("measurement_unknown", a.appraisal.reasons.join("; "));
  const bounds = grant.statement.grant;
  const ttl = Math.min(
    policy.ownerTtlSeconds,
    OWNER_TTL_CAP_SECONDS,
    entry.grant.maxTtlSeconds,
    bounds.max_ttl,
    bounds.exp - now,
    a.endorsement.claims.exp - now,
    policy.caNotAfter - now,
  );
  if (ttl < 1) return refuse("endorsement_invalid", "no time is left");
  return {
    do: "issue",
    draft: {
      agent: a.agent,
      key: a.key,
      iat: now,
      exp: now + ttl,
      owner: { grant, n: known.issued + 1 },
    },
  };
}

/** Whether the owner's inbox has no place for one more of this sort (DESIGN 14). */
function isFull({ pending }: Known, isExpected: boolean): boolean {
  if (pending.ofOwnerAtProxy >= MAX_PENDING_PER_OWNER_AND_PROXY) return true;
  if (pending.ofOwner >= MAX_PENDING_PER_OWNER) return true;
  const unexpected = pending.ofOwner - pending.ofOwnerExpected;
  return !isExpected && unexpected >= MAX_PENDING_PER_OWNER - PLACES_FOR_EXPECTED;
}

function ask(
  a: Attested,
  why: readonly AskReason[],
  known: Known,
  policy: IssuePolicy,
  now: Seconds,
): Ruling {
  if (known.isAskBlocked === true)
    return refuseAsking(
      "blocked, or denied too often",
      "Its owner has blocked it, or denied it three times. He lets it ask again in the console, or with countersign owner unblock NAME.",
    );
  if (known.askBlockedUntil !== undefined && now < known.askBlockedUntil)
    return refuseAsking(
      `may ask again at ${known.askBlockedUntil}`,
      `Talk to the owner; the agent may ask again at ${isoTime(known.askBlockedUntil)}.`,
    );
  const { run } = a.evidence.claims;
  const expected = judgeExpectation(
    {
      announcement: known.announcement,
      run,
      isListed: run !== undefined && known.listedUids.includes(run.uid),
      isChanged: why.some(({ code }) => code === "measurement_changed"),
    },
    now,
  );
  if (isFull(known, expected.isExpected)) return refuse("approval_queue_full", "too many pending");
  return { do: "ask", why, deadline: now + policy.approvalDeadlineSeconds, expected };
}

const short = (digest: Digest): string => digest.slice(8, 16);

/** The measurements that differ from the approved ones, as words `script 3f1cPz9A → 88abT0vX`. */
function changes(
  now: readonly Measurement[],
  approved: readonly { readonly n: string; readonly d: Digest }[],
): readonly string[] {
  const names = new Set([...now, ...approved].map((measurement) => measurement.n));
  return [...names].toSorted().flatMap((name) => {
    const before = approved.filter((measurement) => measurement.n === name);
    const current = now.find((measurement) => measurement.n === name);
    if (current !== undefined && before.some((measurement) => measurement.d === current.d))
      return [];
    const last = before.at(-1);
    return [
      `${name} ${last === undefined ? "none" : short(last.d)} → ${current === undefined ? "none" : short(current.d)}`,
    ];
  });
}

function whyAsked(a: Attested, known: Known): readonly AskReason[] {
  const approved = known.approvedMeasurements;
  if (approved.length === 0) return [{ code: "first_approval", text: "never approved before" }];
  const changed = changes(a.measurements, approved);
  return changed.length > 0
    ? [{ code: "measurement_changed", text: `the program changed: ${changed.join(", ")}` }]
    : [{ code: "terms_changed", text: "the agent asks for a new approval" }];
}

const usedUp = (maxIssue: number): string =>
  maxIssue === 1
    ? "the approval was for one credential, and that was issued"
    : `all ${maxIssue} credentials of the approval were issued`;

/** Every reason for which this request does not lie inside the grant; none means covered. */
function outsideGrant(
  a: Attested,
  entry: Entry,
  grant: Grant,
  known: Known,
  now: Seconds,
): readonly AskReason[] {
  const { statement } = grant;
  const bounds = statement.grant;
  const why: AskReason[] = [];
  const changed = changes(a.measurements, statement.agent.meas);
  if (changed.length > 0)
    why.push({ code: "measurement_changed", text: `the program changed: ${changed.join(", ")}` });
  if (grant.endedAt !== undefined || now >= bounds.exp || now + SKEW_SECONDS < bounds.nbf)
    why.push({ code: "grant_over", text: "the approval has ended" });
  if (known.issued >= bounds.max_issue)
    why.push({
      code: "grant_used_up",
      text: usedUp(bounds.max_issue),
    });
  if (statement.agent.jkt !== a.anchor)
    why.push({ code: "installation_replaced", text: "the installation was replaced" });
  if (statement.agent.host !== undefined && statement.agent.host !== a.proxy)
    why.push({ code: "terms_changed", text: "the approval is for another host" });
  if (!isByOwnersOf(entry, statement))
    why.push({ code: "terms_changed", text: "the registration names another owner" });
  if (!covers(bounds.ceiling, entry.grant.ceiling))
    why.push({ code: "ceiling_changed", text: "the registration wants more than was approved" });
  return why;
}

/** Whether an approved ceiling reaches everything that the registration wants; an empty one is no limit. */
function covers(approved: readonly object[], wanted: readonly object[]): boolean {
  if (approved.length === 0) return true;
  const known = new Set(approved.map((entry) => canonicalJson(entry)));
  return wanted.length > 0 && wanted.every((entry) => known.has(canonicalJson(entry)));
}
