import type { Bytes, Jwk, Seconds } from "../crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { parseOrigin } from "../identifier/workload.ts";
import { algorithmsFor, readJwk, sameKey } from "../jose/jwk.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { isHash, Members } from "../json/read.ts";
import { isObject, parseJsonObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { parseCertificate } from "../x509/certificate.ts";
import type { WitKey } from "./wit-trust.ts";

/** Public keys and roots of one trust domain, and what is pinned with them (formats 6). */
export interface TrustBundle {
  /** Scheme and trust domain: `spiffe://example.org`. Compare it with the origin that was configured. */
  readonly trustDomain: string;
  readonly issuer: string;
  /** Never goes down. */
  readonly sequence: number;
  /** When to ask again; bound it to 60 s … 24 h. */
  readonly refreshHintSeconds?: Seconds;
  /** Empty: every credential of the trust domain is refused. */
  readonly witKeys: readonly WitKey[];
  /** DER of the roots of the agents' hierarchy. */
  readonly roots: readonly Bytes[];
  /** Pinned when the trust domain is configured. */
  readonly log: { readonly origin: string; readonly vkey: string };
  /** Pinned when the trust domain is configured. Origins are https on the host `rpId`. */
  readonly consent: { readonly rpId: string; readonly origins: readonly string[] };
  /** Thumbprints of owner keys that sign no further statements. */
  readonly removedOwnerKeys: readonly string[];
  readonly exp: Seconds;
}

export const MAX_TRUST_BUNDLE_BYTES = 1_048_576;
/** Longest time that a bundle may be good for, in seconds. */
export const MAX_TRUST_BUNDLE_LIFE_SECONDS: number = 90 * 86_400;
const MAX_DEPTH = 8;
const MAX_KEYS = 256;
const MAX_REMOVED_KEYS = 10_000;
const MAX_CONSENT_ORIGINS = 16;
const CODE = "trust_bundle_invalid";

const EC_CURVES: readonly string[] = ["P-256", "P-384"];
const VKEY = /^([\x21-\x2a\x2c-\x7e]{1,255})\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/;
const HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Entries of another use, key type or curve are for others (SPIFFE bundle 4.1). */
function isOurs(entry: JsonObject, use: string): boolean {
  const curves = entry["kty"] === "OKP" ? ["Ed25519"] : entry["kty"] === "EC" ? EC_CURVES : [];
  return entry["use"] === use && curves.some((name) => name === entry["crv"]);
}

function publicKey(entry: JsonObject): Jwk {
  const { kty, crv, x, y } = entry;
  const coordinates = kty === "EC" ? { x: x ?? null, y: y ?? null } : { x: x ?? null };
  return readJwk({ kty: kty ?? null, crv: crv ?? null, ...coordinates }, CODE);
}

/** A `wit-svid` entry; one without `kid` cannot be named and is left out. */
function readWitKey(entry: JsonObject): readonly WitKey[] {
  if (!Object.hasOwn(entry, "kid")) return [];
  const members = new Members(entry, CODE, "keys");
  const nbf = members.optional("nbf", (name) => members.integer(name));
  const exp = members.optional("exp", (name) => members.integer(name));
  return [
    {
      kid: members.text("kid", { maxLength: 256 }),
      key: publicKey(entry),
      ...(nbf === undefined ? {} : { nbf }),
      ...(exp === undefined ? {} : { exp }),
    },
  ];
}

/** An `x509-svid` entry: the first certificate of `x5c`, which must hold the entry's own key. */
function readRoot(entry: JsonObject): readonly Bytes[] {
  const { x5c } = entry;
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof first !== "string") return [];
  const der = fromBase64(first);
  if (!sameKey(parseCertificate(der).key, publicKey(entry)))
    throw new Refusal(CODE, "a root's certificate holds another key");
  return [der];
}

function checkKids(keys: readonly WitKey[]): void {
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length)
    throw new Refusal(CODE, "one kid stands twice");
}

function readLog(members: Members): TrustBundle["log"] {
  const origin = members.text("origin", { maxLength: 255 });
  const vkey = members.text("vkey", { maxLength: 512, pattern: VKEY });
  if (VKEY.exec(vkey)?.[1] !== origin) members.fail("vkey", "is of another log");
  return { origin, vkey };
}

/** Development consoles live on http://localhost:<port>; all others on https at the host `rp_id`. */
function isConsentOrigin(origin: string, rpId: string): boolean {
  const [, scheme, host, port] = /^(https?):\/\/([a-z0-9.-]+)(:\d{1,5})?$/.exec(origin) ?? [];
  if (host !== rpId) return false;
  return scheme === "https" || (rpId === "localhost" && port !== undefined);
}

function readConsent(members: Members): TrustBundle["consent"] {
  const rpId = members.text("rp_id", { pattern: HOST });
  const read = (item: Json): string =>
    typeof item === "string" && isConsentOrigin(item, rpId)
      ? item
      : members.fail("origins", "holds one that is not https on rp_id");
  return { rpId, origins: members.list("origins", read, MAX_CONSENT_ORIGINS) };
}

function readDomain(
  members: Members,
): Pick<TrustBundle, "trustDomain" | "issuer" | "log" | "consent" | "removedOwnerKeys" | "exp"> {
  const thumb = (item: Json): string =>
    isHash(item) ? item : members.fail("removed_owner_keys", "holds something else");
  return {
    trustDomain: parseOrigin(members.text("trust_domain")).origin,
    issuer: members.text("issuer", { maxLength: 512 }),
    log: readLog(members.object("log")),
    consent: readConsent(members.object("consent")),
    removedOwnerKeys: members.list("removed_owner_keys", thumb, MAX_REMOVED_KEYS),
    exp: members.integer("exp", 1),
  };
}

function readWhole(input: Bytes | string): TrustBundle {
  const limits = { maxBytes: MAX_TRUST_BUNDLE_BYTES, maxDepth: MAX_DEPTH };
  const json = parseJsonObject(input, { ...limits, nullAllowed: true, fractionsAllowed: true });
  const members = new Members(json, CODE, "trust bundle");
  const keys = members
    .list("keys", (item) => item, MAX_KEYS)
    .filter((item): item is JsonObject => isObject(item));
  const witKeys = keys.filter((key) => isOurs(key, "wit-svid")).flatMap(readWitKey);
  checkKids(witKeys);
  const hint = members.optional("spiffe_refresh_hint", (name) => members.integer(name));
  return {
    ...readDomain(members.object("countersign")),
    sequence: members.integer("spiffe_sequence"),
    ...(hint === undefined ? {} : { refreshHintSeconds: hint }),
    witKeys,
    roots: keys.filter((key) => isOurs(key, "x509-svid")).flatMap(readRoot),
  };
}

/** A refresh may change keys; it may not change what a person pinned, nor go back in time. */
function checkRefresh(next: TrustBundle, previous: TrustBundle): void {
  const pinned = ({ trustDomain, issuer, log, consent }: TrustBundle): string =>
    JSON.stringify([trustDomain, issuer, log.origin, log.vkey, consent.rpId, consent.origins]);
  if (pinned(next) !== pinned(previous))
    throw new Refusal("trust_bundle_changed", "trust domain, issuer, log or consent differ");
  if (next.sequence < previous.sequence)
    throw new Refusal("trust_bundle_changed", "spiffe_sequence went down");
}

/**
 * Reads a trust bundle: a JWK Set in the shape of a SPIFFE bundle with the member `countersign`. Open: unknown
 * members, uses, key types and curves are ignored. A bundle without usable keys is read as such: keeping the old
 * keys in its place would undo a removal. `previous` is the bundle held for the same configured trust domain.
 * @throws Refusal `too_large`, `malformed_json`, `trust_bundle_invalid`; `trust_bundle_changed` when it is older than
 * `previous` or changes what is pinned; `indeterminate` past its `exp`
 */
export function readTrustBundle(
  input: Bytes | string,
  now: Seconds,
  previous?: TrustBundle,
): TrustBundle {
  const bundle = readDocument(input);
  if (previous !== undefined) checkRefresh(bundle, previous);
  if (bundle.exp > now + MAX_TRUST_BUNDLE_LIFE_SECONDS)
    throw new Refusal(CODE, "good for more than 90 days");
  if (now >= bundle.exp) throw new Refusal("indeterminate", "the trust bundle is past its exp");
  return bundle;
}

/** Faults of a name, certificate or encoding inside are faults of the bundle. */
function readDocument(input: Bytes | string): TrustBundle {
  try {
    return readWhole(input);
  } catch (error) {
    const isForm =
      error instanceof Refusal && !["too_large", "malformed_json"].includes(error.code);
    throw isForm ? new Refusal(CODE, error.message) : error;
  }
}

/** The bundle as published; `readTrustBundle` reads it back to the same value. */
export function writeTrustBundle(bundle: TrustBundle): Bytes {
  const { log, consent } = bundle;
  return canonicalBytes({
    keys: [
      ...bundle.roots.map((der) => ({
        use: "x509-svid",
        ...parseCertificate(der).key,
        x5c: [base64(der)],
      })),
      ...bundle.witKeys.map(({ kid, key, nbf, exp }) => ({
        use: "wit-svid",
        kid,
        alg: algorithmsFor(key)[0],
        ...key,
        nbf,
        exp,
      })),
    ],
    spiffe_sequence: bundle.sequence,
    spiffe_refresh_hint: bundle.refreshHintSeconds,
    countersign: {
      issuer: bundle.issuer,
      trust_domain: bundle.trustDomain,
      log: { origin: log.origin, vkey: log.vkey },
      consent: { rp_id: consent.rpId, origins: consent.origins },
      removed_owner_keys: bundle.removedOwnerKeys,
      exp: bundle.exp,
    },
  });
}

/** The plain JWK Set of the WIT keys: `use: sig`, `alg`, `kid` and the key, nothing else (formats 2). */
export function jwksOf(bundle: TrustBundle): { readonly keys: readonly JsonObject[] } {
  return {
    keys: bundle.witKeys.map(({ kid, key }) => ({
      use: "sig",
      alg: algorithmsFor(key)[0] ?? "ES256",
      kid,
      ...key,
    })),
  };
}
