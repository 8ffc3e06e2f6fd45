import { sign } from "node:crypto";
import { compactVerify, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import {
  base64url,
  equalBytes,
  makeOwnerJws,
  ownerJwsHeader,
  ownerJwsInput,
  ownerJwsOf,
  utf8,
  verifyOwnerSignature,
  writeStatement,
} from "@countersign/core";
import type { Bytes, Signer } from "@countersign/core";
import { generatePrivateKey, generateSigner, nodeCrypto as c, signerOf } from "@countersign/node";
import { CREDENTIAL } from "./consent-fixture.ts";
import { outcomeOf } from "./outcome.ts";

const statement = writeStatement(c, CREDENTIAL).bytes;
const other = writeStatement(c, { ...CREDENTIAL, req: `sha-256:${"A".repeat(43)}` }).bytes;
const secret = generatePrivateKey("P-256");
const p256 = signerOf(secret);
const edwards = generateSigner("Ed25519");

const signed = (by: Signer, octets = statement): Promise<Bytes> =>
  by.sign(utf8(ownerJwsInput(by.alg, octets)));
/** ECDSA as OpenSSL writes it. */
const der = (): Bytes =>
  new Uint8Array(sign("sha256", utf8(ownerJwsInput("ES256", statement)), secret));

describe("owner.md 1.2: an owner's JWS", () => {
  it.each([
    ["ES256", p256],
    ["Ed25519", edwards],
  ] as const)("%s: verifies here, and with jose", async (alg, by) => {
    const signature = await makeOwnerJws(by, statement);
    const input = { statementBytes: statement, signature, key: { jwk: by.key } };
    expect(await verifyOwnerSignature(c, input)).toMatchObject({ kind: "jws", userPresent: false });
    const key = await importJWK({ ...by.key, alg });
    const { payload, protectedHeader } = await compactVerify(signature.s, key);
    expect(equalBytes(payload, statement)).toBe(true);
    expect(protectedHeader).toEqual({ alg, typ: "agent-consent+jwt" });
  });

  it("has one header for every statement, so that a line of a shell can hold it", () => {
    const header = base64url(utf8('{"alg":"ES256","typ":"agent-consent+jwt"}'));
    expect(ownerJwsHeader("ES256")).toBe(header);
    expect(ownerJwsInput("ES256", statement)).toBe(`${header}.${base64url(statement)}`);
  });

  const accepted = async (by: Signer, octets: Bytes): Promise<void> => {
    const signature = ownerJwsOf(by.key, statement, octets);
    const input = { statementBytes: statement, signature, key: { jwk: by.key } };
    expect(await verifyOwnerSignature(c, input)).toMatchObject({ kind: "jws" });
  };
  it("is made around a signature from elsewhere: raw, or ECDSA in DER", async () => {
    await accepted(edwards, await signed(edwards));
    // r and s are now and then shorter than the field: several signatures meet both lengths
    for (let count = 0; count < 16; count += 1) {
      await accepted(p256, await signed(p256));
      await accepted(p256, der());
    }
  });

  const p384 = { kty: "EC", crv: "P-384", x: "A".repeat(64), y: "A".repeat(64) } as const;
  const refused = "signature_invalid";
  it.each([
    ["no octets", edwards.key, () => new Uint8Array(0), refused],
    ["63 octets of Ed25519", edwards.key, () => new Uint8Array(63), refused],
    ["ECDSA in DER for an Ed25519 key", edwards.key, der, refused],
    ["63 octets of ECDSA", p256.key, () => new Uint8Array(63), refused],
    ["DER with an octet behind it", p256.key, () => Uint8Array.of(...der(), 0), refused],
    ["a key on P-384", p384, () => new Uint8Array(96), "key_unsupported"],
    ["a signature over another statement", p256.key, () => signed(p256, other), refused],
    ["a signature by another key", edwards.key, () => signed(generateSigner("Ed25519")), refused],
  ] as const)("from elsewhere, refused: %s", async (_name, jwk, make, wanted) => {
    const said = await outcomeOf(async () => {
      const signature = ownerJwsOf(jwk, statement, await make());
      return verifyOwnerSignature(c, { statementBytes: statement, signature, key: { jwk } });
    });
    expect(said).toBe(wanted);
  });
});
