import { compactVerify, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { base64url, thumbprint, utf8, verifyWit } from "@countersign/core";
import type { Signer, WitTrust } from "@countersign/core";
import { generateSigner, nodeCrypto } from "../../packages/node/src/crypto.ts";
import { publicOf, signerFor, trustIn } from "./keys.ts";
import type { PrintedJwk } from "./keys.ts";
import { labelOf, outcomeOf } from "./outcome.ts";
import { sealFor } from "./wit-of.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

interface WitVector {
  readonly token: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly issuer_public_jwk?: PrintedJwk;
  readonly issuer_private_jwk?: PrintedJwk;
  readonly verify_now: number;
}
interface Negatives {
  readonly cases: readonly { id: string; expect: string; verify_now: number; token: string }[];
}

const WIMSEY = "wimse/wit/wimsey-creds-02-es256.json";

/** Signs any header and claims as text, so that faults can be planted that a writer would not make. */
async function sign(issuer: Signer, header: string, claims: string): Promise<string> {
  const input = `${base64url(utf8(header))}.${base64url(utf8(claims))}`;
  return `${input}.${base64url(await issuer.sign(utf8(input)))}`;
}

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-workload-creds: published WITs", () => {
  test.each(["wimse/wit/creds-02-example.json", "wimse/wit/creds-03-editor-example.json"])(
    "W-11: 5.1 the draft's example verifies: %s",
    async (path) => {
      const v = vectors<WitVector>(path);
      const trust = trustIn("wimse://example.com", v.issuer_public_jwk ?? {});
      const wit = await verifyWit(nodeCrypto, v.token, trust, v.verify_now, { skewSeconds: 0 });
      expect(wit.sub.uri).toBe(v.claims["sub"]);
      expect(wit.confirmation.alg).toBe("EdDSA");
      expect(wit.exp).toBe(v.claims["exp"]);
    },
  );

  test("W-12: an ES256 WIT verifies, with and without skew", async () => {
    const v = vectors<WitVector>(WIMSEY);
    const trust = trustIn("spiffe://example.org", v.issuer_private_jwk ?? {});
    for (const skewSeconds of [0, 60, 120]) {
      const wit = await verifyWit(nodeCrypto, v.token, trust, v.verify_now, { skewSeconds });
      expect([wit.iss, wit.jti]).toEqual([v.claims["iss"], v.claims["jti"]]);
    }
  });

  test.each([
    ["expired", 1700003601, {}, "expired"],
    ["issued_in_future", 1699999999, { rejectFutureIat: true }, "not_yet_valid"],
    ["W-15: iat does not limit spiffe subjects by default", 1699999999, {}, "accepted"],
    ["the last valid second", 1700003599, {}, "accepted"],
  ])("W-14: skew 0, %s", async (_, now, options, code) => {
    const v = vectors<WitVector>(WIMSEY);
    const trust = trustIn("spiffe://example.org", v.issuer_private_jwk ?? {});
    const run = (): unknown =>
      verifyWit(nodeCrypto, v.token, trust, now, { skewSeconds: 0, ...options });
    expect(await outcomeOf(run)).toBe(code);
  });

  test("W-14: issuer_mismatch", async () => {
    const v = vectors<WitVector>(WIMSEY);
    const key = publicOf(v.issuer_private_jwk ?? {});
    const trust: WitTrust = new Map([
      [
        "spiffe://example.org",
        { issuers: ["https://other"], keys: [{ kid: "issuer-key-1", key }] },
      ],
    ]);
    expect(await outcomeOf(() => verifyWit(nodeCrypto, v.token, trust, v.verify_now))).toBe(
      "issuer_not_allowed",
    );
  });
});

describe.skipIf(!vectorsPresent)("W-13: 5.1.4 every derived bad WIT has its label", () => {
  const { cases } = vectorsPresent
    ? vectors<Negatives>("wimse/wit/derived-negatives.json")
    : { cases: [] };
  const trust = vectorsPresent
    ? trustIn("spiffe://example.org", vectors<WitVector>(WIMSEY).issuer_private_jwk ?? {})
    : new Map();

  test.each(cases)("$id", async (row) => {
    const wanted = row.id === "typ-application-prefix" ? "wrong_type" : labelOf(row.expect);
    for (const skewSeconds of [0, 60, 120]) {
      const run = (): unknown =>
        verifyWit(nodeCrypto, row.token, trust, row.verify_now, { skewSeconds });
      expect(await outcomeOf(run)).toBe(wanted);
    }
  });
});

describe.skipIf(!vectorsPresent)("SPIFFE WIT-SVID", () => {
  test("W-22: the form of appendix A passes up to its signature, whose key is not published", async () => {
    const v = vectors<WitVector>("wimse/spiffe/wit-svid-appendix-a.json");
    const kid = "lQSi3hZFnda2D-XJkj1zl7foJouiwI4nrAyhy4jZiJg";
    const trust = new Map([
      ["spiffe://example.com", { keys: [{ kid, key: generateSigner().key }] }],
    ]);
    expect(await outcomeOf(() => verifyWit(nodeCrypto, v.token, trust, v.verify_now))).toBe(
      "invalid_signature",
    );
  });
});

describe("WITs, own rows", () => {
  const issuer = generateSigner();
  const holder = generateSigner();
  const kid = thumbprint(nodeCrypto, issuer.key);
  const header = { alg: "ES256", kid, typ: "wit+jwt" };
  const claims = {
    iss: "https://id.example.org",
    sub: "spiffe://example.org/a",
    iat: 1000,
    exp: 1900,
    cnf: { jwk: { ...holder.key, alg: "ES256" } },
  };
  const anchor = { kid, key: issuer.key };
  const origin = "spiffe://example.org";
  const usual: WitTrust = new Map([[origin, { keys: [anchor] }]]);
  const other = generateSigner();

  interface Row {
    readonly name: string;
    readonly header?: object;
    readonly claims?: object;
    readonly trust?: WitTrust;
    readonly now?: number;
    readonly code: string;
  }
  const rows: readonly Row[] = [
    { name: "the valid one", code: "accepted" },
    { name: "W-15: nbf ahead, spiffe", claims: { nbf: 1100 }, code: "not_yet_valid" },
    { name: "W-15: iat ahead, spiffe", claims: { iat: 1100 }, code: "accepted" },
    {
      name: "W-15: iat ahead, wimse",
      claims: { sub: "wimse://example.org/a", iat: 1100 },
      trust: new Map([["wimse://example.org", { keys: [anchor] }]]),
      code: "not_yet_valid",
    },
    {
      name: "W-17: x5c in the header",
      header: { x5c: ["AAAA"], x5u: "https://e" },
      code: "accepted",
    },
    { name: "W-18: kid absent, one key", header: { kid: undefined }, code: "accepted" },
    {
      name: "W-18: kid absent, two keys",
      header: { kid: undefined },
      trust: new Map([[origin, { keys: [anchor, { kid: "b", key: other.key }] }]]),
      code: "unknown_key",
    },
    {
      name: "W-18: kid absent, the other key has another algorithm",
      header: { kid: undefined },
      trust: new Map([
        [origin, { keys: [anchor, { kid: "b", key: generateSigner("Ed25519").key }] }],
      ]),
      code: "accepted",
    },
    {
      name: "one kid twice is ambiguous",
      trust: new Map([[origin, { keys: [anchor, { kid, key: other.key }] }]]),
      code: "unknown_key",
    },
    { name: "no keys at all", trust: new Map([[origin, { keys: [] }]]), code: "unknown_key" },
    {
      name: "W-19: iss not in the origin's list",
      trust: new Map([[origin, { issuers: ["https://b"], keys: [anchor] }]]),
      code: "issuer_not_allowed",
    },
    {
      name: "W-19: iss absent",
      claims: { iss: undefined },
      trust: new Map([[origin, { issuers: ["https://b"], keys: [anchor] }]]),
      code: "accepted",
    },
    {
      name: "algorithm not of this origin",
      trust: new Map([[origin, { algs: ["Ed25519"], keys: [anchor] }]]),
      code: "unsupported_alg",
    },
    {
      name: "W-20: more than 24 h of life",
      claims: { exp: 1000 + 86_401 },
      code: "lifetime_too_long",
    },
    { name: "W-20: 24 h of life", claims: { exp: 1000 + 86_400 }, code: "accepted" },
    {
      name: "W-21: unknown claims and aud",
      claims: { aud: "x", more: { a: 1.5 } },
      code: "accepted",
    },
    {
      name: "a cnf key that is an anchor",
      claims: { cnf: { jwk: { ...issuer.key, alg: "ES256" } } },
      code: "invalid_key",
    },
    {
      name: "cnf.jwk with kid and use",
      claims: { cnf: { jwk: { ...holder.key, alg: "ES256", kid: "x", use: "sig" } } },
      code: "accepted",
    },
    {
      name: "cnf.jwk for encryption",
      claims: { cnf: { jwk: { ...holder.key, alg: "ES256", use: "enc" } } },
      code: "invalid_key",
    },
    {
      name: "cnf.jwk that may not verify",
      claims: { cnf: { jwk: { ...holder.key, alg: "ES256", key_ops: ["sign"] } } },
      code: "invalid_key",
    },
    { name: "cnf.jwk is a string", claims: { cnf: { jwk: "x" } }, code: "invalid_key" },
    {
      name: "coordinate that is not base64url",
      claims: { cnf: { jwk: { ...holder.key, x: "=", alg: "ES256" } } },
      code: "invalid_key",
    },
    { name: "owner claim that is null", claims: { countersign_owner: null }, code: "owner_claim" },
    {
      name: "iat before its key's life",
      trust: new Map([[origin, { keys: [{ ...anchor, nbf: 1061 }] }]]),
      code: "unknown_key",
    },
    {
      name: "iat after its key's life",
      trust: new Map([[origin, { keys: [{ ...anchor, exp: 939 }] }]]),
      code: "unknown_key",
    },
    {
      name: "iat inside its key's life, skew on both sides",
      trust: new Map([[origin, { keys: [{ ...anchor, nbf: 1060, exp: 940 }] }]]),
      code: "accepted",
    },
    {
      name: "no iat under a bounded key",
      claims: { iat: undefined },
      trust: new Map([[origin, { keys: [{ ...anchor, nbf: 0 }] }]]),
      code: "unknown_key",
    },
    { name: "b64 without crit", header: { b64: false }, code: "unsupported_critical" },
    { name: "kid that is a number", header: { kid: 1 }, code: "unknown_key" },
    { name: "exp is fractional", claims: { exp: 1900.5 }, code: "accepted" },
    { name: "iat is a string", claims: { iat: "1000" }, code: "malformed_token" },
    { name: "at expiry plus skew", now: 1960, code: "expired" },
    { name: "one second before it", now: 1959, code: "accepted" },
  ];
  test.each(rows)("$name → $code", async (row) => {
    const text = (base: object, change: object = {}): string =>
      JSON.stringify({ ...base, ...change });
    const octets = await sign(issuer, text(header, row.header), text(claims, row.claims));
    const run = (): unknown => verifyWit(nodeCrypto, octets, row.trust ?? usual, row.now ?? 1000);
    expect(await outcomeOf(run)).toBe(row.code);
  });

  test("W-16: a member twice in the header", async () => {
    const twice = `{"alg":"ES256","kid":"${kid}","kid":"${kid}","typ":"wit+jwt"}`;
    const octets = await sign(issuer, twice, JSON.stringify(claims));
    expect(await outcomeOf(() => verifyWit(nodeCrypto, octets, usual, 1000))).toBe(
      "malformed_token",
    );
  });

  test("W-17: no call leaves while a header names jku: verification has no way to fetch", async () => {
    const octets = await sign(
      other,
      JSON.stringify({ ...header, jku: "https://example.org/keys", jwk: other.key }),
      JSON.stringify(claims),
    );
    expect(await outcomeOf(() => verifyWit(nodeCrypto, octets, usual, 1000))).toBe(
      "invalid_signature",
    );
  });

  test("a skew over 120 s is a fault of the configuration", async () => {
    const { octets } = await sealFor("spiffe://example.org/a", issuer);
    const run = (): unknown => verifyWit(nodeCrypto, octets, usual, 1000, { skewSeconds: 121 });
    expect(await outcomeOf(run)).toBe("configuration_invalid");
  });

  test("W-25: what is issued has kid, jti, iat, a canonical sub, no aud, no private member; jose verifies it", async () => {
    const { octets } = await sealFor("spiffe://example.org/a", issuer);
    const result = await compactVerify(octets, await importJWK({ ...issuer.key }, "ES256"));
    expect(result.protectedHeader).toEqual({ alg: "ES256", kid, typ: "wit+jwt" });
    const said = JSON.parse(new TextDecoder("utf-8").decode(result.payload)) as Record<
      string,
      unknown
    >;
    expect(Object.keys(said)).toEqual(["cnf", "exp", "iat", "iss", "jti", "nbf", "sub"]);
    expect(Object.keys((said["cnf"] as { jwk: object }).jwk)).toEqual([
      "alg",
      "crv",
      "kty",
      "x",
      "y",
    ]);
    const wit = await verifyWit(nodeCrypto, octets, usual, 1000);
    expect(wit.sub.uri).toBe("spiffe://example.org/a");
  });

  test.each([
    ["W-25: over 24 h", { exp: 1000 + 86_401 }, "lifetime_too_long"],
    ["24 h", { exp: 1000 + 86_400 }, "accepted"],
    [
      "W-26: the issuer's own key",
      { confirmation: { key: issuer.key, alg: issuer.alg } },
      "invalid_key",
    ],
  ])("issuing: %s", async (_, change, code) => {
    expect(await outcomeOf(() => sealFor("spiffe://example.org/a", issuer, change))).toBe(code);
  });

  test.skipIf(!vectorsPresent)(
    "a signer over the vectors' issuer key issues what their trust accepts",
    async () => {
      const printed = vectors<WitVector>(WIMSEY).issuer_private_jwk ?? {};
      const by = signerFor(printed);
      const { octets } = await sealFor("spiffe://example.org/a", by);
      const trust = trustIn(origin, printed, thumbprint(nodeCrypto, by.key));
      expect((await verifyWit(nodeCrypto, octets, trust, 1000)).jti).toHaveLength(22);
    },
  );
});
