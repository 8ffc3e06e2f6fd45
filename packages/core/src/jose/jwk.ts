import type { Crypto, Jwk, SignatureAlgorithm } from "../crypto.ts";
import { base64url, isBase64urlOf, utf8 } from "../bytes.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { bounded } from "../remember.ts";
import type { RefusalCode } from "../refusal.ts";

/** Octets of a coordinate. */
const FIELD_BYTES = { "P-256": 32, "P-384": 48, "P-521": 66, Ed25519: 32 } as const;

function coordinate(members: Members, name: string, byteCount: 32 | 48 | 66): string {
  const text = members.text(name, { maxLength: 88 });
  if (!isBase64urlOf(text, byteCount))
    members.fail(name, `is not ${byteCount} octets of base64url`);
  return text;
}

function readPublic(members: Members): Jwk {
  const kty = members.choice("kty", ["EC", "OKP"] as const);
  if (kty === "OKP") {
    const crv = members.choice("crv", ["Ed25519"] as const);
    return { kty, crv, x: coordinate(members, "x", FIELD_BYTES[crv]) };
  }
  const crv = members.choice("crv", ["P-256", "P-384", "P-521"] as const);
  return {
    kty,
    crv,
    x: coordinate(members, "x", FIELD_BYTES[crv]),
    y: coordinate(members, "y", FIELD_BYTES[crv]),
  };
}

/**
 * A public key with exactly the members of its type, as it stands in headers, bundles and the owner claim.
 * Whether the point lies on the curve is for `Crypto.isValidKey`.
 * @throws Refusal `code`, default `invalid_key`
 */
export function readJwk(value: Json | undefined, code: RefusalCode = "invalid_key"): Jwk {
  const members = new Members(value, code, "jwk");
  const key = readPublic(members);
  members.end();
  return key;
}

/**
 * A confirmation key: as `readJwk`, with the `alg` that proofs made by it will carry.
 * @throws Refusal `invalid_key`, `missing_confirmation_alg`, `forbidden_confirmation_alg`
 */
export function readConfirmationJwk(value: Json | undefined): {
  readonly key: Jwk;
  readonly alg: SignatureAlgorithm;
} {
  const members = new Members(value, "invalid_key", "cnf.jwk");
  const key = readPublic(members);
  if (!members.has("alg")) throw new Refusal("missing_confirmation_alg");
  const alg = members.raw("alg");
  members.end();
  const fitting = algorithmsFor(key).find((candidate) => candidate === alg);
  if (fitting === undefined) throw new Refusal("forbidden_confirmation_alg");
  return { key, alg: fitting };
}

/**
 * Whether the coordinates are written in full, also where they begin with zeros (RFC 7518 6.2.1.2): OpenSSL and some
 * releases of WebCrypto import shorter ones.
 */
export function hasFullCoordinates(key: Jwk): boolean {
  const byteCount = FIELD_BYTES[key.crv];
  return [key.x, ...(key.kty === "EC" ? [key.y] : [])].every((text) =>
    isBase64urlOf(text, byteCount),
  );
}

/** The JWS algorithms that this key may sign with. */
export function algorithmsFor(key: Jwk): readonly SignatureAlgorithm[] {
  if (key.kty === "OKP") return ["Ed25519", "EdDSA"];
  return key.crv === "P-256" ? ["ES256"] : key.crv === "P-384" ? ["ES384"] : ["ES512"];
}

/** Keys come again: issuers', owners' and anchors' with every credential, and each several times in one. */
const MAX_THUMBPRINTS = 4096;
const thumbprints = bounded<string>(MAX_THUMBPRINTS);

/** RFC 7638 SHA-256 thumbprint, base64url. */
export function thumbprint(c: Crypto, key: Jwk): string {
  const name = key.kty === "EC" ? `${key.crv}.${key.x}.${key.y}` : `${key.crv}.${key.x}`;
  const known = thumbprints.get(name);
  if (known !== undefined) return known;
  const { crv, kty, x } = key;
  const required = kty === "EC" ? { crv, kty, x, y: key.y } : { crv, kty, x };
  // their names stand in the order of the canonical form already, and none of the values needs an escape
  const made = base64url(c.sha256(utf8(JSON.stringify(required))));
  thumbprints.set(name, made);
  return made;
}

/** Whether two public keys are the same key. */
export function sameKey(a: Jwk, b: Jwk): boolean {
  return (
    a.kty === b.kty &&
    a.crv === b.crv &&
    a.x === b.x &&
    (a.kty !== "EC" || b.kty !== "EC" || a.y === b.y)
  );
}
