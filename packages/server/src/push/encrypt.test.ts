import { createECDH } from "node:crypto";
import { describe, expect, it } from "vitest";
import { base64url, fromBase64url, utf8 } from "@countersign/core";
import { outcomeOf } from "./outcome.testing.ts";
import { encryptPush, ephemeralKey } from "./encrypt.ts";
import type { FreshSecrets, PushKeys } from "./encrypt.ts";

/** RFC 8291 5 and appendix A. */
const EXAMPLE = {
  plaintext: "When I grow up, I want to be a watermelon",
  to: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  from: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  salt: "DGv6ra1nlYgDCS1FRnbzlw",
  message:
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
} as const;

const TO: PushKeys = {
  p256dh: fromBase64url(EXAMPLE.to),
  auth: fromBase64url(EXAMPLE.auth),
};
function fixed(): FreshSecrets {
  const ephemeral = createECDH("prime256v1");
  ephemeral.setPrivateKey(fromBase64url(EXAMPLE.from));
  return { salt: fromBase64url(EXAMPLE.salt), ephemeral };
}

describe("a push message", () => {
  it("is that of RFC 8291, appendix A, octet for octet", () => {
    const plaintext = utf8(EXAMPLE.plaintext);
    const message = encryptPush(plaintext, plaintext.length, TO, fixed());
    expect(base64url(message)).toBe(EXAMPLE.message);
  });

  it("has a length that says nothing of what it says", () => {
    const lengths = ["", "a", "a".repeat(200)].map(
      (text) => encryptPush(utf8(text), 200, TO, fixed()).length,
    );
    expect(new Set(lengths)).toEqual(new Set([21 + 65 + 200 + 1 + 16]));
  });

  it("shares neither key nor salt with another one", () => {
    const salt = new Uint8Array(16);
    const of = (): string =>
      base64url(
        encryptPush(utf8("a"), 16, TO, { salt, ephemeral: ephemeralKey() }).subarray(21, 86),
      );
    expect(of()).not.toBe(of());
  });

  type Row = readonly [string, number, number, Partial<PushKeys>, string];
  const ROWS: readonly Row[] = [
    ["as long as its padding", 200, 200, {}, "accepted"],
    ["longer than its padding", 201, 200, {}, "too_large"],
    ["as long as a record", 4079, 4079, {}, "accepted"],
    ["longer than a record", 10, 4080, {}, "too_large"],
    ["to a point off the curve", 1, 16, { p256dh: new Uint8Array(65).fill(4) }, "invalid_key"],
    ["to half a point", 1, 16, { p256dh: TO.p256dh.subarray(0, 64) }, "invalid_key"],
    ["to the point at infinity", 1, 16, { p256dh: new Uint8Array(1) }, "invalid_key"],
  ];
  it.each(ROWS)("%s", (_name, length, padded, change, wanted) => {
    const attempt = (): unknown =>
      encryptPush(new Uint8Array(length), padded, { ...TO, ...change }, fixed());
    expect(outcomeOf(attempt)).toBe(wanted);
  });
});
