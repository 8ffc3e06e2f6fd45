import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { base64url, concat, hex } from "../bytes.ts";
import { implicitPrimitive, integer, octetString, sequence, utf8String } from "../der/write.ts";
import { thumbprint } from "../jose/jwk.ts";
import { parseCertificate } from "./certificate.ts";
import {
  AGENT,
  assemble,
  c,
  codeOf,
  leafExtensions,
  leafParts,
  makeEstate,
  NOW,
  serialOf,
} from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { decodeOwnerBinding, encodeOwnerBinding } from "./owner-binding.ts";
import type { OwnerBinding } from "./owner-binding.ts";
import { buildWic } from "./profiles.ts";
import { spkiOf } from "./spki.ts";

const owner = generateSigner("Ed25519").key;
const hash = new Uint8Array(32).fill(7);
const binding: OwnerBinding = {
  ownerId: "urn:agent-owner:example.org:abcdefgh",
  ownerKey: thumbprint(c, owner),
  consent: `sha-256:${base64url(hash)}`,
  assurance: 2,
  ownerSpki: spkiOf(owner),
};
const estate = await makeEstate();
const M = "malformed_certificate";

describe("owner binding", () => {
  it("has the tags that are fixed", () => {
    const der = encodeOwnerBinding({
      ownerId: "u",
      ownerKey: base64url(hash),
      consent: binding.consent,
      assurance: 3,
      evidence: Uint8Array.of(0x7b, 0x7d),
      ownerSpki: spkiOf(owner),
    });
    const sevens = "07".repeat(32);
    const key = hex(spkiOf(owner)).slice(2);
    expect(hex(der)).toBe(`307d0201000c01750420${sevens}0420${sevens}80010382027b7da5${key}`);
  });

  it("travels in a certificate, with the owner's key of every kind", async () => {
    for (const key of [owner, generateSigner().key]) {
      const one = { ...binding, ownerKey: thumbprint(c, key), ownerSpki: spkiOf(key) };
      const template = {
        uri: AGENT,
        key: generateSigner().key,
        serial: serialOf(4),
        notBefore: NOW - 60,
        notAfter: NOW + 900,
        issuer: estate.issuing,
        owner: one,
      };
      const wic = parseCertificate(await buildWic(c, template, estate.issuingKey));
      expect(wic.ownerBinding).toEqual(one);
      expect(encodeOwnerBinding(one).length).toBeLessThanOrEqual(300);
    }
  });

  const parts = [integer(0), utf8String("u"), octetString(hash), octetString(hash)] as const;
  const short = octetString(new Uint8Array(31));
  it.each<[string, Bytes, string]>([
    ["the shortest", sequence(...parts), "ok"],
    ["with everything", encodeOwnerBinding({ ...binding, evidence: new Uint8Array(4000) }), "ok"],
    ["version 1", sequence(...parts.with(0, integer(1))), M],
    ["no version", sequence(...parts.slice(1)), M],
    ["empty owner id", sequence(...parts.with(1, utf8String(""))), M],
    ["owner key of 31 octets", sequence(...parts.with(2, short)), M],
    ["consent of 31 octets", sequence(...parts.with(3, short)), M],
    ["assurance 4", sequence(...parts, implicitPrimitive(0, Uint8Array.of(4))), "ok"],
    ["assurance 5", sequence(...parts, implicitPrimitive(0, Uint8Array.of(5))), M],
    [
      "assurance that is not minimal",
      sequence(...parts, implicitPrimitive(0, Uint8Array.of(0, 4))),
      M,
    ],
    [
      "members out of order",
      sequence(...parts, implicitPrimitive(2, hash), implicitPrimitive(0, Uint8Array.of(1))),
      M,
    ],
    ["an unknown member", sequence(...parts, implicitPrimitive(3, hash)), M],
    ["a key that is none", sequence(...parts, Uint8Array.of(0xa5, 0)), M],
    ["301 octets", sequence(...parts.with(1, utf8String("u".repeat(223)))), M],
    ["300 octets", sequence(...parts.with(1, utf8String("u".repeat(222)))), "ok"],
    ["a trailing octet", concat(sequence(...parts), Uint8Array.of(0)), M],
  ])("judges %s", async (_, der, wanted) => {
    expect(await codeOf(() => decodeOwnerBinding(der))).toBe(wanted);
  });

  it("is refused when it is critical or too large to write", async () => {
    const key = generateSigner().key;
    for (const [isCritical, wanted] of [
      [false, "ok"],
      [true, M],
    ] as const) {
      const one = writeExtension(OID.ownerBinding, isCritical, encodeOwnerBinding(binding));
      const extensions = [...leafExtensions(estate.issuing, key), one];
      const der = await assemble(leafParts(estate.issuing, key, {}, extensions), estate.issuingKey);
      expect(await codeOf(() => parseCertificate(der))).toBe(wanted);
    }
    const long = { ...binding, ownerId: "u".repeat(250) };
    expect(await codeOf(() => encodeOwnerBinding(long))).toBe(M);
    expect(await codeOf(() => encodeOwnerBinding({ ...binding, assurance: 5 }))).toBe(M);
    expect(await codeOf(() => encodeOwnerBinding({ ...binding, ownerKey: "AA" }))).toBe(M);
  });

  it("reads back what it writes, and refuses what it does not know", async () => {
    const text = fc.string({ minLength: 1, maxLength: 40 });
    const octets32 = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((octets) => base64url(Uint8Array.from(octets)));
    fc.assert(
      fc.property(text, octets32, octets32, fc.nat(4), (ownerId, ownerKey, consent, assurance) => {
        const one: OwnerBinding = { ownerId, ownerKey, consent: `sha-256:${consent}`, assurance };
        expect(decodeOwnerBinding(encodeOwnerBinding(one))).toEqual(one);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (octets) => {
        expect(await codeOf(() => decodeOwnerBinding(sequence(octets)))).toBe(M);
      }),
    );
  });
});
