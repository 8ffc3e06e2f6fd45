import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { concat, equalBytes } from "../bytes.ts";
import {
  bitString,
  boolean,
  explicit,
  implicitConstructed,
  implicitPrimitive,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  time,
  tlv,
  utf8String,
} from "../der/write.ts";
import { writeAlgorithm } from "./algorithm.ts";
import { subjectAltName } from "./build.ts";
import { parseCertificate } from "./certificate.ts";
import {
  AGENT,
  assemble,
  c,
  codeOf,
  leafExtensions,
  leafParts,
  makeEstate,
  makeWic,
  NOW,
  serialOf,
} from "./estate.testing.ts";
import type { Parts } from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { verifyPath } from "./path.ts";
import { keyIdOf, spkiOf } from "./spki.ts";

const estate = await makeEstate();
const leafKey = generateSigner().key;
const good = leafExtensions(estate.issuing, leafKey);
const wic = await makeWic(estate, AGENT, leafKey);

function wrap(...extensions: readonly Bytes[]): Partial<Parts> {
  return { rest: [explicit(3, sequence(...extensions))] };
}
/** All good extensions, and one more. */
function plus(name: string, isCritical: boolean, value: Bytes): Partial<Parts> {
  return wrap(...good, writeExtension(name, isCritical, value));
}
/** All good extensions but one, which has another value. */
function instead(at: number, name: string, value: Bytes): Partial<Parts> {
  return wrap(...good.with(at, writeExtension(name, true, value)));
}
const SAN = 0;
const BASIC = 1;
const USAGE = 2;
const SKI = 3;
const AKI = 4;
const EKU = 5;
const uriName = implicitPrimitive(6, new TextEncoder().encode(AGENT));
const rsaAlgorithm = sequence(oid("1.2.840.113549.1.1.11"), nullValue());
const M = "malformed_certificate";

describe("certificate form (RFC 5280 4.1)", () => {
  it.each<[string, Partial<Parts>, string]>([
    ["the plain leaf", {}, "ok"],
    ["no extensions", { rest: [] }, "ok"],
    ["version 1", { version: explicit(0, integer(0)) }, M],
    ["version 2", { version: explicit(0, integer(1)) }, M],
    ["version 4", { version: explicit(0, integer(3)) }, M],
    ["no version", { version: new Uint8Array(0) }, M],
    ["serial zero", { serial: integer(0) }, M],
    ["negative serial", { serial: tlv(2, Uint8Array.of(0x80)) }, M],
    ["serial of 20 octets", { serial: integer(new Uint8Array(20).fill(0x7f)) }, "ok"],
    ["serial of 21 octets", { serial: integer(new Uint8Array(21).fill(0x7f)) }, M],
    ["algorithms that differ", { outerAlgorithm: writeAlgorithm("ES384") }, M],
    [
      "RSA signature",
      { innerAlgorithm: rsaAlgorithm, outerAlgorithm: rsaAlgorithm },
      "unsupported_alg",
    ],
    [
      "ECDSA algorithm with parameters",
      {
        innerAlgorithm: sequence(oid(OID.ecdsaWithSha256), nullValue()),
        outerAlgorithm: sequence(oid(OID.ecdsaWithSha256), nullValue()),
      },
      M,
    ],
    ["times in the wrong order", { validity: sequence(time(NOW), time(NOW - 1)) }, M],
    ["one time only", { validity: sequence(time(NOW)) }, M],
    ["a name with an empty part", { subject: sequence(setOf()) }, M],
    ["a name of text", { subject: sequence(utf8String("x")) }, M],
    ["an RSA key", { spki: sequence(rsaAlgorithm, bitString(serialOf(1))) }, "unsupported_alg"],
    [
      "a P-521 key",
      {
        spki: sequence(
          sequence(oid(OID.ecPublicKey), oid(OID.p521)),
          bitString(concat(Uint8Array.of(4), new Uint8Array(132))),
        ),
      },
      "unsupported_alg",
    ],
    [
      "a curve that is not known",
      {
        spki: sequence(sequence(oid(OID.ecPublicKey), oid("1.3.132.0.10")), bitString(serialOf(4))),
      },
      "unsupported_alg",
    ],
    [
      "a compressed point",
      {
        spki: sequence(
          sequence(oid(OID.ecPublicKey), oid(OID.p256)),
          bitString(concat(Uint8Array.of(2), new Uint8Array(32))),
        ),
      },
      M,
    ],
    [
      "a unique identifier",
      { rest: [implicitPrimitive(1, Uint8Array.of(0, 1)), explicit(3, sequence(...good))] },
      M,
    ],
    ["an empty list of extensions", wrap(), M],
    ["something after the extensions", { rest: [explicit(3, sequence(...good)), integer(1)] }, M],
  ])("judges %s", async (_, change, wanted) => {
    const der = await assemble(leafParts(estate.issuing, leafKey, change), estate.issuingKey);
    expect(await codeOf(() => parseCertificate(der))).toBe(wanted);
  });

  it.each<[string, Bytes, string]>([
    ["the certificate", wic, "ok"],
    ["a trailing octet", concat(wic, Uint8Array.of(0)), M],
    ["two certificates", concat(wic, wic), M],
    ["a missing octet", wic.subarray(0, -1), M],
    ["nothing", new Uint8Array(0), M],
    ["text", new TextEncoder().encode("not a certificate"), M],
    ["more than 16 KiB", new Uint8Array(16_385), M],
  ])("judges %s", async (_, der, wanted) => {
    expect(await codeOf(() => parseCertificate(der))).toBe(wanted);
  });
});

describe("extensions (RFC 5280 4.2)", () => {
  const key = keyIdOf(c, leafKey);
  it.each<[string, Partial<Parts>, string]>([
    ["one twice", wrap(...good, good[EKU] ?? key), M],
    [
      "one twice with other values",
      wrap(...good, subjectAltName({ uri: "spiffe://b/c" }, true)),
      M,
    ],
    [
      "33 of them",
      wrap(
        ...Array.from({ length: 33 }, (_, at) => writeExtension(`1.2.3.${at}`, false, integer(1))),
      ),
      M,
    ],
    [
      "critical FALSE written out",
      wrap(...good, sequence(oid("1.2.3"), boolean(false), octetString(integer(1)))),
      M,
    ],
    ["an unknown one", plus("1.2.3", false, integer(1)), "ok"],
    ["an unknown critical one is for the path to judge", plus("1.2.3", true, integer(1)), "ok"],
    ["names: none", instead(SAN, OID.subjectAltName, sequence()), M],
    ["names: not a name", instead(SAN, OID.subjectAltName, sequence(integer(1))), M],
    [
      "names: URI not in ASCII",
      instead(SAN, OID.subjectAltName, sequence(implicitPrimitive(6, Uint8Array.of(0xe9)))),
      M,
    ],
    [
      "names: directory name, other name, address",
      instead(
        SAN,
        OID.subjectAltName,
        sequence(
          uriName,
          implicitConstructed(4, sequence()),
          implicitConstructed(0, oid("1.2.3")),
          implicitPrimitive(7, Uint8Array.of(127, 0, 0, 1)),
        ),
      ),
      "ok",
    ],
    [
      "names: 65 of them",
      instead(SAN, OID.subjectAltName, sequence(...Array.from({ length: 65 }, () => uriName))),
      M,
    ],
    [
      "names: something after them",
      instead(SAN, OID.subjectAltName, concat(sequence(uriName), integer(1))),
      M,
    ],
    [
      "basic constraints: cA FALSE written out",
      instead(BASIC, OID.basicConstraints, sequence(boolean(false))),
      M,
    ],
    [
      "basic constraints: path length without CA",
      instead(BASIC, OID.basicConstraints, sequence(integer(0))),
      M,
    ],
    [
      "basic constraints: CA with path length",
      instead(BASIC, OID.basicConstraints, sequence(boolean(true), integer(3))),
      "ok",
    ],
    ["key usage: none", instead(USAGE, OID.keyUsage, bitString(new Uint8Array(0))), M],
    [
      "key usage: trailing zero bits",
      instead(USAGE, OID.keyUsage, bitString(Uint8Array.of(0x80), 0)),
      M,
    ],
    ["key usage: nine bits", instead(USAGE, OID.keyUsage, namedBits([0, 8])), "ok"],
    ["purposes: none", instead(EKU, OID.extendedKeyUsage, sequence()), M],
    [
      "purposes: 33",
      instead(
        EKU,
        OID.extendedKeyUsage,
        sequence(...Array.from({ length: 33 }, (_, at) => oid(`1.2.${at}`))),
      ),
      M,
    ],
    [
      "subject key id: empty",
      instead(SKI, OID.subjectKeyIdentifier, octetString(new Uint8Array(0))),
      M,
    ],
    [
      "authority key id: with issuer and serial",
      instead(
        AKI,
        OID.authorityKeyIdentifier,
        sequence(
          implicitPrimitive(0, key),
          implicitConstructed(1),
          implicitPrimitive(2, Uint8Array.of(1)),
        ),
      ),
      "ok",
    ],
    ["authority key id: nothing in it", instead(AKI, OID.authorityKeyIdentifier, sequence()), "ok"],
    ["authority key id: an integer", instead(AKI, OID.authorityKeyIdentifier, integer(1)), M],
    ["owner binding: not one", plus(OID.ownerBinding, false, sequence()), M],
  ])("judges %s", async (_, change, wanted) => {
    const der = await assemble(leafParts(estate.issuing, leafKey, change), estate.issuingKey);
    expect(await codeOf(() => parseCertificate(der))).toBe(wanted);
  });

  it("says what stands in the certificate", () => {
    const read = parseCertificate(wic);
    expect(read.uris).toEqual([AGENT]);
    expect(read.dns).toEqual([]);
    expect(read.sanCritical).toBe(true);
    expect(read.subjectIsEmpty).toBe(true);
    expect(read.key).toEqual(leafKey);
    expect(equalBytes(read.spki, spkiOf(leafKey))).toBe(true);
    expect(read.basicConstraints).toEqual({ isCa: false });
    expect(read.keyUsage).toEqual({ digitalSignature: true, keyCertSign: false, crlSign: false });
    expect(read.extendedKeyUsage).toEqual([OID.serverAuth, OID.clientAuth]);
    expect(read.subjectKeyId).toEqual(keyIdOf(c, leafKey));
    expect(read.authorityKeyId).toEqual(estate.issuing.subjectKeyId);
    expect([read.notBefore, read.notAfter]).toEqual([NOW - 60, NOW + 900]);
    expect(read.serialHex).toBe("43" + "03".repeat(15));
    expect(read.ownerBinding).toBeUndefined();
  });
});

describe("properties", () => {
  it("refuses any one-octet change of a certificate, by form or by path", async () => {
    const chain = [wic, estate.issuing.der] as const;
    const at = { chain, anchors: [estate.root.der], purpose: "any", now: NOW } as const;
    expect(await codeOf(() => verifyPath(c, at))).toBe("ok");
    const which = fc.constantFrom(0, 1);
    await fc.assert(
      fc.asyncProperty(
        which,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (index, where, flip) => {
          const changed = chain.map((der) => Uint8Array.from(der));
          const target = changed[index] ?? wic;
          const position = where % target.length;
          target[position] = (target[position] ?? 0) ^ flip;
          const code = await codeOf(() => verifyPath(c, { ...at, chain: changed }));
          expect(code).not.toBe("ok");
          expect(code).not.toMatch(/^bug/);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("returns or refuses, whatever the octets are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (octets) => {
        expect(await codeOf(() => parseCertificate(octets))).not.toMatch(/^bug/);
        expect(await codeOf(() => parseCertificate(sequence(octets)))).not.toMatch(/^bug/);
      }),
    );
    const splice = fc.tuple(fc.nat(wic.length), fc.nat(8), fc.uint8Array({ maxLength: 8 }));
    await fc.assert(
      fc.asyncProperty(splice, async ([from, cut, put]) => {
        const der = concat(wic.subarray(0, from), put, wic.subarray(from + cut));
        expect(await codeOf(() => parseCertificate(der))).not.toMatch(/^bug/);
      }),
      { numRuns: 300 },
    );
  });
});
