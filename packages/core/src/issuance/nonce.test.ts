import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64url, base64url } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { NOW, PROXY } from "./attested.testing.ts";
import { checkNonce, makeNonce } from "./nonce.ts";
import type { Mac } from "./nonce.ts";

const macOf =
  (key: string): Mac =>
  (data) =>
    new Uint8Array(createHmac("sha256", key).update(data).digest());
const mac = macOf("this server");
const random = (byteCount: number): Uint8Array => new Uint8Array(byteCount).fill(7);
const nonce = makeNonce(mac, random, PROXY, NOW);

describe("the nonce", () => {
  it.each<readonly [string, string, string, Mac, number, string]>([
    ["as made", nonce, PROXY, mac, NOW, "accepted"],
    ["at the end of its life", nonce, PROXY, mac, NOW + 120, "accepted"],
    ["old", nonce, PROXY, mac, NOW + 121, "nonce_expired"],
    ["a second early", nonce, PROXY, mac, NOW - 1, "accepted"],
    ["of the future", nonce, PROXY, mac, NOW - 2, "nonce_expired"],
    ["of another proxy", nonce, `${PROXY}0`, mac, NOW, "nonce_unknown"],
    ["of another server", nonce, PROXY, macOf("another server"), NOW, "nonce_unknown"],
    ["cut", nonce.slice(0, -4), PROXY, mac, NOW, "nonce_unknown"],
    ["longer", `${nonce}AAAA`, PROXY, mac, NOW, "nonce_unknown"],
    ["empty", "", PROXY, mac, NOW, "nonce_unknown"],
    ["no base64url", "!".repeat(54), PROXY, mac, NOW, "nonce_unknown"],
  ])("%s → %#", async (_name, text, proxy, by, now, code) => {
    expect(await outcomeOf(() => checkNonce(by, text, proxy, now))).toBe(code);
  });

  it("any one bit changed is refused", async () => {
    const octets = fromBase64url(nonce);
    await fc.assert(
      fc.asyncProperty(fc.nat(octets.length * 8 - 1), async (bit) => {
        const changed = octets.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(await outcomeOf(() => checkNonce(mac, base64url(changed), PROXY, NOW))).toBe(
          "nonce_unknown",
        );
      }),
    );
  });
});
