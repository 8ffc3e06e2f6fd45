import { generateKeyPairSync } from "node:crypto";
import { lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generatePrivateKey, nodeCrypto, publicJwkOf } from "./crypto.ts";
import { writePrivateFile, writePublicFile } from "./files.ts";
import { loadOrCreateSigner, loadPrivateKey, privateKeyToPem, savePrivateKey } from "./keys.ts";
import { codeOf } from "./refusal.testing.ts";

let home = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cs-"));
});
afterEach(() => rm(home, { recursive: true }));

describe("loadOrCreateSigner", () => {
  it.each(["P-256", "Ed25519"] as const)("makes a %s key once, for us alone", async (kind) => {
    const [first, second] = await Promise.all([
      loadOrCreateSigner(home, "wit", kind),
      loadOrCreateSigner(home, "wit", kind),
    ]);
    expect(second.key).toEqual(first.key);
    expect((await lstat(join(home, "wit.pem"))).mode & 0o777).toBe(0o600);
    const data = Uint8Array.of(1, 2, 3);
    const signature = await second.sign(data);
    expect(await nodeCrypto.verify(first.alg, first.key, data, signature)).toBe(true);
  });

  const pem = (key = generatePrivateKey("P-256")): string => privateKeyToPem(key);
  const { privateKey: p384 } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { privateKey: x25519 } = generateKeyPairSync("x25519");
  const encrypted = generatePrivateKey("P-256").export({
    format: "pem",
    type: "pkcs8",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const rows: [string, (path: string) => Promise<void>, string][] = [
    ["its key", (path) => writePrivateFile(path, pem()), "ok"],
    ["a key that others can read", (path) => writePublicFile(path, pem()), "private_mode"],
    ["another curve", (path) => writePrivateFile(path, pem(p384)), "signer_unsuitable"],
    [
      "another kind",
      (path) => writePrivateFile(path, pem(generatePrivateKey("Ed25519"))),
      "signer_unsuitable",
    ],
    [
      "a key that does not sign",
      (path) => writePrivateFile(path, pem(x25519)),
      "signer_unsuitable",
    ],
    [
      "an encrypted key",
      (path) => writePrivateFile(path, encrypted.toString()),
      "signer_unsuitable",
    ],
    ["no key", (path) => writePrivateFile(path, "x"), "signer_unsuitable"],
    ["nothing in it", (path) => writePrivateFile(path, ""), "signer_unsuitable"],
    ["too much", (path) => writePrivateFile(path, "x".repeat(20_000)), "too_large"],
  ];
  it.each(rows)("with %s in the file", async (_name, prepare, code) => {
    await prepare(join(home, "wit.pem"));
    expect(await codeOf(() => loadOrCreateSigner(home, "wit", "P-256"))).toBe(code);
  });

  it.each(["../wit", "", "a/b", "WIT", ".wit"])("takes no name like %j", async (name) => {
    await expect(loadOrCreateSigner(home, name, "P-256")).rejects.toThrow(TypeError);
  });
});

describe("a private key in a file", () => {
  it("comes back", async () => {
    const key = generatePrivateKey("P-256");
    const path = join(home, "k.pem");
    await savePrivateKey(path, key);
    const found = await loadPrivateKey(path);
    expect(found === undefined ? undefined : publicJwkOf(found)).toEqual(publicJwkOf(key));
  });

  it("is undefined where there is none", async () => {
    expect(await loadPrivateKey(join(home, "k.pem"))).toBeUndefined();
  });
});
