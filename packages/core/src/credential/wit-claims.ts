import type { Crypto, Seconds } from "../crypto.ts";
import { parseWorkloadId } from "../identifier/workload.ts";
import type { WorkloadId } from "../identifier/workload.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { readConfirmation } from "./confirmation.ts";
import type { Confirmation } from "./confirmation.ts";
import { readOwnerClaim, writeOwnerClaim } from "./owner-claim.ts";
import type { OwnerClaim } from "./owner-claim.ts";

/** What a Workload Identity Token says (draft-ietf-wimse-workload-creds-02 5.1). Times in seconds, fractions cut off. */
export interface WitClaims {
  readonly iss?: string;
  readonly sub: WorkloadId;
  readonly iat?: Seconds;
  readonly nbf?: Seconds;
  readonly exp: Seconds;
  readonly jti?: string;
  readonly confirmation: Confirmation;
  readonly owner?: OwnerClaim;
}

/** What is issued here always says, beyond what the draft demands. */
export interface WitDraft extends WitClaims {
  readonly iss: string;
  readonly iat: Seconds;
  readonly nbf: Seconds;
  readonly jti: string;
}

export const MAX_WIT_BYTES = 8192;
/** Longest life of a WIT with an owner claim, in seconds. */
export const MAX_OWNER_LIFE_SECONDS = 3600;
/** Longest life of any other WIT, in seconds. */
export const MAX_LIFE_SECONDS = 86_400;

/**
 * The subject: one canonical workload identifier.
 * @throws Refusal `missing_sub`, `invalid_sub`
 */
export function readSubject(payload: JsonObject): WorkloadId {
  if (!Object.hasOwn(payload, "sub")) throw new Refusal("missing_sub");
  try {
    return parseWorkloadId(payload["sub"]);
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal("invalid_sub", error.message);
    throw error;
  }
}

/** RFC 7519 NumericDate. Fractions are cut off: within the skew of any check. */
function instant(payload: JsonObject, name: string, invalid: RefusalCode): Seconds | undefined {
  const value = payload[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new Refusal(invalid, `${name} is not a number`);
  return Math.floor(value);
}

/**
 * `exp` of a token.
 * @throws Refusal `missing_exp`, `invalid_exp`
 */
export function readExpiry(payload: JsonObject): Seconds {
  const exp = instant(payload, "exp", "invalid_exp");
  if (exp === undefined) throw new Refusal("missing_exp");
  return exp;
}

function text(payload: JsonObject, name: string): string | undefined {
  const value = payload[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new Refusal("malformed_token", `${name} is not a string`);
  return value;
}

/** Claims that are read after subject and expiry, in the order in which their refusals are reported. */
export function readRest(c: Crypto, payload: JsonObject, sub: WorkloadId, exp: Seconds): WitClaims {
  const confirmation = readConfirmation(c, payload["cnf"]);
  const iss = text(payload, "iss");
  const iat = instant(payload, "iat", "malformed_token");
  const nbf = instant(payload, "nbf", "malformed_token");
  const jti = text(payload, "jti");
  const owner = Object.hasOwn(payload, "countersign_owner")
    ? readOwner(c, payload["countersign_owner"], sub)
    : undefined;
  // member by member: many spreads of maybe nothing cost more than reading all the claims
  const claims: { -readonly [M in keyof WitClaims]: WitClaims[M] } = { sub, exp, confirmation };
  if (iss !== undefined) claims.iss = iss;
  if (iat !== undefined) claims.iat = iat;
  if (nbf !== undefined) claims.nbf = nbf;
  if (jti !== undefined) claims.jti = jti;
  if (owner !== undefined) claims.owner = owner;
  return claims;
}

/** A trust domain speaks for its own owners only. */
function readOwner(c: Crypto, value: JsonObject[string] | undefined, sub: WorkloadId): OwnerClaim {
  const owner = readOwnerClaim(c, value);
  if (!owner.id.startsWith(`urn:agent-owner:${sub.trustDomain}:`))
    throw new Refusal("owner_claim", "the owner belongs to another trust domain");
  return owner;
}

/** The claims as they stand on the wire. */
export function writeClaims(claims: WitClaims): object {
  const { iss, sub, iat, nbf, exp, jti, confirmation, owner } = claims;
  return {
    iss,
    sub: sub.uri,
    iat,
    nbf,
    exp,
    jti,
    cnf: { jwk: { ...confirmation.key, alg: confirmation.alg } },
    countersign_owner: owner === undefined ? undefined : writeOwnerClaim(owner),
  };
}

/** Longest life that a WIT with or without an owner claim may have. */
export function lifeCapSeconds(hasOwner: boolean): Seconds {
  return hasOwner ? MAX_OWNER_LIFE_SECONDS : MAX_LIFE_SECONDS;
}
