import type { Bytes, Crypto, Digest, Jwk, SignatureAlgorithm, Signer } from "../crypto.ts";
import { base64url, utf8 } from "../bytes.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { isHash } from "../json/read.ts";
import { isObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { parseCompact, tokenJson, writeCompact } from "./compact.ts";
import { algorithmsFor, readJwk, thumbprint } from "./jwk.ts";

/** How a type of signed object is formed: one row each. Judges form and signature, never time or meaning. */
export interface SignedType<C> {
  readonly typ: string;
  /** `header`: the header's `jwk` defines the key (requests, endorsements). `kid`: the header names one of the given keys. `given`: the caller knows the key. */
  readonly key: "header" | "kid" | "given";
  readonly algs: readonly SignatureAlgorithm[];
  readonly maxBytes: number;
  /** The code for claims that do not have the form. */
  readonly invalid: RefusalCode;
  /** Reads the claims; throws `invalid` (or a narrower code) for what does not fit. */
  readonly read: (payload: JsonObject, c: Crypto) => C;
  /** The claims as they stand on the wire. */
  readonly write: (claims: C) => object;
}

declare const opened: unique symbol;

/** A signed object whose form and signature were verified. Only `open` and `seal` make one. */
export interface Signed<C> {
  readonly octets: string;
  /** SHA-256 of the octets. */
  readonly digest: Digest;
  /** The key that verified it. */
  readonly key: Jwk;
  readonly claims: C;
  readonly [opened]: true;
}

const HEADER_MEMBERS = {
  header: ["alg", "typ", "jwk"],
  kid: ["alg", "typ", "kid"],
  given: ["alg", "typ"],
} as const;

/** `sha-256:…` of the octets of a token. */
export function digestOf(c: Crypto, octets: string | Bytes): Digest {
  const bytes = typeof octets === "string" ? utf8(octets) : octets;
  return `sha-256:${base64url(c.sha256(bytes))}`;
}

function chooseKey<C>(
  c: Crypto,
  type: SignedType<C>,
  header: JsonObject,
  keys: readonly Jwk[],
): Jwk {
  if (type.key === "header") {
    const key = readJwk(header["jwk"]);
    if (!c.isValidKey(key)) throw new Refusal("invalid_key");
    return key;
  }
  const key =
    type.key === "given"
      ? keys[0]
      : keys.find((candidate) => thumbprint(c, candidate) === header["kid"]);
  if (key === undefined || (type.key === "given" && keys.length !== 1))
    throw new Refusal("unknown_key");
  return key;
}

/**
 * Opens a compact JWS of one type: size, form, `typ`, closed header, algorithm, key, signature, claims — in this order.
 * @throws Refusal `too_large`, `malformed_token`, `wrong_type`, `unsupported_critical`, `unsupported_alg`, `unknown_key`, `invalid_key`, `invalid_signature`, the type's `invalid`
 */
export async function open<C>(
  c: Crypto,
  type: SignedType<C>,
  octets: string,
  keys: readonly Jwk[] = [],
): Promise<Signed<C>> {
  const jws = parseCompact(octets, type.maxBytes);
  const { header } = jws;
  if (header["typ"] !== type.typ) throw new Refusal("wrong_type", `typ is not ${type.typ}`);
  if (Object.hasOwn(header, "crit")) throw new Refusal("unsupported_critical");
  const known: readonly string[] = HEADER_MEMBERS[type.key];
  if (Object.keys(header).some((name) => !known.includes(name)))
    throw new Refusal("malformed_token", "unknown header member");
  const alg = type.algs.find((candidate) => candidate === header["alg"]);
  if (alg === undefined) throw new Refusal("unsupported_alg");
  const key = chooseKey(c, type, header, keys);
  if (!algorithmsFor(key).includes(alg))
    throw new Refusal("unsupported_alg", "algorithm and key differ");
  if (!(await c.verify(alg, key, jws.signingInput, jws.signature)))
    throw new Refusal("invalid_signature");
  const payload = tokenJson(jws.payload, type.maxBytes);
  const claims = type.read(payload, c);
  return { octets, digest: digestOf(c, jws.bytes), key, claims } as Signed<C>; // the brand exists for the compiler only
}

/**
 * Signs claims as a compact JWS of one type and opens the result with the code a stranger would use.
 * @throws Refusal as `open`, when the claims do not fit the type
 */
export async function seal<C>(
  c: Crypto,
  type: SignedType<C>,
  claims: C,
  by: Signer,
): Promise<Signed<C>> {
  const header: Record<string, unknown> = { alg: by.alg, typ: type.typ };
  if (type.key === "header") header["jwk"] = by.key;
  if (type.key === "kid") header["kid"] = thumbprint(c, by.key);
  const input = `${base64url(canonicalBytes(header))}.${base64url(canonicalBytes(type.write(claims)))}`;
  const octets = writeCompact(input, await by.sign(utf8(input)));
  return open(c, type, octets, [by.key]);
}

/** The thumbprint in a `cnf` that carries only `jkt`. */
export function readConfirmationThumbprint(value: unknown, code: RefusalCode): string {
  if (!isObject(value) || !isHash(value["jkt"]) || Object.keys(value).length !== 1)
    throw new Refusal(code, "cnf");
  return value["jkt"];
}
