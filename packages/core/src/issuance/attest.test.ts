import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { Refusal } from "../refusal.ts";
import { checkBelonging, checkOwnRequest } from "./attest.ts";
import type { AttestContext, PostedRequest } from "./attest.ts";
import { d, ENTRY, ISSUER, makeTriple, NONCE, NOW, PROXY } from "./attested.testing.ts";
import type { Hands, RequestChange } from "./attested.testing.ts";

const hands: Hands = { key: generateSigner(), anchor: generateSigner(), proxy: generateSigner() };
const other = generateSigner();
const context: AttestContext = {
  proxy: PROXY,
  proxyKey: hands.proxy.key,
  issuer: ISSUER,
  checkNonce: (nonce) => {
    if (nonce !== NONCE) throw new Refusal("nonce_unknown");
  },
};
const check = (posted: PostedRequest, now = NOW): Promise<string> =>
  outcomeOf(() => checkBelonging(c, posted, context, now));

const SWAPPED = "BBBBBBBBBBBBBBBBBBBBBB";
const request = "request_invalid";
const endorsement = "endorsement_invalid";
const evidence = "evidence_invalid";

// I-5 … I-8, B-1, B-2, B-12: one request, one key, one anchor, one proxy, one nonce
const ROWS: readonly (readonly [string, RequestChange, string, number?])[] = [
  ["as the proxy makes it", {}, "accepted"],
  ["with a note", { request: { note: "hello" } }, "accepted"],
  ["R for another server", { request: { aud: "https://id.example.com" } }, request],
  ["R with a foreign nonce", { request: { nonce: SWAPPED } }, "nonce_unknown"],
  ["R at the end of its skew", {}, "accepted", NOW + 360],
  ["R after its end", {}, "request_expired", NOW + 361],
  ["R of the future", { request: { iat: NOW + 61, exp: NOW + 361 } }, "not_yet_valid"],
  ["R that lives too long", { request: { exp: NOW + 301 } }, request],
  ["R of another entry", { request: { sub: "spiffe://example.org/agent/other" } }, endorsement],
  ["R that is no entry", { request: { sub: "spiffe://example.org/server" } }, "invalid_identifier"],
  ["R that names another anchor", { request: { anchor: thumbprint(c, other.key) } }, endorsement],
  ["R signed by another key", { by: { key: other } }, endorsement],
  ["N by another anchor", { by: { anchor: other } }, endorsement],
  ["N of another agent", { endorsement: { sub: `${ENTRY.id}/0011223344556677` } }, endorsement],
  ["N for another server", { endorsement: { aud: "https://id.example.com" } }, endorsement],
  ["N for another key", { endorsement: { jkt: thumbprint(c, other.key) } }, endorsement],
  ["N over already", { endorsement: { iat: NOW - 900, exp: NOW } }, endorsement],
  ["N in its last second", { endorsement: { iat: NOW - 899, exp: NOW + 1 } }, "accepted"],
  ["N of the future", { endorsement: { iat: NOW + 61, exp: NOW + 100 } }, endorsement],
  ["N of a day, no owner", { endorsement: { exp: NOW + 86_400 } }, "accepted"],
  ["N over a day", { endorsement: { exp: NOW + 86_401 } }, endorsement],
  ["N of an hour with cs", { endorsement: { cs: d(7), exp: NOW + 3600 } }, "accepted"],
  ["N over an hour with cs", { endorsement: { cs: d(7), exp: NOW + 3601 } }, endorsement],
  ["E by another proxy key", { by: { proxy: other } }, "invalid_signature"],
  ["E with another nonce", { evidence: { eatNonce: SWAPPED } }, evidence],
  ["E for another server", { evidence: { aud: "https://id.example.com" } }, evidence],
  ["E of another request", { evidence: { req: d(7) } }, evidence],
  ["E for another key", { evidence: { key: other.key } }, evidence],
  ["E of the future", { evidence: { iat: NOW + 61 } }, evidence],
  ["E that is stale", { evidence: { iat: NOW - 361 } }, evidence],
];

describe("what belongs together (I-5 to I-8)", () => {
  const rows = ROWS.map(([name, change, code, now]) => [name, change, code, now ?? NOW] as const);
  it.each(rows)("%s → %#", async (_name, change, code, now) => {
    const { posted } = await makeTriple(c, hands, change);
    expect(await check(posted, now)).toBe(code);
  });

  it("an anchor that endorses itself as the key → endorsement_invalid", async () => {
    const same: Hands = { ...hands, key: hands.anchor };
    expect(await check((await makeTriple(c, same)).posted)).toBe(endorsement);
  });

  it("says agent and anchor", async () => {
    const made = await makeTriple(c, hands);
    const belonging = await checkBelonging(c, made.posted, context, NOW);
    expect([belonging.agent, belonging.anchor]).toEqual([
      made.agent,
      thumbprint(c, hands.anchor.key),
    ]);
  });

  it.each<readonly [keyof PostedRequest, keyof PostedRequest]>([
    ["request", "endorsement"],
    ["request", "evidence"],
    ["endorsement", "request"],
    ["endorsement", "evidence"],
    ["evidence", "request"],
    ["evidence", "endorsement"],
  ])("T5: no %s is taken for %s", async (put, inPlaceOf) => {
    const { posted } = await makeTriple(c, hands);
    expect(await check({ ...posted, [inPlaceOf]: posted[put] })).toBe("wrong_type");
  });

  it("I-24: evidence of one request does not serve another of the same key", async () => {
    const one = await makeTriple(c, hands);
    const two = await makeTriple(c, hands, { request: { note: "again" } });
    expect(await check({ ...one.posted, evidence: two.posted.evidence })).toBe(evidence);
  });

  it("I-7: any one character changed is refused", async () => {
    const { posted } = await makeTriple(c, hands);
    const part = fc.constantFrom<keyof PostedRequest>("request", "endorsement", "evidence");
    await fc.assert(
      fc.asyncProperty(part, fc.nat(), fc.constantFrom(..."AZaz09-_."), async (name, at, sign) => {
        const text = posted[name];
        const index = at % text.length;
        fc.pre(text.charAt(index) !== sign);
        const changed = text.slice(0, index) + sign + text.slice(index + 1);
        expect(await check({ ...posted, [name]: changed })).not.toBe("accepted");
      }),
      { numRuns: 100 },
    );
  });
});

describe("R by a key of the agent's own, at its door", () => {
  const at = { ...context, entry: ENTRY.id, anchor: thumbprint(c, hands.anchor.key) };
  const OWN_ROWS: readonly (readonly [string, RequestChange, string, number?])[] = [
    ["in order", {}, "accepted"],
    ["of another entry", { request: { sub: "spiffe://example.org/agent/other" } }, request],
    ["that names no entry", { request: { sub: "spiffe://example.org/server" } }, request],
    ["of another installation", { request: { anchor: thumbprint(c, other.key) } }, request],
    ["for another server", { request: { aud: "https://id.example.com" } }, request],
    ["under a foreign nonce", { request: { nonce: SWAPPED } }, "nonce_unknown"],
    ["after its end", {}, "request_expired", NOW + 361],
    ["of the future", { request: { iat: NOW + 61, exp: NOW + 361 } }, "not_yet_valid"],
    ["that lives too long", { request: { exp: NOW + 301 } }, request],
  ];
  const ownRows = OWN_ROWS.map(
    ([name, change, code, now]) => [name, change, code, now ?? NOW] as const,
  );
  it.each(ownRows)("%s → %#", async (_name, change, code, now) => {
    const { posted } = await makeTriple(c, hands, change);
    expect(await outcomeOf(() => checkOwnRequest(c, posted.request, at, now))).toBe(code);
  });

  it("T5: evidence and endorsement are none", async () => {
    const { posted } = await makeTriple(c, hands);
    for (const octets of [posted.evidence, posted.endorsement])
      expect(await outcomeOf(() => checkOwnRequest(c, octets, at, NOW))).toBe("wrong_type");
  });
});
