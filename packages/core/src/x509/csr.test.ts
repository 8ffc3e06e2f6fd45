import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import type { Bytes, Signer } from "../crypto.ts";
import { concat } from "../bytes.ts";
import {
  bitString,
  implicitConstructed,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
} from "../der/write.ts";
import { writeAlgorithm, writeSignature } from "./algorithm.ts";
import { subjectAltName } from "./build.ts";
import { buildCsr, parseCsr } from "./csr.ts";
import { AGENT, c, codeOf, nameOf, OFF_CURVE_SPKI } from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { spkiOf } from "./spki.ts";

const signer = generateSigner();
const csr = await buildCsr(c, signer, AGENT);
const san = subjectAltName({ uri: AGENT }, false);
const rsa = sequence(oid("1.2.840.113549.1.1.1"), nullValue());

interface Parts {
  version: Bytes;
  subject: Bytes;
  spki: Bytes;
  attributes: Bytes;
  algorithm: Bytes;
  by: Signer;
}
function wanting(...extensions: readonly Bytes[]): Bytes {
  return sequence(oid(OID.extensionRequest), setOf(sequence(...extensions)));
}
async function assemble(change: Partial<Parts>): Promise<Bytes> {
  const { version, subject, spki, attributes, algorithm, by } = {
    version: integer(0),
    subject: nameOf("device"),
    spki: spkiOf(signer.key),
    attributes: implicitConstructed(0, wanting(san)),
    algorithm: writeAlgorithm("ES256"),
    by: signer,
    ...change,
  };
  const info = sequence(version, subject, spki, attributes);
  return sequence(info, algorithm, writeSignature("ES256", await by.sign(info)));
}

describe("certificate request (RFC 2986)", () => {
  const challenge = sequence(oid("1.2.840.113549.1.9.7"), setOf(octetString(Uint8Array.of(1))));
  it.each<[string, Partial<Parts>, string]>([
    ["the plain request", {}, "ok"],
    ["no attributes", { attributes: implicitConstructed(0) }, "ok"],
    ["attributes left out", { attributes: new Uint8Array(0) }, "malformed_csr"],
    ["another attribute", { attributes: implicitConstructed(0, challenge, wanting(san)) }, "ok"],
    [
      "an attribute twice",
      { attributes: implicitConstructed(0, challenge, challenge) },
      "malformed_csr",
    ],
    [
      "an empty list of names",
      {
        attributes: implicitConstructed(
          0,
          wanting(writeExtension(OID.subjectAltName, false, sequence())),
        ),
      },
      "ok",
    ],
    [
      "two lists of extensions",
      {
        attributes: implicitConstructed(
          0,
          sequence(oid(OID.extensionRequest), setOf(sequence(san), sequence(san))),
        ),
      },
      "malformed_csr",
    ],
    [
      "an extension twice",
      { attributes: implicitConstructed(0, wanting(san, san)) },
      "malformed_csr",
    ],
    ["version 1", { version: integer(1) }, "malformed_csr"],
    ["signature by another key", { by: generateSigner() }, "invalid_signature"],
    [
      "another algorithm",
      { algorithm: sequence(oid("1.2.840.113549.1.1.11"), nullValue()) },
      "invalid_signature",
    ],
    ["an RSA key", { spki: sequence(rsa, bitString(new Uint8Array(128))) }, "invalid_key"],
    ["a key off its curve", { spki: OFF_CURVE_SPKI }, "invalid_key"],
    [
      "a key cut short",
      {
        spki: sequence(
          sequence(oid(OID.ecPublicKey), oid(OID.p256)),
          bitString(new Uint8Array(64)),
        ),
      },
      "malformed_csr",
    ],
  ])("judges %s", async (_, change, wanted) => {
    const der = await assemble(change);
    expect(await codeOf(() => parseCsr(c, der))).toBe(wanted);
  });

  it.each<[string, Bytes, string]>([
    ["as built", csr, "ok"],
    ["trailing octet", concat(csr, Uint8Array.of(0)), "malformed_csr"],
    ["nothing", new Uint8Array(0), "malformed_csr"],
    ["over 8 KiB", new Uint8Array(8193), "malformed_csr"],
  ])("judges octets: %s", async (_, der, wanted) => {
    expect(await codeOf(() => parseCsr(c, der))).toBe(wanted);
  });

  it("reads back what it builds", async () => {
    const read = await parseCsr(c, csr);
    expect(read.key).toEqual(signer.key);
    expect(read.spki).toEqual(spkiOf(signer.key));
    expect(read.uris).toEqual([AGENT]);
    expect(read.subject).toEqual(sequence());
    const bare = await parseCsr(c, await buildCsr(c, generateSigner("Ed25519")));
    expect(bare.uris).toEqual([]);
  });

  it("refuses any one-octet change, and never fails otherwise", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(csr.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Uint8Array.from(csr);
          changed[at] = (changed[at] ?? 0) ^ flip;
          expect(await codeOf(() => parseCsr(c, changed))).toMatch(/^[a-z_]{4,}$/);
        },
      ),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (octets) => {
        expect(await codeOf(() => parseCsr(c, sequence(octets)))).toMatch(/^[a-z_]{4,}$/);
      }),
    );
  });
});
