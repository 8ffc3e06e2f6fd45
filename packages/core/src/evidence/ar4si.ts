/** Trustworthiness claims of AR4SI, by the names that EAR gives them in JSON. */
export const TRUST_CLAIMS = [
  "instance-identity",
  "configuration",
  "executables",
  "file-system",
  "hardware",
  "runtime-opaque",
  "storage-opaque",
  "sourced-data",
] as const;
export type TrustClaim = (typeof TRUST_CLAIMS)[number];

/** A value per claim, −128 … 127; a claim that is not there says nothing. */
export type TrustVector = Readonly<Partial<Record<TrustClaim, number>>>;

export const TIERS = ["none", "affirming", "warning", "contraindicated"] as const;
export type Tier = (typeof TIERS)[number];

/** The verifier did not work: whoever decides must not build on it. */
const VERIFIER_MALFUNCTION = -1;

/** Higher is worse. Nothing said is worse than an affirmation: a status may not make one of it. */
const SEVERITY: Readonly<Record<Tier, number>> = {
  affirming: 0,
  none: 1,
  warning: 2,
  contraindicated: 3,
};

/** The tier of a value: standard values are positive, a verifier's own are negative (AR4SI section 2.3). */
export function tierOf(value: number): Tier {
  if (value === VERIFIER_MALFUNCTION || value === 0 || value === 1) return "none";
  const size = value < 0 ? -value - 1 : value;
  if (size < 32) return "affirming";
  return size < 96 ? "warning" : "contraindicated";
}

/** Whether `a` claims more trust than `b`. */
export function isBetter(a: Tier, b: Tier): boolean {
  return SEVERITY[a] < SEVERITY[b];
}

/** The worst of some tiers; `none` of nothing. */
export function worstTier(tiers: readonly Tier[]): Tier {
  const [first, ...rest] = tiers;
  return rest.reduce((worst, tier) => (isBetter(worst, tier) ? tier : worst), first ?? "none");
}

/** The worst tier of a vector; the value 0 is the same as an absent claim. */
export function tierOfVector(vector: TrustVector): Tier {
  const values = Object.values(vector).filter((value) => value !== 0);
  return worstTier(values.map(tierOf));
}
