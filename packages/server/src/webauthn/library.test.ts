import { SettingsService } from "@simplewebauthn/server";
import { expect, it } from "vitest";
import { creationOptions } from "./library.ts";

const ROOTED = ["android-key", "android-safetynet", "apple", "mds"] as const;
const rootsNow = (): readonly number[] =>
  ROOTED.map((identifier) => SettingsService.getRootCertificates({ identifier }).length);

it("believes no maker's root that the library brings: behind one it would fetch what a certificate names", async () => {
  await creationOptions({
    pages: { rpId: "consent.example.org", origins: ["https://consent.example.org"] },
    rpName: "example.org",
    userName: "alice",
    userId: new Uint8Array(32),
    challenge: new Uint8Array(32),
    known: [],
  });
  expect(rootsNow()).toEqual([0, 0, 0, 0]);
});
