import { createECDH } from "node:crypto";
import { decrypt } from "http_ece";
import { importJWK, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { base64url, fromBase64url, utf8 } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { encryptPush, ephemeralKey } from "../../packages/server/src/push/encrypt.ts";
import { applicationServerKey, vapidAuthorization } from "../../packages/server/src/push/vapid.ts";
import { seededRandom, START } from "../../packages/server/src/world.testing.ts";

const random = seededRandom("push");

function browser(): {
  readonly to: Parameters<typeof encryptPush>[2];
  read(body: Uint8Array): string;
} {
  const privateKey = createECDH("prime256v1");
  privateKey.generateKeys();
  const auth = random(16);
  return {
    to: { p256dh: new Uint8Array(privateKey.getPublicKey()), auth },
    read: (body) =>
      decrypt(Buffer.from(body), {
        version: "aes128gcm",
        privateKey,
        authSecret: Buffer.from(auth),
      }).toString("utf8"),
  };
}

describe("http_ece", () => {
  it.each([
    ["nothing", "", 64],
    ["a word", "mailer", 64],
    ["all that fits", "a".repeat(64), 64],
    ["as much as a record holds", "a".repeat(4079), 4079],
    ["letters of more octets than one", "für Ärger – 邮件", 512],
  ])("reads %s as it was encrypted", (_name, text, padded) => {
    const { to, read } = browser();
    const secrets = { salt: random(16), ephemeral: ephemeralKey() };
    expect(read(encryptPush(utf8(text), padded, to, secrets))).toBe(text);
  });

  it("refuses it for another browser, and after any change", () => {
    const [one, other] = [browser(), browser()];
    const secrets = { salt: random(16), ephemeral: ephemeralKey() };
    const body = encryptPush(utf8("mailer"), 64, one.to, secrets);
    expect(() => other.read(body)).toThrow();
    for (const at of [0, 15, 30, 90, body.length - 1]) {
      const changed = body.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => one.read(changed)).toThrow();
    }
  });
});

describe("jose", () => {
  it("takes the token of a message at its push service, and nowhere else", async () => {
    const signer = generateSigner();
    const contact = "mailto:ops@example.org";
    const endpoint = "https://push.example.com:8443/send/secret";
    const authorization = await vapidAuthorization({ signer, contact }, endpoint, START);
    const [, token = "", k = ""] =
      /^vapid t=([A-Za-z0-9_.-]+), k=([A-Za-z0-9_-]+)$/.exec(authorization) ?? [];
    const point = fromBase64url(k);
    expect(point).toEqual(applicationServerKey(signer));
    const [x, y] = [base64url(point.subarray(1, 33)), base64url(point.subarray(33))];
    const key = await importJWK({ kty: "EC", crv: "P-256", x, y }, "ES256");
    const at = (audience: string, seconds: number): Promise<unknown> =>
      jwtVerify(token, key, { audience, typ: "JWT", currentDate: new Date(seconds * 1000) });
    const { payload } = await jwtVerify(token, key, {
      audience: "https://push.example.com:8443",
      currentDate: new Date(START * 1000),
    });
    expect(payload).toEqual({
      aud: "https://push.example.com:8443",
      exp: START + 43_200,
      sub: contact,
    });
    expect(token).not.toContain("secret");
    await expect(at("https://push.example.com", START)).rejects.toThrow("aud");
    await expect(at("https://push.example.com:8443", START + 43_201)).rejects.toThrow("exp");
  });
});
