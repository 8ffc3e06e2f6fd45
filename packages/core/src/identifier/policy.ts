import type { WorkloadId } from "./workload.ts";

/** A rule over workload identifiers. Only `exact` needs no thought; the others are written out per rule. */
export type IdentifierRule =
  | { readonly match: "exact"; readonly id: WorkloadId }
  /** The root itself and everything below it, by whole path segments of the same origin. */
  | { readonly match: "below"; readonly root: WorkloadId }
  /** Every workload of one origin, such as `spiffe://example.org`. */
  | { readonly match: "origin"; readonly origin: string };

/**
 * Whether the rule covers the subject. A bare identifier is an exact rule. Prefixes of text are never compared:
 * `/service/pay` must not cover `/service/payroll-attacker` (draft-ietf-wimse-identifier 7.6).
 */
export function matchesPolicy(rule: IdentifierRule | WorkloadId, subject: WorkloadId): boolean {
  if (!("match" in rule)) return rule.uri === subject.uri;
  switch (rule.match) {
    case "exact":
      return rule.id.uri === subject.uri;
    case "below":
      return (
        rule.root.origin === subject.origin &&
        rule.root.segments.every((segment, index) => subject.segments[index] === segment)
      );
    case "origin":
      return rule.origin === subject.origin;
    default:
      return false;
  }
}
