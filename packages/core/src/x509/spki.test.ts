import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { publicJwkOf } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { concat } from "../bytes.ts";
import { bitString, nullValue, oid, sequence } from "../der/write.ts";
import { c, codeOf } from "./estate.testing.ts";
import { OID } from "./oids.ts";
import { jwkOfSpki, keyIdOf, spkiOf } from "./spki.ts";

const made = [
  ...["P-256", "P-384", "P-521"].map((namedCurve) => generateKeyPairSync("ec", { namedCurve })),
  generateKeyPairSync("ed25519"),
].map(({ publicKey }) => publicKey);

describe("SubjectPublicKeyInfo", () => {
  it.each(made.map((key) => [publicJwkOf(key).crv, key] as const))(
    "agrees with the platform on %s",
    (_, key) => {
      const jwk = publicJwkOf(key);
      const der = new Uint8Array(key.export({ type: "spki", format: "der" }));
      expect(spkiOf(jwk)).toEqual(der);
      expect(jwkOfSpki(der)).toEqual(jwk);
      const bits = der.subarray(
        der.length -
          (jwk.kty === "OKP" ? 32 : 1 + 2 * { "P-256": 32, "P-384": 48, "P-521": 66 }[jwk.crv]),
      );
      expect(keyIdOf(c, jwk)).toEqual(
        new Uint8Array(createHash("sha256").update(bits).digest().subarray(0, 20)),
      );
    },
  );

  const ec = sequence(oid(OID.ecPublicKey), oid(OID.p256));
  const point = concat(Uint8Array.of(4), new Uint8Array(64));
  it.each<[string, Bytes, string]>([
    ["a point", sequence(ec, bitString(point)), "ok"],
    [
      "hybrid form",
      sequence(ec, bitString(concat(Uint8Array.of(6), new Uint8Array(64)))),
      "invalid_key",
    ],
    ["the point at infinity", sequence(ec, bitString(Uint8Array.of(0))), "invalid_key"],
    ["unused bits", sequence(ec, bitString(point, 1)), "invalid_key"],
    ["a member more", sequence(ec, bitString(point), nullValue()), "invalid_key"],
    ["a trailing octet", concat(sequence(ec, bitString(point)), Uint8Array.of(0)), "invalid_key"],
    [
      "Ed25519 with parameters",
      sequence(sequence(oid(OID.ed25519), nullValue()), bitString(new Uint8Array(32))),
      "invalid_key",
    ],
    [
      "Ed25519 of 31 octets",
      sequence(sequence(oid(OID.ed25519)), bitString(new Uint8Array(31))),
      "invalid_key",
    ],
    [
      "RSA",
      sequence(sequence(oid("1.2.840.113549.1.1.1"), nullValue()), bitString(point)),
      "unsupported_alg",
    ],
    [
      "another curve",
      sequence(sequence(oid(OID.ecPublicKey), oid("1.3.132.0.10")), bitString(point)),
      "unsupported_alg",
    ],
    ["more than 512 octets", new Uint8Array(513), "invalid_key"],
  ])("judges %s", async (_, der, wanted) => {
    expect(await codeOf(() => jwkOfSpki(der))).toBe(wanted);
  });
});
