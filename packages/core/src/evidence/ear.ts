import type { Seconds } from "../crypto.ts";
import { Members } from "../json/read.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { isObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { isBetter, TIERS, tierOfVector, TRUST_CLAIMS, worstTier } from "./ar4si.ts";
import type { Tier, TrustClaim, TrustVector } from "./ar4si.ts";
import { present } from "./facts.ts";

/** Profile of draft-ietf-rats-ear-03, the only one written here. */
export const EAR_PROFILE = "tag:ietf.org,2026:rats/ear#03";
/** Profile of running Veraison services, whose names have dots and hyphens. */
export const VERAISON_PROFILE = "tag:github.com,2023:veraison/ear";

/** EAR claims about one submodule, named as on the wire. What we make always has all three. */
export interface AppraisalResult {
  readonly ear_status: Tier;
  readonly ear_trustworthiness_vector: TrustVector;
  /** In order of application. */
  readonly ear_appraisal_policy_ids: readonly string[];
}

/** One appraisal as some verifier states it. */
export interface EarAppraisal {
  readonly ear_status: Tier;
  readonly ear_trustworthiness_vector?: TrustVector;
  readonly ear_appraisal_policy_ids?: readonly string[];
  /** The nonce inside the evidence: it has to be compared even when the status affirms. */
  readonly eat_nonce?: string | readonly string[];
}

/** An EAT Attestation Result. */
export interface Ear {
  readonly iat: Seconds;
  readonly exp?: Seconds;
  readonly verifierId: { readonly developer: string; readonly build: string };
  readonly status?: Tier;
  /** Freshness of the result, not of the evidence. */
  readonly eatNonce?: string | readonly string[];
  readonly rawEvidence?: string;
  /** By label, in the order received. */
  readonly submods: ReadonlyMap<string, EarAppraisal>;
}

/** How the two dialects name the same claims. */
interface Dialect {
  readonly profile: string;
  readonly status: string;
  readonly vector: string;
  readonly policies: string;
  readonly verifier: string;
  readonly rawEvidence: string;
}
const DIALECTS: readonly Dialect[] = [
  {
    profile: EAR_PROFILE,
    status: "ear_status",
    vector: "ear_trustworthiness_vector",
    policies: "ear_appraisal_policy_ids",
    verifier: "ear_verifier_id",
    rawEvidence: "ear_raw_evidence",
  },
  {
    profile: VERAISON_PROFILE,
    status: "ear.status",
    vector: "ear.trustworthiness-vector",
    policies: "ear.appraisal-policy-id",
    verifier: "ear.verifier-id",
    rawEvidence: "ear.raw-evidence",
  },
];
const MAX_SUBMODS = 16;
const MAX_LABEL = 64;
const MAX_RAW_EVIDENCE = 64 * 1024;

function readVector(value: Json | undefined, code: RefusalCode): TrustVector {
  const m = new Members(value, code, "vector");
  const vector: Partial<Record<TrustClaim, number>> = {};
  for (const claim of TRUST_CLAIMS) if (m.has(claim)) vector[claim] = m.integer(claim, -128, 127);
  m.end();
  if (Object.keys(vector).length === 0) throw new Refusal(code, "the vector is empty");
  return vector;
}

function readPolicies(m: Members, name: string): readonly string[] {
  const ids = m.list(
    name,
    (item) =>
      typeof item === "string" && item !== "" && item.length <= 512
        ? item
        : m.fail(name, "holds something else"),
    16,
  );
  return ids.length === 0 ? m.fail(name, "is empty") : ids;
}

/** RFC 9711 section 4.1: one text of 8 to 88 characters, or a list of at least two. */
function readNonce(m: Members, name: string): string | readonly string[] {
  const value = m.raw(name);
  const fits = (item: Json | undefined): item is string =>
    typeof item === "string" && item.length >= 8 && item.length <= 88;
  if (fits(value)) return value;
  if (!Array.isArray(value) || value.length < 2 || value.length > 8)
    return m.fail(name, "is not a nonce");
  return value.map((item: Json) => (fits(item) ? item : m.fail(name, "is not a nonce")));
}

function readAppraisal(value: Json, dialect: Dialect): EarAppraisal {
  const m = new Members(value, "ear_invalid", "submod");
  const status = m.choice(dialect.status, TIERS);
  const vector = m.optional(dialect.vector, (name) => readVector(m.raw(name), "ear_invalid"));
  if (vector !== undefined && isBetter(status, tierOfVector(vector)))
    m.fail(dialect.status, "is better than the worst claim");
  const policies = m.optional(dialect.policies, (name) =>
    dialect.profile === VERAISON_PROFILE
      ? [m.text(name, { maxLength: 512 })]
      : readPolicies(m, name),
  );
  return {
    ear_status: status,
    ...present({
      ear_trustworthiness_vector: vector,
      ear_appraisal_policy_ids: policies,
      eat_nonce: m.optional("eat_nonce", (name) => readNonce(m, name)),
    }),
  };
}

function readSubmods(value: Json | undefined, dialect: Dialect): ReadonlyMap<string, EarAppraisal> {
  if (!isObject(value)) throw new Refusal("ear_invalid", "no submods");
  const labels = Object.keys(value);
  if (
    labels.length < 1 ||
    labels.length > MAX_SUBMODS ||
    labels.some((label) => label.length > MAX_LABEL)
  )
    throw new Refusal("ear_invalid", "number or length of labels");
  return new Map(
    Object.entries(value).map(([label, item]) => [label, readAppraisal(item, dialect)]),
  );
}

/**
 * Reads the claims of an EAR in either dialect, which `eat_profile` names. Claims that are not known are ignored.
 * Signature, expiry and the two nonces are for the caller.
 * @throws Refusal `ear_invalid`, also where a status is better than the worst claim beneath it
 */
export function readEar(payload: JsonObject): Ear {
  const m = new Members(payload, "ear_invalid");
  const profile = m.text("eat_profile");
  const dialect = DIALECTS.find((candidate) => candidate.profile === profile);
  if (dialect === undefined) return m.fail("eat_profile", "is not known");
  const verifier = m.object(dialect.verifier);
  const submods = readSubmods(m.raw("submods"), dialect);
  const status = m.optional(dialect.status, (name) => m.choice(name, TIERS));
  const worst = worstTier([...submods.values()].map((submod) => submod.ear_status));
  if (status !== undefined && isBetter(status, worst))
    m.fail(dialect.status, "is better than the worst submod");
  return {
    iat: m.integer("iat"),
    verifierId: {
      developer: verifier.text("developer", { maxLength: 512 }),
      build: verifier.text("build", { maxLength: 512 }),
    },
    submods,
    ...present({
      exp: m.optional("exp", (name) => m.integer(name)),
      status,
      eatNonce: m.optional("eat_nonce", (name) => readNonce(m, name)),
      rawEvidence: m.optional(dialect.rawEvidence, (name) =>
        m.text(name, { maxLength: MAX_RAW_EVIDENCE, pattern: /^[A-Za-z0-9_-]+$/ }),
      ),
    }),
  };
}

/** The claims of an EAR in the names of draft -03. */
export function writeEar(ear: Ear): object {
  return present({
    eat_profile: EAR_PROFILE,
    iat: ear.iat,
    exp: ear.exp,
    ear_verifier_id: ear.verifierId,
    ear_status: ear.status,
    eat_nonce: ear.eatNonce,
    ear_raw_evidence: ear.rawEvidence,
    submods: Object.fromEntries(ear.submods),
  });
}

/**
 * Reads an appraisal as it stands in a record: all three claims and nothing else.
 * @throws Refusal `code`
 */
export function readAppraisalResult(m: Members, code: RefusalCode): AppraisalResult {
  const result = {
    ear_status: m.choice("ear_status", TIERS),
    ear_trustworthiness_vector: readVector(m.raw("ear_trustworthiness_vector"), code),
    ear_appraisal_policy_ids: readPolicies(m, "ear_appraisal_policy_ids"),
  };
  m.end();
  if (isBetter(result.ear_status, tierOfVector(result.ear_trustworthiness_vector)))
    m.fail("ear_status", "is better than the worst claim");
  return result;
}
