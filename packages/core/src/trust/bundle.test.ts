import { importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { thumbprint } from "../jose/jwk.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { buildRoot } from "../x509/profiles.ts";
import { jwksOf, readTrustBundle, writeTrustBundle } from "./bundle.ts";
import type { TrustBundle } from "./bundle.ts";
import { witTrustOf } from "./wit-trust.ts";

const NOW = 1_800_000_000;
const DAY = 86_400;
const wit = generateSigner();
const ca = generateSigner();
const kid = thumbprint(c, wit.key);
const root = await buildRoot(
  c,
  {
    serial: new Uint8Array(16).fill(7),
    notBefore: NOW - DAY,
    notAfter: NOW + DAY,
    origin: "spiffe://example.org",
    hierarchy: "agents",
    name: "test",
  },
  ca,
);

const bundle: TrustBundle = {
  trustDomain: "spiffe://example.org",
  issuer: "https://id.example.org",
  sequence: 5,
  refreshHintSeconds: 300,
  witKeys: [{ kid, key: wit.key, nbf: NOW - DAY, exp: NOW + DAY }],
  roots: [root],
  log: { origin: "log.example.org/a", vkey: "log.example.org/a+01234567+AbCd" },
  consent: {
    rpId: "id.example.org",
    origins: ["https://id.example.org", "https://id.example.org:8443"],
  },
  removedOwnerKeys: [thumbprint(c, ca.key)],
  exp: NOW + 7 * DAY,
};

type Change = Readonly<Record<string, unknown>>;
/** The written bundle with changes at the top, in `countersign` and in the one WIT key. */
function changed(top: Change, inner: Change = {}, key: Change = {}): Uint8Array {
  const json = parseJsonObject(writeTrustBundle(bundle), { maxBytes: 1e6, maxDepth: 8 });
  const [rootKey, witKey] = json["keys"] as readonly JsonObject[];
  return canonicalBytes({
    ...json,
    keys: [rootKey, { ...witKey, ...key }],
    countersign: { ...(json["countersign"] as JsonObject), ...inner },
    ...top,
  });
}

describe("trust bundle", () => {
  test("reads back to the same value", () => {
    expect(readTrustBundle(writeTrustBundle(bundle), NOW)).toEqual(bundle);
    expect(readTrustBundle(writeTrustBundle(bundle), NOW, bundle)).toEqual(bundle);
  });

  const log = { origin: "log.example.org/b", vkey: "log.example.org/b+01234567+AbCd" };
  test.each<readonly [string, Uint8Array, string]>([
    ["as written", changed({}), "accepted"],
    [
      "unknown members everywhere",
      changed({ more: 1 }, { more: { a: null } }, { more: [1] }),
      "accepted",
    ],
    ["a later sequence", changed({ spiffe_sequence: 6 }), "accepted"],
    ["W-63: a lower sequence", changed({ spiffe_sequence: 4 }), "trust_bundle_changed"],
    ["another log", changed({}, { log }), "trust_bundle_changed"],
    ["another issuer", changed({}, { issuer: "https://x" }), "trust_bundle_changed"],
    [
      "another trust domain",
      changed({}, { trust_domain: "wimse://example.org" }),
      "trust_bundle_changed",
    ],
    [
      "another consent",
      changed({}, { consent: { rp_id: "id.example.org", origins: [] } }),
      "trust_bundle_changed",
    ],
    ["removed owner keys may grow", changed({}, { removed_owner_keys: [kid, kid] }), "accepted"],
    ["at its expiry", changed({}, { exp: NOW }), "indeterminate"],
    ["a second before it", changed({}, { exp: NOW + 1 }), "accepted"],
    ["90 days", changed({}, { exp: NOW + 90 * DAY }), "accepted"],
    ["more than 90 days", changed({}, { exp: NOW + 90 * DAY + 1 }), "trust_bundle_invalid"],
    ["no sequence", changed({ spiffe_sequence: "5" }), "trust_bundle_invalid"],
    ["no countersign", changed({ countersign: 1 }), "trust_bundle_invalid"],
    ["no keys member", changed({ keys: {} }), "trust_bundle_invalid"],
    [
      "too many keys",
      changed({ keys: Array.from({ length: 257 }, () => ({})) }),
      "trust_bundle_invalid",
    ],
    [
      "trust domain without its scheme",
      changed({}, { trust_domain: "example.org" }),
      "trust_bundle_invalid",
    ],
    [
      "a log key of another log",
      changed({}, { log: { ...log, origin: "log.example.org/a" } }),
      "trust_bundle_invalid",
    ],
    [
      "a consent origin on another host",
      changed({}, { consent: { rp_id: "id.example.org", origins: ["https://evil.example"] } }),
      "trust_bundle_invalid",
    ],
    [
      "a consent origin on http",
      changed({}, { consent: { rp_id: "id.example.org", origins: ["http://id.example.org"] } }),
      "trust_bundle_invalid",
    ],
    [
      "a removed key that is no thumbprint",
      changed({}, { removed_owner_keys: ["x"] }),
      "trust_bundle_invalid",
    ],
    ["a key with bad coordinates", changed({}, {}, { x: "AA" }), "trust_bundle_invalid"],
    [
      "a kid twice",
      changed({
        keys: [
          { use: "wit-svid", kid, ...wit.key },
          { use: "wit-svid", kid, ...ca.key },
        ],
      }),
      "trust_bundle_invalid",
    ],
    [
      "a root whose key is another's",
      changed({ keys: [{ use: "x509-svid", ...wit.key, x5c: [base64(root)] }] }),
      "trust_bundle_invalid",
    ],
    [
      "a root that is no certificate",
      changed({ keys: [{ use: "x509-svid", ...ca.key, x5c: ["AAAA"] }] }),
      "trust_bundle_invalid",
    ],
    ["no JSON", new Uint8Array([1]), "malformed_json"],
    ["over 1 MiB", new Uint8Array(1_048_577), "too_large"],
  ])("%s → %#", async (_, octets, code) => {
    expect(await outcomeOf(() => readTrustBundle(octets, NOW, bundle))).toBe(code);
  });

  test("development consoles live on http://localhost with a port", async () => {
    const consent = (origin: string): Uint8Array =>
      changed({}, { consent: { rp_id: "localhost", origins: [origin] } });
    expect(await outcomeOf(() => readTrustBundle(consent("http://localhost:7777"), NOW))).toBe(
      "accepted",
    );
    expect(await outcomeOf(() => readTrustBundle(consent("http://localhost"), NOW))).toBe(
      "trust_bundle_invalid",
    );
  });

  test.each<readonly [string, readonly object[]]>([
    ["no keys", []],
    ["unknown use", [{ use: "sig", kid, ...wit.key }]],
    ["no use", [{ kid, ...wit.key }]],
    ["unknown kty", [{ use: "wit-svid", kid, kty: "RSA", n: "AQAB", e: "AQAB" }]],
    ["unknown curve", [{ ...wit.key, use: "wit-svid", kid, crv: "secp256k1" }]],
    ["no kid", [{ use: "wit-svid", ...wit.key }]],
    ["empty x5c", [{ use: "x509-svid", ...ca.key, x5c: [] }]],
    ["no x5c", [{ use: "x509-svid", ...ca.key }]],
  ])("W-63: %s: entries are left out, and the empty set stays empty (fails closed)", (_, keys) => {
    const read = readTrustBundle(changed({ keys }), NOW, bundle);
    expect([read.witKeys, read.roots]).toEqual([[], []]);
    const trust = witTrustOf(c, new Map([["spiffe://example.org", { bundle: read }]]));
    expect(trust.get("spiffe://example.org")?.keys).toEqual([]);
  });

  test("W-63: of several certificates in x5c the first is taken", () => {
    const keys = [{ use: "x509-svid", ...ca.key, x5c: [base64(root), "AAAA"] }];
    expect(readTrustBundle(changed({ keys }), NOW).roots).toEqual([root]);
  });

  test("a key that is no point of its curve leads nowhere", () => {
    const read = readTrustBundle(changed({}, {}, { x: "A".repeat(43), y: "A".repeat(43) }), NOW);
    const trust = witTrustOf(c, new Map([["spiffe://example.org", { bundle: read }]]));
    expect(trust.get("spiffe://example.org")?.keys).toEqual([]);
  });

  test("x509-svid entries carry no kid; /jwks has the WIT keys and nothing else", async () => {
    const json = parseJsonObject(writeTrustBundle(bundle), { maxBytes: 1e6, maxDepth: 8 });
    const [rootKey] = json["keys"] as readonly JsonObject[];
    expect(Object.keys(rootKey ?? {})).toEqual(["crv", "kty", "use", "x", "x5c", "y"]);
    const { keys } = jwksOf(bundle);
    expect(keys).toEqual([{ use: "sig", alg: "ES256", kid, ...wit.key }]);
    expect(await importJWK({ ...keys[0] })).toBeDefined();
  });
});
