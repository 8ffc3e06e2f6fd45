import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { utf8 } from "../bytes.ts";
import { EVIDENCE } from "../evidence/eat.ts";
import { ENDORSEMENT } from "../issuance/endorsement.ts";
import { REQUEST } from "../issuance/request.ts";
import { digestOf, open, seal } from "../jose/signed.ts";
import type { SignedType } from "../jose/signed.ts";
import { Refusal } from "../refusal.ts";
import { checkRenewal, RENEWAL } from "./renewal.ts";
import type { RenewalClaims } from "./renewal.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://id.example.org";
const CSR = utf8("a certificate request");
const key = generateSigner();
const CLAIMS: RenewalClaims = {
  aud: ISSUER,
  iat: NOW,
  nonce: "AAAAAAAAAAAAAAAAAAAAAA",
  csr: digestOf(c, CSR),
};

async function wordOf(
  change: Partial<RenewalClaims>,
  more: { readonly by?: typeof key; readonly octets?: string } = {},
): Promise<string> {
  const { octets } = await seal(c, RENEWAL, { ...CLAIMS, ...change }, more.by ?? key);
  const of = { key: key.key, csr: CSR, issuer: ISSUER, checkNonce: () => undefined };
  try {
    await checkRenewal(c, more.octets ?? octets, of, NOW);
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe("a renewal that the present key signs", () => {
  it.each<readonly [string, Partial<RenewalClaims>, string]>([
    ["as it is", {}, "accepted"],
    ["at the end of its time", { iat: NOW - 360 }, "accepted"],
    ["a second after", { iat: NOW - 361 }, "renewal_invalid"],
    ["by a clock a minute ahead", { iat: NOW + 60 }, "accepted"],
    ["by a clock further ahead", { iat: NOW + 61 }, "renewal_invalid"],
    ["for another server", { aud: "https://id.example.com" }, "renewal_invalid"],
    ["for another CSR", { csr: digestOf(c, utf8("another")) }, "renewal_invalid"],
  ])("%s", async (_name, change, word) => {
    expect(await wordOf(change)).toBe(word);
  });

  it("T5: no R is taken for it, and it is taken for no evidence of the same key", async () => {
    const claims = { aud: ISSUER, nonce: CLAIMS.nonce, iat: NOW, exp: NOW + 300 };
    const sub = "spiffe://example.org/agent/mailer";
    const r = await seal(c, REQUEST, { ...claims, sub, anchor: "A".repeat(43) }, key);
    expect(await wordOf({}, { octets: r.octets })).toBe("renewal_invalid");
    const { octets } = await seal(c, RENEWAL, CLAIMS, key);
    for (const type of [EVIDENCE, REQUEST, ENDORSEMENT] as const)
      await expect(
        open<unknown>(c, type as SignedType<unknown>, octets, [key.key]),
      ).rejects.toThrow("wrong_type");
  });

  it("by another key, or another type of octets", async () => {
    expect(await wordOf({}, { by: generateSigner() })).toBe("renewal_invalid");
    expect(await wordOf({}, { octets: "" })).toBe("renewal_invalid");
    expect(await wordOf({}, { octets: "e30.e30.AA" })).toBe("renewal_invalid");
  });
});
