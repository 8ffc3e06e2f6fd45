import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Refusal, verifyOwnerSignature } from "@countersign/core";
import { generatePrivateKey, nodeCrypto, publicJwkOf } from "@countersign/node";
import { isPem, openPemKey, readPemKey } from "./pem-key.ts";

const p256 = generatePrivateKey("P-256");
const edwards = generatePrivateKey("Ed25519");
const ec = (namedCurve: string): KeyObject => generateKeyPairSync("ec", { namedCurve }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

const pem = (key: KeyObject, type: "pkcs8" | "sec1" | "pkcs1" = "pkcs8"): string =>
  key.export({ format: "pem", type }).toString();
const encrypted = (type: "pkcs8" | "sec1"): string =>
  p256
    .export({ format: "pem", type, cipher: "aes-256-cbc", passphrase: "a passphrase" })
    .toString();
const publicPem = (key: KeyObject, type: "spki" | "pkcs1" = "spki"): string =>
  createPublicKey(key).export({ format: "pem", type }).toString();

/** What `openssl ecparam -genkey` writes before the key. */
const PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

describe("a PEM key of an owner", () => {
  const statement = new TextEncoder().encode('{"a":1}');

  it.each([
    ["PKCS#8, P-256", pem(p256), p256],
    ["PKCS#8, Ed25519", pem(edwards), edwards],
    ["SEC1, P-256", pem(p256, "sec1"), p256],
    ["SEC1 with its parameters before it", PARAMETERS + pem(p256, "sec1"), p256],
    ["with lines that end as on Windows", pem(p256).replaceAll("\n", "\r\n"), p256],
    ["behind its public key, in one file", publicPem(p256) + pem(p256), p256],
    ["below words of another program", `Bag Attributes\n${pem(p256)}`, p256],
  ])("signs JWS: %s", async (_name, text, secret) => {
    expect(isPem(text)).toBe(true);
    const { key, comment, sign } = openPemKey("/keys/alice.pem", text);
    expect([key, comment]).toEqual([{ jwk: publicJwkOf(secret) }, "alice.pem"]);
    const signature = await sign(statement);
    const input = { statementBytes: statement, signature, key };
    expect(await verifyOwnerSignature(nodeCrypto, input)).toMatchObject({ kind: "jws" });
  });

  it.each([
    ["P-256", p256],
    ["Ed25519", edwards],
  ])("shows the public part: %s", (_name, secret) => {
    expect(readPemKey("a.pub", publicPem(secret))).toEqual({ jwk: publicJwkOf(secret) });
  });

  it.each<readonly [string, string, string, RegExp]>([
    ["encrypted PKCS#8", encrypted("pkcs8"), "key_unsupported", /-pubout .* --print/],
    ["encrypted SEC1", encrypted("sec1"), "key_unsupported", /-pubout .* --print/],
    ["a public key alone", publicPem(p256), "key_unsupported", /--print/],
    ["RSA", pem(rsa), "key_unsupported", /openssl genpkey -algorithm EC/],
    ["RSA, PKCS#1", pem(rsa, "pkcs1"), "key_unsupported", /openssl genpkey -algorithm EC/],
    ["an RSA public key", publicPem(rsa), "key_unsupported", /openssl genpkey -algorithm EC/],
    ["an RSA public key, PKCS#1", publicPem(rsa, "pkcs1"), "key_unsupported", /genpkey/],
    ["P-384", pem(ec("P-384")), "key_unsupported", /P-256/],
    ["secp256k1", pem(ec("secp256k1")), "key_unsupported", /P-256/],
    ["Ed448", pem(generateKeyPairSync("ed448").privateKey), "key_unsupported", /ed25519/],
    ["X25519", pem(generateKeyPairSync("x25519").privateKey), "key_unsupported", /ed25519/],
    [
      "a block that is no key",
      pem(p256).replace(/\n[^-]{9}/, "\nAAAAAAAAA"),
      "invalid_key",
      /genpkey/,
    ],
    ["parameters alone", PARAMETERS, "invalid_key", /genpkey/],
    ["a block without its end", pem(p256).slice(0, 80), "invalid_key", /genpkey/],
  ])("refused: %s", (_name, text, code, next) => {
    let problem: unknown;
    try {
      openPemKey("k.pem", text);
    } catch (refusal) {
      problem = refusal;
    }
    if (!(problem instanceof Refusal)) throw problem;
    expect(problem.code).toBe(code);
    expect(problem.next).toMatch(next);
    expect(problem.message).not.toMatch(/MIG|MHc|passphrase/);
  });
});
