import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, utf8 } from "../bytes.ts";
import { open, seal } from "../jose/signed.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { d, ENTRY, ISSUER, NONCE, NOW } from "./attested.testing.ts";
import { ENDORSEMENT } from "./endorsement.ts";
import { REQUEST } from "./request.ts";

const key = generateSigner();
const THUMBPRINT = d(5).slice(8);

async function sign(typ: string, payload: object, header: object = {}): Promise<string> {
  const encode = (part: object): string => base64url(utf8(JSON.stringify(part)));
  const input = `${encode({ alg: "ES256", typ, jwk: key.key, ...header })}.${encode(payload)}`;
  return `${input}.${base64url(await key.sign(utf8(input)))}`;
}

const R = {
  aud: ISSUER,
  nonce: NONCE,
  iat: NOW,
  exp: NOW + 300,
  sub: ENTRY.id,
  anchor: THUMBPRINT,
};
const N = {
  sub: `${ENTRY.id}/0011223344556677`,
  aud: ISSUER,
  iat: NOW,
  exp: NOW + 900,
  jti: NONCE,
  cnf: { jkt: THUMBPRINT },
};
type Row = readonly [string, object, string, object?];
/** Rows with an ordinary header where none is given. */
const whole = (rows: readonly Row[]): readonly (readonly [string, object, string, object])[] =>
  rows.map(([name, change, code, header]) => [name, change, code, header ?? {}]);

const HEADERS = (typ: string): readonly Row[] => [
  ["another type", {}, "wrong_type", { typ: "wit+jwt" }],
  ["crit", {}, "unsupported_critical", { crit: ["x"], x: 1 }],
  ["alg none", {}, "unsupported_alg", { typ, alg: "none" }],
  ["HS256", {}, "unsupported_alg", { typ, alg: "HS256" }],
  ["jku", {}, "malformed_token", { typ, jku: "https://evil.example" }],
  ["kid", {}, "malformed_token", { typ, kid: "x" }],
  ["a private key", {}, "invalid_key", { typ, jwk: { ...key.key, d: "AA" } }],
  ["another's key", {}, "invalid_signature", { typ, jwk: generateSigner().key }],
];

describe("the request R", () => {
  it.each(
    whole([
      ["as written", {}, "accepted"],
      ["280 characters of note", { note: "x".repeat(280) }, "accepted"],
      ["281 characters", { note: "x".repeat(281) }, "request_invalid"],
      ["an unknown member", { owner: "me" }, "request_invalid"],
      ["a csr", { csr: "AA" }, "request_invalid"],
      ["a short nonce", { nonce: "AAAAAAA" }, "request_invalid"],
      ["a nonce that is no base64url", { nonce: "????????" }, "request_invalid"],
      ["fractional iat", { iat: NOW + 0.5 }, "request_invalid"],
      ["exp before iat", { exp: NOW }, "request_invalid"],
      ["7 d, pre-signed", { exp: NOW + 604_800 }, "accepted"],
      ["over 7 d", { exp: NOW + 604_801 }, "request_invalid"],
      ["an anchor that is no thumbprint", { anchor: "AA" }, "request_invalid"],
      ...Object.keys(R).map(
        (name) => [`${name} absent`, { [name]: undefined }, "request_invalid"] as const,
      ),
      ...HEADERS(REQUEST.typ),
    ]),
  )("%s → %#", async (_name, change, code, header) => {
    const octets = await sign(REQUEST.typ, { ...R, ...change }, header);
    expect(await outcomeOf(() => open(c, REQUEST, octets))).toBe(code);
  });

  it("reads back", async () => {
    const claims = { ...R, note: "é\u202e" };
    expect((await seal(c, REQUEST, claims, key)).claims).toEqual(claims);
  });
});

describe("the endorsement N", () => {
  it.each(
    whole([
      ["as written", {}, "accepted"],
      ["with a statement", { cs: d(9) }, "accepted"],
      ["a statement that is no digest", { cs: THUMBPRINT }, "endorsement_invalid"],
      ["an unknown member", { more: 1 }, "endorsement_invalid"],
      ["a whole key", { cnf: { jwk: key.key } }, "endorsement_invalid"],
      ["more than a thumbprint", { cnf: { jkt: THUMBPRINT, kid: "x" } }, "endorsement_invalid"],
      ["exp at iat", { exp: NOW }, "endorsement_invalid"],
      ["a short jti", { jti: "AAAA" }, "endorsement_invalid"],
      ...Object.keys(N).map(
        (name) => [`${name} absent`, { [name]: undefined }, "endorsement_invalid"] as const,
      ),
      ...HEADERS(ENDORSEMENT.typ),
    ]),
  )("%s → %#", async (_name, change, code, header) => {
    const octets = await sign(ENDORSEMENT.typ, { ...N, ...change }, header);
    expect(await outcomeOf(() => open(c, ENDORSEMENT, octets))).toBe(code);
  });

  it("reads back", async () => {
    const { cnf, ...rest } = N;
    const claims = { ...rest, jkt: cnf.jkt, cs: d(9) };
    expect((await seal(c, ENDORSEMENT, claims, key)).claims).toEqual(claims);
  });
});
