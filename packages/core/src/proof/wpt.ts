import type { Crypto, Seconds, Signer } from "../crypto.ts";
import { base64url, equalText, utf8 } from "../bytes.ts";
import { WIT_ALGS } from "../credential/confirmation.ts";
import { readExpiry } from "../credential/wit-claims.ts";
import { checkCritical, checkedSkew } from "../credential/wit.ts";
import type { VerifiedWit } from "../credential/wit.ts";
import type { WorkloadId } from "../identifier/workload.ts";
import { parseCompact, tokenJson } from "../jose/compact.ts";
import { thumbprint } from "../jose/jwk.ts";
import { seal } from "../jose/signed.ts";
import type { Signed, SignedType } from "../jose/signed.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { isHash } from "../json/read.ts";
import { isObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { sameAudience } from "./audience.ts";
import { fieldLines } from "./headers.ts";
import type { HeaderLines } from "./headers.ts";
import { asProofRefusal } from "./refusal.ts";
import type { ReplayStore } from "./replay.ts";

/** What a Workload Proof Token says (draft-ietf-wimse-wpt-02 2). */
export interface WptClaims {
  readonly aud: string;
  readonly exp: Seconds;
  /** 1 to 256 characters. */
  readonly jti: string;
  /** Hash of the WIT. */
  readonly wth: string;
  /** Hash of the transaction token in `Txn-Token`. */
  readonly tth?: string;
  /** Header name in lower case → hash of the whole field value. */
  readonly oth?: Readonly<Record<string, string>>;
}

export const MAX_WPT_BYTES = 4096;
const MAX_JTI_LENGTH = 256;
/** Longest life accepted inside one's own trust domain, in seconds; skew comes on top. */
export const OWN_PROOF_LIFE_SECONDS = 60;
/** Longest life accepted from other trust domains, in seconds. */
export const FOREIGN_PROOF_LIFE_SECONDS = 600;
/** Clock difference allowed for proofs where the caller names none, in seconds. */
export const DEFAULT_PROOF_SKEW_SECONDS = 10;
/** Headers with a binding of their own. */
const OWN_MECHANISM: ReadonlySet<string> = new Set([
  "authorization",
  "workload-identity-token",
  "txn-token",
]);

/** `wth`, `tth`, `oth`: base64url of SHA-256 over the text as sent, outer white space removed. */
export function hashOf(c: Crypto, text: string): string {
  return base64url(c.sha256(utf8(text)));
}

function readJti(payload: JsonObject): string {
  const { jti } = payload;
  if (typeof jti !== "string" || jti === "" || jti.length > MAX_JTI_LENGTH)
    throw new Refusal("missing_jti");
  return jti;
}

/** One string, or a list of one. */
function readAudience(payload: JsonObject): string {
  const { aud } = payload;
  const only: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (typeof only !== "string") throw new Refusal("audience_mismatch", "aud is not one string");
  return only;
}

function readOth(payload: JsonObject): Readonly<Record<string, string>> | undefined {
  const { oth } = payload;
  if (oth === undefined) return undefined;
  const isText = (entry: [string, unknown]): entry is [string, string] =>
    typeof entry[1] === "string";
  const entries = isObject(oth) ? Object.entries(oth) : undefined;
  if (entries === undefined || !entries.every(isText))
    throw new Refusal("malformed_token", "oth is not an object of strings");
  return Object.fromEntries(entries);
}

function readHash(payload: JsonObject, name: string, code: "wit_binding_mismatch"): string {
  const value = payload[name];
  if (!isHash(value)) throw new Refusal(code, `${name} is not a hash`);
  return value;
}

function readWpt(payload: JsonObject): WptClaims {
  const { tth } = payload;
  const oth = readOth(payload);
  if (tth !== undefined && !isHash(tth)) throw new Refusal("txn_token_binding_mismatch");
  return {
    aud: readAudience(payload),
    exp: readExpiry(payload),
    jti: readJti(payload),
    wth: readHash(payload, "wth", "wit_binding_mismatch"),
    ...(tth === undefined ? {} : { tth }),
    ...(oth === undefined ? {} : { oth }),
  };
}

const WPT: SignedType<WptClaims> = {
  typ: "wpt+jwt",
  key: "given",
  algs: WIT_ALGS,
  maxBytes: MAX_WPT_BYTES,
  invalid: "malformed_token",
  read: readWpt,
  write: ({ aud, exp, jti, wth, tth, oth }) => ({ aud, exp, jti, wth, tth, oth }),
};

/**
 * Signs a proof with the credential's key: header `alg typ`. The caller chooses `aud` (see `audienceOf`), at most
 * 60 s of life and never beyond the WIT's, and a `jti` of 128 random bits.
 * @throws Refusal as the reader, when the claims do not fit
 */
export function sealWpt(c: Crypto, claims: WptClaims, by: Signer): Promise<Signed<WptClaims>> {
  return seal(c, WPT, claims, by);
}

/** What a proof is made for. */
export interface WptInput {
  readonly wit: string;
  /** The address that is called, as `audienceOf` gives it. */
  readonly aud: string;
  readonly exp: Seconds;
  /** 128 random bits. */
  readonly jti: string;
  /** `Txn-Token` that is sent along. */
  readonly txn?: string | undefined;
  /** Values of the headers that the proof shall cover, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Makes the proof for one request.
 * @throws Refusal as `sealWpt`
 */
export async function makeWpt(c: Crypto, input: WptInput, by: Signer): Promise<string> {
  const oth = Object.fromEntries(
    Object.entries(input.headers).map(([name, value]) => [name, hashOf(c, value)]),
  );
  const claims: WptClaims = {
    aud: input.aud,
    exp: input.exp,
    jti: input.jti,
    wth: hashOf(c, input.wit),
    ...(input.txn === undefined ? {} : { tth: hashOf(c, input.txn) }),
    ...(Object.keys(oth).length === 0 ? {} : { oth }),
  };
  return (await sealWpt(c, claims, by)).octets;
}

/** One request as far as its proof is concerned. */
export interface ProofInput {
  /** Compact JWS from `Authorization: WPT`. */
  readonly proof: string;
  readonly wit: VerifiedWit;
  /** All lines as received, repeats included. */
  readonly headers: HeaderLines;
  /** The addresses that this request may have been made for: configured bases + the path as received, never `Host`. */
  readonly audiences: readonly string[];
  /** Names of the headers that carry tokens here; each one sent must be in `oth`. Default none. */
  readonly contextHeaders?: readonly string[];
  /** `OWN_PROOF_LIFE_SECONDS` inside the own trust domain, else `FOREIGN_PROOF_LIFE_SECONDS`. */
  readonly maxLifeSeconds: Seconds;
  readonly now: Seconds;
  /** 0 to 120 seconds; default 10. */
  readonly skewSeconds?: Seconds;
  readonly replay: ReplayStore;
}

declare const proved: unique symbol;

/** An authenticated caller. Authorisation is a step of its own: a valid proof grants nothing. */
export interface VerifiedProof {
  readonly caller: WorkloadId;
  readonly wit: VerifiedWit;
  readonly aud: string;
  readonly exp: Seconds;
  readonly jti: string;
  /** `Txn-Token` that the proof covers. */
  readonly txnToken?: string;
  /** Context headers that the proof covers, by lower-case name; no other header says anything about the caller. */
  readonly context: ReadonlyMap<string, string>;
  readonly [proved]: true;
}

async function openProof(c: Crypto, { proof, wit }: ProofInput): Promise<JsonObject> {
  const jws = parseCompact(proof, MAX_WPT_BYTES);
  const payload = tokenJson(jws.payload, MAX_WPT_BYTES);
  const { key, alg } = wit.confirmation;
  if (jws.header["alg"] !== alg) throw new Refusal("alg_mismatch", "not the alg of cnf.jwk");
  if (jws.header["typ"] !== WPT.typ) throw new Refusal("wrong_type", "typ is not wpt+jwt");
  checkCritical(jws.header);
  if (!(await c.verify(alg, key, jws.signingInput, jws.signature)))
    throw new Refusal("invalid_signature");
  return payload;
}

function checkAudience(payload: JsonObject, expected: readonly string[]): string {
  const aud = readAudience(payload);
  if (!expected.some((candidate) => sameAudience(candidate, aud)))
    throw new Refusal("audience_mismatch");
  return aud;
}

function checkExpiry(payload: JsonObject, input: ProofInput, skew: Seconds): Seconds {
  const exp = readExpiry(payload);
  if (input.now >= exp + skew) throw new Refusal("expired");
  if (exp > input.now + input.maxLifeSeconds + skew) throw new Refusal("lifetime_too_long");
  return exp;
}

/** Constant time, although neither side is secret: one rule for all hashes. */
function isHashOf(c: Crypto, claim: unknown, text: string): boolean {
  return isHash(claim) && equalText(claim, hashOf(c, text));
}

/** A token without `tth` was added on the way; a `tth` without its token was stripped. */
function checkTxnToken(c: Crypto, payload: JsonObject, headers: HeaderLines): string | undefined {
  const lines = fieldLines(headers, "txn-token");
  const [token] = lines;
  const isClaimed = Object.hasOwn(payload, "tth");
  if (token === undefined && !isClaimed) return undefined;
  if (token === undefined || lines.length > 1 || !isHashOf(c, payload["tth"], token))
    throw new Refusal("txn_token_binding_mismatch");
  return token;
}

/** Every context header that was sent is covered, and nothing is covered that is not one of them. */
function checkContext(
  c: Crypto,
  payload: JsonObject,
  input: ProofInput,
): ReadonlyMap<string, string> {
  const oth = readOth(payload) ?? {};
  const accepted = (input.contextHeaders ?? [])
    .map((name) => name.toLowerCase())
    .filter((name) => !OWN_MECHANISM.has(name));
  const covered = new Map<string, string>();
  for (const name of new Set([...Object.keys(oth), ...accepted])) {
    const lines = fieldLines(input.headers, name);
    const [value] = lines;
    if (value === undefined && !Object.hasOwn(oth, name)) continue;
    const fits =
      value !== undefined &&
      lines.length === 1 &&
      accepted.includes(name) &&
      Object.hasOwn(oth, name) &&
      isHashOf(c, oth[name], value);
    if (!fits) throw new Refusal("other_token_binding_mismatch", "oth and the headers differ");
    covered.set(name, value);
  }
  return covered;
}

async function checkReplay(
  c: Crypto,
  input: ProofInput,
  jti: string,
  until: Seconds,
): Promise<void> {
  const { sub, confirmation } = input.wit;
  const id = canonicalBytes([sub.uri, thumbprint(c, confirmation.key), jti]);
  const use = await input.replay.first(sub.uri, base64url(c.sha256(id)), until, input.now);
  if (use === "used") throw new Refusal("replayed");
  if (use !== "first") throw new Refusal("indeterminate", "the replay store has no answer");
}

async function judge(c: Crypto, input: ProofInput): Promise<VerifiedProof> {
  const skew = checkedSkew(input.skewSeconds ?? DEFAULT_PROOF_SKEW_SECONDS);
  const payload = await openProof(c, input);
  const aud = checkAudience(payload, input.audiences);
  const exp = checkExpiry(payload, input, skew);
  const jti = readJti(payload);
  if (!isHashOf(c, payload["wth"], input.wit.octets)) throw new Refusal("wit_binding_mismatch");
  const txnToken = checkTxnToken(c, payload, input.headers);
  const context = checkContext(c, payload, input);
  await checkReplay(c, input, jti, exp + skew); // last: a refused proof must not fill the store
  return {
    caller: input.wit.sub,
    wit: input.wit,
    aud,
    exp,
    jti,
    ...(txnToken === undefined ? {} : { txnToken }),
    context,
  } as VerifiedProof; // the brand exists for the compiler only
}

const NOT_THE_PROOF: ReadonlySet<string> = new Set(["indeterminate", "configuration_invalid"]);

/**
 * Verifies a proof against its verified WIT and the request, by the steps of draft-ietf-wimse-wpt-02 in a fixed
 * order; single use is asked for last. Faults of the proof are `ProofRefusal` (401 with a challenge).
 * @throws Refusal `too_large`, `malformed_token`, `alg_mismatch`, `wrong_type`, `unsupported_critical`,
 * `invalid_signature`, `audience_mismatch`, `missing_exp`, `invalid_exp`, `expired`, `lifetime_too_long`,
 * `missing_jti`, `wit_binding_mismatch`, `txn_token_binding_mismatch`, `other_token_binding_mismatch`, `replayed`;
 * `indeterminate` when the replay store cannot tell
 */
export async function verifyWpt(c: Crypto, input: ProofInput): Promise<VerifiedProof> {
  try {
    return await judge(c, input);
  } catch (error) {
    if (!(error instanceof Refusal) || NOT_THE_PROOF.has(error.code)) throw error;
    throw asProofRefusal(error);
  }
}
