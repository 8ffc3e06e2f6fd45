import type { Crypto, Digest, Jwk, Seconds, SignatureAlgorithm, Signer } from "../crypto.ts";
import type { WorkloadId } from "../identifier/workload.ts";
import { parseCompact, tokenJson } from "../jose/compact.ts";
import type { CompactJws } from "../jose/compact.ts";
import { algorithmsFor, sameKey } from "../jose/jwk.ts";
import { digestOf, seal } from "../jose/signed.ts";
import type { Signed, SignedType } from "../jose/signed.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { WIT_ALGS } from "./confirmation.ts";
import {
  lifeCapSeconds,
  MAX_WIT_BYTES,
  readExpiry,
  readRest,
  readSubject,
  writeClaims,
} from "./wit-claims.ts";
import type { WitClaims, WitDraft } from "./wit-claims.ts";
import type { OriginTrust, WitKey, WitTrust } from "../trust/wit-trust.ts";

export type { WitClaims, WitDraft } from "./wit-claims.ts";
export type { OriginTrust, WitKey, WitTrust } from "../trust/wit-trust.ts";

/** Form of the WITs issued here. Those of strangers are judged by `verifyWit` below, which allows more headers. */
const WIT: SignedType<WitClaims> = {
  typ: "wit+jwt",
  key: "kid",
  algs: WIT_ALGS,
  maxBytes: MAX_WIT_BYTES,
  invalid: "malformed_token",
  read: (payload, c) => readRest(c, payload, readSubject(payload), readExpiry(payload)),
  write: writeClaims,
};

/**
 * Signs a WIT: header `alg typ kid`, no `aud`. Refuses what `verifyWit` would refuse for its form or its life, and
 * a credential key that is the issuer's own.
 * @throws Refusal `lifetime_too_long`, `invalid_key`, and as `open` for claims that do not fit
 */
export async function sealWit(c: Crypto, draft: WitDraft, by: Signer): Promise<Signed<WitClaims>> {
  if (draft.exp - draft.iat > lifeCapSeconds(draft.owner !== undefined))
    throw new Refusal("lifetime_too_long", "a WIT to be issued");
  if (sameKey(draft.confirmation.key, by.key))
    throw new Refusal("invalid_key", "the credential key is the issuer's key");
  return seal(c, WIT, draft, by);
}

declare const verified: unique symbol;

/**
 * A WIT whose issuer, times and form were judged. It names a workload but authenticates nobody: only a proof made
 * with its confirmation key does.
 */
export interface VerifiedWit extends WitClaims {
  readonly octets: string;
  /** SHA-256 of the octets. */
  readonly digest: Digest;
  readonly issuerKey: Jwk;
  readonly [verified]: true;
}

export interface WitOptions {
  /** Clock difference allowed, 0 to 120 seconds; default 60. */
  readonly skewSeconds?: Seconds;
  /** Refuse an `iat` ahead of the clock; default for `wimse` subjects, not for `spiffe` (WIT-SVID 3.5). */
  readonly rejectFutureIat?: boolean;
  /** Life cap in place of 24 h, or 1 h with an owner claim; for trust domains of strangers. */
  readonly maxLifeSeconds?: Seconds;
}

export const MAX_SKEW_SECONDS = 120;
export const DEFAULT_SKEW_SECONDS = 60;

/**
 * A clock difference within its cap.
 * @throws Refusal `configuration_invalid`
 */
export function checkedSkew(skewSeconds: Seconds): Seconds {
  if (!(skewSeconds >= 0 && skewSeconds <= MAX_SKEW_SECONDS))
    throw new Refusal("configuration_invalid", "skew is 0 to 120 seconds");
  return skewSeconds;
}

/**
 * Refuses critical header parameters (RFC 7515 4.1.11) and an unencoded payload (RFC 7797).
 * @throws Refusal `unsupported_critical`
 */
export function checkCritical(header: JsonObject): void {
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64"))
    throw new Refusal("unsupported_critical");
}

function headerAlg(header: JsonObject): SignatureAlgorithm {
  if (header["typ"] !== "wit+jwt") throw new Refusal("wrong_type", "typ is not wit+jwt");
  const alg = WIT_ALGS.find((candidate) => candidate === header["alg"]);
  if (alg === undefined) throw new Refusal("unsupported_alg");
  checkCritical(header);
  return alg;
}

/** `iss` never finds a key; it can only fail the origin's own list. */
function checkIssuer(payload: JsonObject, issuers: readonly string[] | undefined): void {
  const iss = payload["iss"];
  if (iss === undefined || issuers === undefined) return;
  if (!issuers.some((issuer) => issuer === iss)) throw new Refusal("issuer_not_allowed");
}

/** Selection must be unambiguous: by `kid`, or the only key of the origin that fits the algorithm. */
function chooseKey(header: JsonObject, alg: SignatureAlgorithm, trust: OriginTrust): WitKey {
  const named = Object.hasOwn(header, "kid");
  const candidates = trust.keys.filter((anchor) =>
    named ? anchor.kid === header["kid"] : algorithmsFor(anchor.key).includes(alg),
  );
  const [chosen] = candidates;
  if (chosen === undefined || candidates.length > 1) throw new Refusal("unknown_key");
  if (!(trust.algs ?? WIT_ALGS).includes(alg) || !algorithmsFor(chosen.key).includes(alg))
    throw new Refusal("unsupported_alg", "not an algorithm of this origin and key");
  return chosen;
}

async function checkSignature(
  c: Crypto,
  jws: CompactJws,
  alg: SignatureAlgorithm,
  anchor: WitKey,
): Promise<void> {
  if (!(await c.verify(alg, anchor.key, jws.signingInput, jws.signature)))
    throw new Refusal("invalid_signature");
}

/** Expiry and life: what a thief of an anchor could mint must not outlive the anchor's removal by much. */
function checkedExpiry(payload: JsonObject, now: Seconds, skew: Seconds, cap: Seconds): Seconds {
  const exp = readExpiry(payload);
  if (now >= exp + skew) throw new Refusal("expired");
  const iat = payload["iat"];
  if (exp > now + cap + skew || (typeof iat === "number" && exp - iat > cap))
    throw new Refusal("lifetime_too_long");
  return exp;
}

function checkBegin(
  payload: JsonObject,
  now: Seconds,
  skew: Seconds,
  rejectFutureIat: boolean,
): void {
  for (const name of ["nbf", "iat"]) {
    const value = payload[name];
    if (value === undefined) continue;
    if (typeof value !== "number") throw new Refusal("malformed_token", `${name} is not a number`);
    if (value > now + skew && (name === "nbf" || rejectFutureIat))
      throw new Refusal("not_yet_valid", name);
  }
}

/** A retired or not yet active key signs nothing; without `iat` nobody can tell, so a bounded key refuses it. */
function checkKeyLife(anchor: WitKey, iat: unknown, skew: Seconds): void {
  if (anchor.nbf === undefined && anchor.exp === undefined) return;
  const inside =
    typeof iat === "number" &&
    iat >= (anchor.nbf ?? -Infinity) - skew &&
    iat <= (anchor.exp ?? Infinity) + skew;
  if (!inside) throw new Refusal("unknown_key", "iat is outside the key's life");
}

function isAnchor(trust: WitTrust, claims: WitClaims): boolean {
  return [...trust.values()].some((origin) =>
    origin.keys.some((anchor) => sameKey(anchor.key, claims.confirmation.key)),
  );
}

function trustFor(trust: WitTrust, sub: WorkloadId): OriginTrust {
  const found = trust.get(sub.origin);
  if (found === undefined) throw new Refusal("unknown_trust_domain", sub.origin);
  return found;
}

/**
 * Verifies a WIT by the steps of draft-ietf-wimse-workload-creds (editor's copy) 5.1.4, in their order, so that the
 * first fault is the one reported. Anchors come from `trust` by the origin of `sub`; `iss`, `jwk`, `jku`, `x5c` and
 * the like never lead to a key. Claims not known, `aud` among them, are ignored.
 * @throws Refusal `too_large`, `malformed_token`, `wrong_type`, `unsupported_alg`, `unsupported_critical`,
 * `missing_sub`, `invalid_sub`, `unknown_trust_domain`, `issuer_not_allowed`, `unknown_key`, `invalid_signature`,
 * `missing_exp`, `invalid_exp`, `expired`, `lifetime_too_long`, `not_yet_valid`, `missing_confirmation`,
 * `invalid_key`, `missing_confirmation_alg`, `forbidden_confirmation_alg`, `owner_claim`
 */
export async function verifyWit(
  c: Crypto,
  octets: string,
  trust: WitTrust,
  now: Seconds,
  options: WitOptions = {},
): Promise<VerifiedWit> {
  const skew = checkedSkew(options.skewSeconds ?? DEFAULT_SKEW_SECONDS);
  const jws = parseCompact(octets, MAX_WIT_BYTES);
  const payload = tokenJson(jws.payload, MAX_WIT_BYTES);
  const alg = headerAlg(jws.header);
  const sub = readSubject(payload);
  const origin = trustFor(trust, sub);
  checkIssuer(payload, origin.issuers);
  const anchor = chooseKey(jws.header, alg, origin);
  await checkSignature(c, jws, alg, anchor);
  const hasOwner = Object.hasOwn(payload, "countersign_owner");
  const exp = checkedExpiry(payload, now, skew, options.maxLifeSeconds ?? lifeCapSeconds(hasOwner));
  checkBegin(payload, now, skew, options.rejectFutureIat ?? sub.scheme === "wimse");
  checkKeyLife(anchor, payload["iat"], skew);
  const claims = readRest(c, payload, sub, exp);
  if (isAnchor(trust, claims)) throw new Refusal("invalid_key", "cnf.jwk is an issuer's key");
  const judged = { octets, digest: digestOf(c, jws.bytes), issuerKey: anchor.key };
  return Object.assign(claims, judged) as VerifiedWit; // the brand exists for the compiler only
}
