import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { base64url, readJwk, spkiOf, utf8 } from "@countersign/core";
import type { Jwk, SignatureAlgorithm } from "@countersign/core";
import { rememberingCrypto } from "@countersign/core";
import { webCrypto } from "./web-crypto.ts";

const DATA = utf8("what was signed");
const c = webCrypto();

interface Made {
  readonly key: Jwk;
  readonly signature: Uint8Array;
}
function make(
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
  hash: string | null,
): Made {
  const signed = sign(hash, DATA, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
  const jwk = Object.fromEntries(
    Object.entries({ kty, crv, x, y }).filter(([, v]) => v !== undefined),
  );
  return { key: readJwk(JSON.parse(JSON.stringify(jwk))), signature: new Uint8Array(signed) };
}
const ec = (namedCurve: string, hash: string): Made =>
  make(generateKeyPairSync("ec", { namedCurve }), hash);
const P256 = ec("P-256", "sha256");
const P384 = ec("P-384", "sha384");
const P521 = ec("P-521", "sha512");
const ED = make(generateKeyPairSync("ed25519"), null);
const octets = (byteCount: number, fill: number): string =>
  base64url(new Uint8Array(byteCount).fill(fill));
const changed = (signature: Uint8Array): Uint8Array =>
  signature.map((octet, i) => (i === 9 ? octet ^ 1 : octet));

describe("webCrypto", () => {
  it.each<[string, SignatureAlgorithm, Made, Uint8Array, boolean]>([
    ["ES256", "ES256", P256, P256.signature, true],
    ["ES384", "ES384", P384, P384.signature, true],
    ["Ed25519", "Ed25519", ED, ED.signature, true],
    ["EdDSA", "EdDSA", ED, ED.signature, true],
    ["ES256 with a changed signature", "ES256", P256, changed(P256.signature), false],
    ["Ed25519 with a changed signature", "Ed25519", ED, changed(ED.signature), false],
    ["a signature cut short", "ES256", P256, P256.signature.subarray(1), false],
    ["no signature", "ES256", P256, new Uint8Array(0), false],
    ["an algorithm of another curve", "ES256", P384, P384.signature, false],
    ["a curve that is not ours", "ES512", P521, P521.signature, false],
  ])("verifies %s", async (_name, alg, { key }, signature, wanted) => {
    expect(await c.verify(alg, key, DATA, signature)).toBe(wanted);
  });

  const rsa = (modulusLength: number) => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
    return {
      spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
      signature: new Uint8Array(sign("sha256", DATA, privateKey)),
    };
  };
  const RSA = rsa(2048);
  const p256Spki = spkiOf(P256.key);
  it.each<[string, Uint8Array, Uint8Array, boolean]>([
    ["what was signed", RSA.spki, RSA.signature, true],
    ["a changed signature", RSA.spki, changed(RSA.signature), false],
    ["no signature", RSA.spki, new Uint8Array(0), false],
    ["a key of 1024 bits", ...(Object.values(rsa(1024)) as [Uint8Array, Uint8Array]), false],
    ["a key that is no RSA key", p256Spki, P256.signature, false],
    ["octets that are no key", DATA, RSA.signature, false],
  ])("RS256: %s", async (_name, spki, signature, wanted) => {
    expect(await c.verifyRs256?.(spki, DATA, signature)).toBe(wanted);
  });

  it("answers false where the runtime lacks an algorithm", async () => {
    const lacking = webCrypto({
      importKey: () => Promise.reject(new Error("NotSupportedError")),
      verify: () => Promise.reject(new Error("NotSupportedError")),
    });
    expect(await lacking.verify("Ed25519", ED.key, DATA, ED.signature)).toBe(false);
  });

  it("imports a key once", async () => {
    let imports = 0;
    const counting = webCrypto({
      importKey: () => Promise.resolve({ imports: (imports += 1) }),
      verify: () => Promise.resolve(true),
    });
    await Promise.all(
      [1, 2, 3].map(() => counting.verify("ES256", P256.key, DATA, P256.signature)),
    );
    expect(imports).toBe(1);
  });

  it.each<[string, Jwk, boolean]>([
    ["a point of P-256", P256.key, true],
    ["a point of P-384", P384.key, true],
    ["an Ed25519 key", ED.key, true],
    ["P-521, which is not ours", P521.key, false],
    ["a point off P-256", { kty: "EC", crv: "P-256", x: octets(32, 7), y: octets(32, 7) }, false],
    ["a point off P-384", { kty: "EC", crv: "P-384", x: octets(48, 7), y: octets(48, 7) }, false],
    ["zero", { kty: "EC", crv: "P-256", x: octets(32, 0), y: octets(32, 0) }, false],
    [
      "coordinates over p",
      { kty: "EC", crv: "P-256", x: octets(32, 255), y: octets(32, 255) },
      false,
    ],
    ["a short Ed25519 key", { kty: "OKP", crv: "Ed25519", x: octets(31, 1) }, false],
    ["no base64url", { kty: "OKP", crv: "Ed25519", x: "!" }, false],
  ])("knows whether a key is one: %s", (_name, key, wanted) => {
    expect(c.isValidKey(key)).toBe(wanted);
  });
});

describe("rememberingCrypto", () => {
  const counting = (): { readonly asked: () => number; readonly crypto: typeof c } => {
    let asked = 0;
    const verify: typeof c.verify = (...given) => {
      asked += 1;
      return c.verify(...given);
    };
    return { asked: () => asked, crypto: { ...c, verify } };
  };

  it("asks once for a signature that fits, and each time for one that does not", async () => {
    const { asked, crypto } = counting();
    const remembering = rememberingCrypto(crypto, 10);
    for (const signature of [
      P256.signature,
      P256.signature,
      changed(P256.signature),
      changed(P256.signature),
    ])
      await remembering.verify("ES256", P256.key, DATA, signature);
    expect(asked()).toBe(3);
  });

  it.each<[string, SignatureAlgorithm, Jwk, Uint8Array, Uint8Array]>([
    ["data", "ES256", P256.key, utf8("other"), P256.signature],
    ["key", "ES256", ec("P-256", "sha256").key, DATA, P256.signature],
    ["algorithm", "ES384", P256.key, DATA, P256.signature],
    ["signature", "ES256", P256.key, DATA, changed(P256.signature)],
  ])("remembers nothing of another %s", async (_name, alg, key, data, signature) => {
    const remembering = rememberingCrypto(c, 10);
    expect(await remembering.verify("ES256", P256.key, DATA, P256.signature)).toBe(true);
    expect(await remembering.verify(alg, key, data, signature)).toBe(false);
  });

  it("forgets the oldest to make room", async () => {
    const { asked, crypto } = counting();
    const remembering = rememberingCrypto(crypto, 1);
    await remembering.verify("ES256", P256.key, DATA, P256.signature);
    await remembering.verify("Ed25519", ED.key, DATA, ED.signature);
    await remembering.verify("ES256", P256.key, DATA, P256.signature);
    expect(asked()).toBe(3);
  });
});
