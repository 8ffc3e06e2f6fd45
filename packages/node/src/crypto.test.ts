import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { hex, spkiOf, utf8 } from "@countersign/core";
import type { Jwk, Signer } from "@countersign/core";
import {
  generatePrivateKey,
  generateSigner,
  nodeCrypto,
  nodeRandom,
  privateKeyFromPem,
  publicJwkOf,
  randomName,
  signerOf,
} from "./crypto.ts";
import { privateKeyToPem } from "./keys.ts";

const data = utf8("abc");

describe("hashes", () => {
  it("of FIPS 180-2 appendix B.1 and C.1", () => {
    expect(hex(nodeCrypto.sha256(data))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(hex(nodeCrypto.sha512(data)).slice(0, 32)).toBe("ddaf35a193617abacc417349ae204131");
  });
});

describe("verifyRs256", () => {
  const rsa = (modulusLength: number): readonly [spki: Uint8Array, signature: Uint8Array] => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
    const spki = publicKey.export({ format: "der", type: "spki" });
    return [new Uint8Array(spki), new Uint8Array(sign("sha256", data, privateKey))];
  };
  const [spki, signature] = rsa(2048);
  const other = signature.map((octet, i) => (i === 9 ? octet ^ 1 : octet));
  const p256 = spkiOf(generateSigner().key);
  it.each<[string, Uint8Array, Uint8Array, boolean]>([
    ["what was signed", spki, signature, true],
    ["a changed signature", spki, other, false],
    ["no signature", spki, new Uint8Array(0), false],
    ["a key of 1024 bits", ...rsa(1024), false],
    ["a key that is no RSA key", p256, signature, false],
    ["octets that are no key", data, signature, false],
  ])("%s", async (_name, key, signed, wanted) => {
    expect(await nodeCrypto.verifyRs256?.(key, data, signed)).toBe(wanted);
  });
});

describe("verify", () => {
  it("of RFC 8037 appendix A.4", async () => {
    const key: Jwk = {
      kty: "OKP",
      crv: "Ed25519",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    };
    const d = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const signer = signerOf(createPrivateKey({ key: { ...key, d }, format: "jwk" }));
    const input = utf8("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
    const signature = await signer.sign(input);
    expect(Buffer.from(signature).toString("base64url")).toBe(
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    expect(await nodeCrypto.verify("EdDSA", key, input, signature)).toBe(true);
  });

  const curve = (namedCurve: string): Signer =>
    signerOf(generateKeyPairSync("ec", { namedCurve }).privateKey);
  const p256 = generateSigner();
  const ed = generateSigner("Ed25519");
  const signers: [string, Signer][] = [
    ["P-256", p256],
    ["P-384", curve("P-384")],
    ["P-521", curve("P-521")],
    ["Ed25519", ed],
  ];
  it.each(signers)("%s: what was signed, and no change of it", async (_name, signer) => {
    const { key, alg } = signer;
    const signature = await signer.sign(data);
    const changed = Uint8Array.from(signature, (octet, i) => (i === 40 ? octet ^ 1 : octet));
    const judge = (octets: Uint8Array, over = data): Promise<boolean> =>
      nodeCrypto.verify(alg, key, over, octets);
    expect(await judge(signature)).toBe(true);
    expect(await judge(changed)).toBe(false);
    expect(await judge(signature, utf8("abd"))).toBe(false);
    expect(await judge(signature.slice(1))).toBe(false);
    expect(await judge(new Uint8Array([...signature, 0]))).toBe(false);
    expect(await judge(new Uint8Array())).toBe(false);
  });

  it.each([
    ["an algorithm of another curve", "ES384", p256.key],
    ["an algorithm of another type", "Ed25519", p256.key],
    ["a point off its curve", "ES256", { ...p256.key, y: "A".repeat(43) }],
    ["coordinates that are none", "ES256", { ...p256.key, x: "!" }],
  ] as const)("is false for %s, and never throws", async (_name, alg, key) => {
    const signature = await p256.sign(data);
    const hostile: Jwk = key;
    expect(await nodeCrypto.verify(alg, hostile, data, signature)).toBe(false);
  });

  it("takes no DER in place of r and s", async () => {
    const key = generatePrivateKey("P-256");
    const der = new Uint8Array(sign("sha256", data, key));
    expect(await nodeCrypto.verify("ES256", publicJwkOf(key), data, der)).toBe(false);
  });
});

describe("isValidKey", () => {
  const { key } = generateSigner();
  it.each([
    ["a point", key, true],
    ["a point off its curve", { ...key, y: "A".repeat(43) }, false],
    ["the point at infinity", { ...key, x: "A".repeat(43), y: "A".repeat(43) }, false],
  ] as const)("%s", (_name, candidate, wanted) => {
    const hostile: Jwk = candidate;
    expect([nodeCrypto.isValidKey(hostile), nodeCrypto.isValidKey(hostile)]).toEqual([
      wanted,
      wanted,
    ]);
  });
});

describe("keys", () => {
  it("have exactly the public members of their type", () => {
    expect(Object.keys(publicJwkOf(generatePrivateKey("P-256")))).toEqual(["kty", "crv", "x", "y"]);
    expect(Object.keys(publicJwkOf(generatePrivateKey("Ed25519")))).toEqual(["kty", "crv", "x"]);
  });

  it.each([
    ["RSA", () => generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey],
    ["X25519", () => generateKeyPairSync("x25519").privateKey],
    ["secp256k1", () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey],
  ])("of other kinds are refused: %s", (_name, make) => {
    expect(() => signerOf(make())).toThrow(TypeError);
  });

  it("come back from PEM", () => {
    const key = generatePrivateKey("P-256");
    expect(publicJwkOf(privateKeyFromPem(privateKeyToPem(key)))).toEqual(publicJwkOf(key));
  });
});

describe("random", () => {
  it("octets as many as asked for; names of 22 characters", () => {
    expect(nodeRandom(7)).toHaveLength(7);
    expect(randomName()).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(randomName()).not.toBe(randomName());
  });
});

describe("nodeRandom", () => {
  it.each([0, 1, 16, 1024, 1025, 5000])("gives %d octets of its own", (byteCount) => {
    const taken = nodeRandom(byteCount);
    expect(taken.length).toBe(byteCount);
    expect(taken.byteOffset).toBe(0); // no view of what others are given
  });

  it("never gives the same again, across fills", () => {
    const seen = new Set(Array.from({ length: 2000 }, () => nodeRandom(16).join(".")));
    expect(seen.size).toBe(2000);
  });
});
