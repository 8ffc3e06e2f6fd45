import type { Crypto, Seconds } from "../crypto.ts";
import type { OwnerKind } from "../consent/statement.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { Examination } from "./examination.ts";
import type { Presented } from "./examination.ts";
import { LINKS } from "./links.ts";
import type { Link } from "./links.ts";
import { isDevelopment } from "./trust.ts";
import type { Trust } from "./trust.ts";
import { atLeast, LinkRefusal } from "./verdict.ts";
import type { LinkResult, OwnerProof, Verdict } from "./verdict.ts";

/** What a relying party demands. Only `proof` has a default: `verified`. */
export interface Demand {
  readonly proof?: OwnerProof;
  /** Least assurance, 0–4. */
  readonly oa?: number;
  readonly kinds?: readonly OwnerKind[];
  /** Least number of owners who have signed with keys that are accepted; default 1. */
  readonly owners?: number;
  /** The relying party's own resource URI: a ceiling must reach it. */
  readonly resource?: string;
  /** Default 60, at most 120. Unit: seconds. */
  readonly skewSeconds?: Seconds;
}

/** Reasons for which the owner is proved less far, and nothing is wrong with what was shown. */
const NOT_SHOWN: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "owner_missing",
  "owner_evidence_needed",
  "owner_key_unaccepted",
]);

export const DEFAULT_SKEW_SECONDS = 60;
const MAX_SKEW_SECONDS = 120;

interface Walk {
  readonly results: readonly LinkResult[];
  readonly proof: OwnerProof;
  readonly gap?: { readonly link: string; readonly code: RefusalCode; readonly detail: string };
}

async function codeOf(
  link: Link,
  x: Examination,
): Promise<{ code: RefusalCode; detail: string } | undefined> {
  try {
    await link.check(x);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, detail: error.message };
    throw error;
  }
}

/** Walks the table to the first gap, or to the level that is wanted. */
async function walk(x: Examination, wanted: OwnerProof): Promise<Walk> {
  const results: LinkResult[] = [];
  let proof: OwnerProof = "none";
  for (const link of LINKS) {
    const isWanted = link.towards === "none" || atLeast(wanted, link.towards);
    if (!isWanted || link.applies?.(x) === false) {
      results.push({ id: link.id, title: link.title, result: "skipped" });
      continue;
    }
    const failed = await codeOf(link, x);
    results.push({ id: link.id, title: link.title, result: failed?.code ?? "ok" });
    if (failed !== undefined) return { results, proof, gap: { link: link.id, ...failed } };
    proof = link.earns ?? proof;
  }
  return { results, proof };
}

/** An approval that is shown is judged, also where less is demanded: a wrong one refuses. The log only on demand. */
function goalOf(presented: Presented, wanted: OwnerProof): OwnerProof {
  return presented.approval === undefined || atLeast(wanted, "verified") ? wanted : "verified";
}

/**
 * Verifies what a caller presented, offline: token, certificate, owner's signature, endorsement, log.
 * Stops at the first gap. Proof that was not shown only lowers the proof; anything wrong in what was shown refuses.
 * @throws LinkRefusal naming the link, with the code of its reason
 */
export async function verify(
  c: Crypto,
  presented: Presented,
  trust: Trust,
  demand: Demand,
  now: Seconds,
): Promise<Verdict> {
  const wanted = demand.proof ?? "verified";
  const skewSeconds = Math.min(demand.skewSeconds ?? DEFAULT_SKEW_SECONDS, MAX_SKEW_SECONDS);
  const x = new Examination(c, presented, trust, { now, skewSeconds, resource: demand.resource });
  const walked = await walk(x, goalOf(presented, wanted));
  const { gap } = walked;
  if (gap !== undefined && (!NOT_SHOWN.has(gap.code) || !atLeast(walked.proof, wanted)))
    throw new LinkRefusal(gap.code, gap.link, walked.results, gap.detail);
  const verdict = verdictOf(x, walked);
  checkDemand(verdict, demand);
  return verdict;
}

function logOf({ proof, results }: Walk): Verdict["log"] {
  if (proof !== "logged") return "unchecked";
  const isWitnessed = results.some(({ id, result }) => id === "witnessed" && result === "ok");
  return isWitnessed ? "witnessed" : "unwitnessed";
}

function verdictOf(x: Examination, walked: Walk): Verdict {
  const wit = x.found("wit");
  const acceptance = x.peek("acceptance");
  const oa = x.peek("assurance") ?? 0;
  const accepted = x.peek("accepted");
  const m = x.peek("consent")?.grant.parties?.m ?? 1;
  return {
    agent: wit.sub.uri,
    ...(wit.owner === undefined
      ? {}
      : {
          owner: {
            id: wit.owner.id,
            kind: acceptance?.kind ?? wit.owner.kind,
            kindBasis: acceptance?.kindBasis ?? "claimed",
            oa,
            assuranceLowered: oa < wit.owner.oa,
            vouchedBy: acceptance?.vouchedBy ?? "nobody",
            attestation: acceptance?.attestation ?? "none",
            cs: wit.owner.cs,
            ...(accepted === undefined ? {} : { parties: { m, accepted } }),
          },
        }),
    proof: walked.proof,
    ...(walked.gap === undefined ? {} : { gap: { link: walked.gap.link, code: walked.gap.code } }),
    log: logOf(walked),
    revocation: "expiry only",
    development: isDevelopment(x.found("domain")),
    expiresAt: wit.exp,
    links: walked.results,
  };
}

function checkDemand(verdict: Verdict, demand: Demand): void {
  const { owner } = verdict;
  const signed = owner?.parties?.accepted.length ?? 1;
  if (demand.owners !== undefined && demand.owners > 1 && signed < demand.owners)
    throw new LinkRefusal("quorum_unmet", "demand", verdict.links, `${signed} signed`);
  if (demand.oa !== undefined && (owner === undefined || owner.oa < demand.oa))
    throw new LinkRefusal(
      "assurance_insufficient",
      "demand",
      verdict.links,
      `assurance ${owner?.oa ?? 0}`,
    );
  if (demand.kinds !== undefined && (owner === undefined || !demand.kinds.includes(owner.kind)))
    throw new LinkRefusal(
      "assurance_insufficient",
      "demand",
      verdict.links,
      "an owner of another kind",
    );
}
