import type { Digest } from "../crypto.ts";
import type { RefusalCode } from "../refusal.ts";
import { isBetter, tierOf, tierOfVector } from "./ar4si.ts";
import type { TrustClaim } from "./ar4si.ts";
import type { AppraisalResult } from "./ear.ts";
import { measurementsOf } from "./eat.ts";
import type { EvidenceClaims, MeasurementName } from "./eat.ts";
import { POSTURE_ROWS } from "./posture.ts";
import type { AppraisalPolicy, Posture, PostureRow } from "./posture.ts";

/** What the appraisal reads of a registration entry. */
export interface EntryForAppraisal {
  /** Paths of facts below `submods` that must be there: `agent.countersign_proc.seccomp`. */
  readonly facts: readonly string[];
  readonly pins: readonly Digest[];
  readonly insecureSameUid: boolean;
  readonly uid: number;
  readonly custody?: "agent";
}

/** What evidence is worth, and what follows for the request. */
export interface Appraisal {
  readonly host: AppraisalResult;
  readonly agent: AppraisalResult;
  readonly measurements: readonly { readonly n: MeasurementName; readonly d: Digest }[];
  /** Whether every measurement is among the reference values. */
  readonly recognised: boolean;
  /** Words for people, of rows that hold and do not refuse. */
  readonly warnings: readonly string[];
  /** `unrecognised`: never issue; ask the owner where there is one. */
  readonly verdict: "ok" | "refuse" | "unrecognised";
  /** There exactly when the verdict is `refuse`. */
  readonly refusal?: RefusalCode;
  /** Words for people, why the verdict is not `ok`. */
  readonly reasons: readonly string[];
}

function policyId(policy: AppraisalPolicy): string {
  return `tag:countersign.example,2026:appraisal/${policy}#1`;
}

function hasFact(submods: object, path: string): boolean {
  let at: unknown = submods;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return false;
    at = (at as Record<string, unknown>)[name]; // own member of an object, checked above
  }
  return at !== undefined;
}

function postureOf(
  evidence: EvidenceClaims,
  entry: EntryForAppraisal,
  given: {
    readonly references: ReadonlySet<Digest>;
    readonly policy: AppraisalPolicy;
    readonly proxyUid: number | undefined;
  },
): Posture {
  const pins = new Set(entry.pins);
  return {
    ...evidence.submods,
    measured: new Map(measurementsOf(evidence).map(({ n, d }) => [n, d])),
    isReference: (d) => given.references.has(d) || pins.has(d),
    entryUid: entry.uid,
    custody: entry.custody,
    sameUidTolerated: given.policy === "laptop" || entry.insecureSameUid,
    proxyUid: given.proxyUid,
    demands: (path) => entry.facts.some((fact) => fact === path || fact.startsWith(`${path}.`)),
  };
}

function resultOf(
  rows: readonly PostureRow[],
  submod: PostureRow["submod"],
  policy: AppraisalPolicy,
): AppraisalResult {
  const vector: Partial<Record<TrustClaim, number>> = {};
  for (const row of rows) {
    if (row.submod !== submod) continue;
    const known = vector[row.claim];
    if (known === undefined || isBetter(tierOf(known), tierOf(row.value)))
      vector[row.claim] = row.value;
  }
  return {
    ear_status: tierOfVector(vector),
    ear_trustworthiness_vector: vector,
    ear_appraisal_policy_ids: [policyId(policy)],
  };
}

/** Why it is refused, if it is; in the order of how much the reason tells. */
function refusalOf(
  missing: readonly string[],
  rows: readonly PostureRow[],
  policy: AppraisalPolicy,
): { readonly code: RefusalCode; readonly reasons: readonly string[] } | undefined {
  if (missing.length > 0)
    return { code: "facts_missing", reasons: missing.map((path) => `${path} is not there`) };
  for (const { then, reason } of rows)
    if (then !== undefined && then !== "unrecognised") return { code: then, reasons: [reason] };
  const against = rows.filter(
    (row) =>
      row.then === undefined &&
      (tierOf(row.value) === "contraindicated" ||
        (policy === "hardened" && tierOf(row.value) === "warning")),
  );
  if (against.length === 0) return undefined;
  return { code: "posture_refused", reasons: against.map(({ reason }) => reason) };
}

/**
 * Appraises evidence that was opened and belongs to the request: rows of facts to AR4SI values, then the policy.
 * `standard` refuses what contradicts; `laptop` lets root and the proxy's own uid pass with a warning; `hardened`
 * refuses warnings too. Facts that the entry demands and that are absent refuse (`facts_missing`).
 * @param references digests of the agent's live grants; the entry's pins are added
 * @param proxyUid uid of the proxy's process; `undefined` warns, since sharing it cannot be seen
 */
export function appraise(
  evidence: EvidenceClaims,
  entry: EntryForAppraisal,
  references: ReadonlySet<Digest>,
  policy: AppraisalPolicy,
  proxyUid: number | undefined,
): Appraisal {
  const posture = postureOf(evidence, entry, { references, policy, proxyUid });
  const rows = POSTURE_ROWS.filter((row) => row.holds(posture));
  const missing = entry.facts.filter((path) => !hasFact(evidence.submods, path));
  const measurements = measurementsOf(evidence);
  const unknown = rows.filter((row) => row.then === "unrecognised");
  const refusal = refusalOf(missing, rows, policy);
  const warnings = rows.filter((row) => row.then === undefined && tierOf(row.value) === "warning");
  const verdict = refusal !== undefined ? "refuse" : unknown.length > 0 ? "unrecognised" : "ok";
  return {
    host: resultOf(rows, "host", policy),
    agent: resultOf(rows, "agent", policy),
    measurements,
    recognised: measurements.every(({ d }) => posture.isReference(d)),
    warnings: warnings.map(({ reason }) => reason),
    verdict,
    ...(refusal === undefined ? {} : { refusal: refusal.code }),
    reasons: refusal?.reasons ?? unknown.map(({ reason }) => reason),
  };
}
