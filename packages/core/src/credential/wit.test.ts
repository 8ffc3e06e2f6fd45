import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { parseWorkloadId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import type { Json } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import type { WitTrust } from "../trust/wit-trust.ts";
import { readOwnerClaim, writeOwnerClaim } from "./owner-claim.ts";
import type { OwnerClaim } from "./owner-claim.ts";
import { sealWit, verifyWit } from "./wit.ts";
import type { WitDraft } from "./wit.ts";

const issuer = generateSigner();
const holder = generateSigner();
const ownerKey = generateSigner("Ed25519").key;
const owner: OwnerClaim = {
  id: "urn:agent-owner:example.org:7Qm0Zs6Yw1",
  kind: "person",
  jkt: thumbprint(c, ownerKey),
  jwk: ownerKey,
  cs: `sha-256:${"A".repeat(43)}`,
  exp: 5000,
  oa: 3,
  eb: "admin",
  model: "server",
  n: 1,
};
const draft: WitDraft = {
  iss: "https://id.example.org",
  sub: parseWorkloadId("spiffe://example.org/agent/mail/00112233445566aa"),
  iat: 1000,
  nbf: 970,
  exp: 1900,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  confirmation: { key: holder.key, alg: "ES256" },
  owner,
};
const trust: WitTrust = new Map([
  ["spiffe://example.org", { keys: [{ kid: thumbprint(c, issuer.key), key: issuer.key }] }],
]);

describe("owner claim", () => {
  const valid = writeOwnerClaim(owner) as Readonly<Record<string, Json>>; // the writer makes plain JSON
  test.each<readonly [string, Readonly<Record<string, Json | undefined>>, string]>([
    ["as written", {}, "accepted"],
    ["an unknown member is ignored", { more: 1 }, "accepted"],
    ...["id", "kind", "jkt", "jwk", "cs", "exp", "oa", "eb", "model", "n"].map(
      (name) => [`${name} absent`, { [name]: undefined }, "owner_claim"] as const,
    ),
    ["id of a workload", { id: "spiffe://example.org/a" }, "owner_claim"],
    ["unknown kind", { kind: "robot" }, "owner_claim"],
    ["thumbprint of another key", { jkt: thumbprint(c, issuer.key) }, "owner_claim"],
    ["private key", { jwk: { ...ownerKey, d: "AA" } }, "owner_claim"],
    ["digest without prefix", { cs: "A".repeat(43) }, "owner_claim"],
    ["assurance 5", { oa: 5 }, "owner_claim"],
    ["assurance as text", { oa: "3" }, "owner_claim"],
    ["assurance 0", { oa: 0 }, "accepted"],
    ["oidc", { eb: "oidc:https://login.example" }, "accepted"],
    ["oidc of nobody", { eb: "oidc:" }, "owner_claim"],
    ["enrolled by magic", { eb: "magic" }, "owner_claim"],
    ["unknown model", { model: "none" }, "owner_claim"],
    ["ordinal 0", { n: 0 }, "owner_claim"],
    ["fractional expiry", { exp: 1.5 }, "owner_claim"],
  ])("%s → %#", async (_, change, code) => {
    const claim: Record<string, Json> = {};
    for (const [name, value] of Object.entries({ ...valid, ...change }))
      if (value !== undefined) claim[name] = value;
    expect(await outcomeOf(() => readOwnerClaim(c, claim))).toBe(code);
  });

  test("reads back", () => {
    expect(readOwnerClaim(c, valid)).toEqual(owner);
  });
});

describe("WIT with an owner", () => {
  test("seals and verifies; every claim comes back", async () => {
    const { octets } = await sealWit(c, draft, issuer);
    const wit = await verifyWit(c, octets, trust, 1000);
    expect(wit).toMatchObject({ ...draft, octets, issuerKey: issuer.key });
  });

  test.each<readonly [string, Partial<WitDraft>, string]>([
    ["1 h of life", { exp: 4600 }, "accepted"],
    ["more than 1 h of life", { exp: 4601 }, "lifetime_too_long"],
    [
      "an owner of another trust domain",
      { owner: { ...owner, id: "urn:agent-owner:example.com:7Qm0Zs6Yw1" } },
      "owner_claim",
    ],
    [
      "a thumbprint that is not the key's",
      { owner: { ...owner, jkt: "A".repeat(43) } },
      "owner_claim",
    ],
    [
      "an algorithm that does not fit the key",
      { confirmation: { key: holder.key, alg: "Ed25519" } },
      "forbidden_confirmation_alg",
    ],
    ["ES512", { confirmation: { key: holder.key, alg: "ES512" } }, "forbidden_confirmation_alg"],
    [
      "a point off its curve",
      {
        confirmation: {
          key: { kty: "EC", crv: "P-256", x: "A".repeat(43), y: "A".repeat(43) },
          alg: "ES256",
        },
      },
      "invalid_key",
    ],
  ])("issuing %s → %#", async (_, change, code) => {
    expect(await outcomeOf(() => sealWit(c, { ...draft, ...change }, issuer))).toBe(code);
  });

  test("nothing is accepted at or after expiry, nor before nbf, at any skew", async () => {
    const { octets } = await sealWit(c, draft, issuer);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 3000 }), fc.nat(120), async (now, skewSeconds) => {
        const outcome = await outcomeOf(() => verifyWit(c, octets, trust, now, { skewSeconds }));
        const isValid = now < draft.exp + skewSeconds && draft.nbf <= now + skewSeconds;
        expect(outcome).toBe(isValid ? "accepted" : now < draft.exp ? "not_yet_valid" : "expired");
      }),
      { numRuns: 60 },
    );
  });

  test("any one-character change is refused", async () => {
    const { octets } = await sealWit(c, draft, issuer);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(octets.length - 1),
        fc.constantFrom(..."AZaz09-_.".split("")),
        async (at, sign) => {
          fc.pre(octets.charAt(at) !== sign);
          const changed = octets.slice(0, at) + sign + octets.slice(at + 1);
          expect(await outcomeOf(() => verifyWit(c, changed, trust, 1000))).not.toBe("accepted");
        },
      ),
      { numRuns: 100 },
    );
  });

  test("an oversized token is refused before it is parsed", async () => {
    expect(await outcomeOf(() => verifyWit(c, "a".repeat(8193), trust, 1000))).toBe("too_large");
  });
});
