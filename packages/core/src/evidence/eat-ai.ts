import type { Json } from "../json/strict.ts";
import { isObject } from "../json/strict.ts";
import type { Members } from "../json/read.ts";
import { fromBase64url } from "../bytes.ts";

/** Digest in the JSON form of EAT-AI: the hash by its name, never by a number, since the draft's numbers are wrong. */
export interface AiDigest {
  readonly alg: "SHA-256" | "SHA-384" | "SHA-512";
  /** Base64url. */
  readonly hash: string;
}

/**
 * Claims of draft-messous-eat-ai. Words of the deployer, not measurements: they may lower an appraisal and never
 * widen anything. In particular `owner_id` is not the owner binding and `allowed_apis` allows nothing.
 */
export interface EatAiClaims {
  readonly ai_model_id?: string;
  readonly ai_model_hash?: AiDigest;
  readonly model_arch_digest?: AiDigest;
  readonly training_data_id?: string;
  readonly training_geo_region?: readonly string[];
  /** May be a fraction, which our own writer refuses: it is read from others only. */
  readonly dp_epsilon?: number;
  readonly input_policy_digest?: AiDigest;
  readonly allowed_slice_types?: readonly string[];
  readonly data_retention_policy?: string;
  readonly owner_id?: string;
  readonly capabilities?: readonly string[];
  readonly allowed_apis?: readonly string[];
  readonly ai_sbom_ref?: string | object;
}

const HASH_BYTES: Readonly<Record<AiDigest["alg"], number>> = {
  "SHA-256": 32,
  "SHA-384": 48,
  "SHA-512": 64,
};

function isAiDigest(value: Json | undefined): boolean {
  if (!isObject(value) || Object.keys(value).length !== 2) return false;
  const { alg, hash } = value;
  if (typeof hash !== "string") return false;
  const wanted = Object.entries(HASH_BYTES).find(([name]) => name === alg)?.[1];
  try {
    return fromBase64url(hash).length === wanted;
  } catch {
    return false;
  }
}

const isText = (value: Json | undefined): boolean =>
  typeof value === "string" && value.length > 0 && value.length <= 1024;
const isTexts = (value: Json | undefined): boolean =>
  Array.isArray(value) && value.length <= 64 && value.every(isText);

/** Which form each claim has. */
const FORMS: Readonly<Record<keyof EatAiClaims, (value: Json | undefined) => boolean>> = {
  ai_model_id: isText,
  ai_model_hash: isAiDigest,
  model_arch_digest: isAiDigest,
  training_data_id: isText,
  training_geo_region: isTexts,
  dp_epsilon: (value) => typeof value === "number" && value >= 0,
  input_policy_digest: isAiDigest,
  allowed_slice_types: isTexts,
  data_retention_policy: isText,
  owner_id: isText,
  capabilities: isTexts,
  allowed_apis: isTexts,
  ai_sbom_ref: (value) => isText(value) || isObject(value),
};

/** Reads the claims that are there; a known one of another form refuses with the code of `m`. */
export function readEatAi(m: Members): EatAiClaims {
  const claims: Record<string, Json> = {};
  for (const [name, fits] of Object.entries(FORMS)) {
    const value = m.raw(name);
    if (value === undefined) continue;
    if (!fits(value)) m.fail(name, "has not the form that EAT-AI gives it");
    claims[name] = value;
  }
  return claims; // each member was held against its form
}
