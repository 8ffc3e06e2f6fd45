import type { Crypto, Jwk, SignatureAlgorithm } from "../crypto.ts";
import { algorithmsFor, readJwk } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import { isObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";

/** The key a WIT is bound to, with the one algorithm that its proofs must name. */
export interface Confirmation {
  readonly key: Jwk;
  readonly alg: SignatureAlgorithm;
}

/** Signature algorithms of WITs and their proofs. `EdDSA` is verified for strangers and never issued. */
export const WIT_ALGS: readonly SignatureAlgorithm[] = ["ES256", "ES384", "Ed25519", "EdDSA"];

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] as const;

function checkUse(jwk: JsonObject): void {
  if (Object.hasOwn(jwk, "use") && jwk["use"] !== "sig")
    throw new Refusal("invalid_key", "cnf.jwk.use is not sig");
  const operations = jwk["key_ops"];
  if (operations === undefined) return;
  if (!Array.isArray(operations) || !operations.includes("verify"))
    throw new Refusal("invalid_key", "cnf.jwk.key_ops lacks verify");
}

/** The public members alone: strangers add `kid` or `x5c` to their keys, which say nothing here (RFC 7517 4). */
function publicPart(jwk: JsonObject): JsonObject {
  const names = jwk["kty"] === "EC" ? ["kty", "crv", "x", "y"] : ["kty", "crv", "x"];
  const part: Record<string, Json> = {};
  for (const name of names) {
    const value = jwk[name];
    if (value !== undefined) part[name] = value;
  }
  return part;
}

/**
 * Reads `cnf` of a WIT (draft-ietf-wimse-workload-creds-02 5.1, RFC 7800 3.2): key type, no private members,
 * `alg` present, `alg` accepted and fitting the key, point on its curve, in this order.
 * @throws Refusal `missing_confirmation`, `invalid_key`, `missing_confirmation_alg`, `forbidden_confirmation_alg`
 */
export function readConfirmation(c: Crypto, cnf: unknown): Confirmation {
  const jwk = isObject(cnf) ? cnf["jwk"] : undefined;
  if (jwk === undefined) throw new Refusal("missing_confirmation", "no cnf.jwk");
  if (!isObject(jwk)) throw new Refusal("invalid_key", "cnf.jwk is not an object");
  new Members(jwk, "invalid_key", "cnf.jwk").choice("kty", ["EC", "OKP"]);
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name)))
    throw new Refusal("invalid_key", "cnf.jwk holds a private member");
  if (!Object.hasOwn(jwk, "alg")) throw new Refusal("missing_confirmation_alg");
  const accepted = WIT_ALGS.find((candidate) => candidate === jwk["alg"]);
  if (accepted === undefined) throw new Refusal("forbidden_confirmation_alg");
  checkUse(jwk);
  const key = readJwk(publicPart(jwk));
  if (!algorithmsFor(key).includes(accepted))
    throw new Refusal("forbidden_confirmation_alg", "algorithm and key differ");
  if (!c.isValidKey(key)) throw new Refusal("invalid_key", "cnf.jwk is not on its curve");
  return { key, alg: accepted };
}
