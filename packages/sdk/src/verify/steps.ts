import { audienceOf, Refusal } from "@countersign/core";
import type { Bundle, DomainTrust, HeaderLines, Seconds, VerifiedWit } from "@countersign/core";
import { evidenceInHeader, fetchEvidence } from "./evidence.ts";
import type { Settings } from "./settings.ts";

/** The addresses that a request for this path may be for. @throws Refusal `malformed_request` */
export function audiencesOf(resources: readonly string[], path: string): readonly string[] {
  if (!path.startsWith("/")) throw new Refusal("malformed_request", "the target is not a path");
  return resources.map((base) => audienceOf(base + path));
}

/** @throws Refusal `unknown_trust_domain`, `indeterminate` */
export function inDate(domain: DomainTrust | undefined, now: Seconds): DomainTrust {
  if (domain === undefined) throw new Refusal("unknown_trust_domain");
  if (now >= domain.bundle.exp)
    throw new Refusal("indeterminate", "the trust bundle is past its exp");
  return domain;
}

/** The caller's own, what was verified with this token before, or what the configured origin has. */
export async function findEvidence(
  s: Settings,
  headers: HeaderLines,
  wit: VerifiedWit,
  domain: DomainTrust,
  now: Seconds,
): Promise<Bundle | undefined> {
  const sent = evidenceInHeader(headers);
  if (sent !== undefined) return sent;
  const known = s.remembered.get(wit.digest);
  if (known !== undefined && now < known.until) return known.bundle;
  s.remembered.delete(wit.digest);
  const { evidence = "header" } = s.options;
  const { owner, jti } = wit;
  if (evidence === "header" || owner === undefined || jti === undefined) return undefined;
  if (domain.evidenceOrigin === undefined) return undefined;
  return fetchEvidence(evidence.fetch, domain.evidenceOrigin, owner, jti);
}
