import { describe, expect, it } from "vitest";
import {
  base64url,
  canonicalBytes,
  concat,
  fromBase64url,
  fromUtf8,
  jwkOfSpki,
  fromBase64,
  utf8,
  verifyAssertion,
} from "@countersign/core";
import type { Jwk } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { outcome } from "./consent-fixture.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

interface Made {
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}
interface WebauthnVectors {
  readonly domain: string;
  readonly document: object;
  readonly jcs: string;
  readonly challenge: string;
  readonly rpId: string;
  readonly origin: string;
  readonly publicKeyJwk: Jwk;
  readonly publicKeySpki: string;
  readonly registration: { readonly clientDataJSON: string };
  readonly assertion: Made;
  readonly noUserVerification: Made;
}

const wire = (made: Made) => ({
  a: made.authenticatorData,
  c: made.clientDataJSON,
  s: made.signature,
});

describe.skipIf(!vectorsPresent).each(["webauthn-es256", "webauthn-ed25519"])(
  "vectors owner/%s.json: what Chromium's authenticator signed",
  (name) => {
    const load = () => {
      const v = vectors<WebauthnVectors>(`owner/${name}.json`);
      const jcs = canonicalBytes(v.document);
      const challenge = nodeCrypto.sha256(concat(utf8(v.domain), Uint8Array.of(0), jcs));
      const pages = { rpId: v.rpId, origins: [v.origin] };
      const key = { jwk: v.publicKeyJwk, app: v.rpId };
      return { v, jcs, input: { assertion: wire(v.assertion), challenge, pages, key } };
    };

    it("WebAuthn 7.2: is accepted, with counter and backup flags told", async () => {
      const { v, jcs, input } = load();
      expect([fromUtf8(jcs), base64url(input.challenge)]).toEqual([v.jcs, v.challenge]);
      expect(await verifyAssertion(nodeCrypto, input)).toEqual({
        counter: 2,
        backupEligible: true,
        backedUp: true,
      });
      expect(jwkOfSpki(fromBase64(v.publicKeySpki))).toEqual(v.publicKeyJwk);
    });
    it("is refused without user verification, of another challenge, page or ceremony", async () => {
      const { v, input } = load();
      const judge = (change: object) =>
        outcome(() => verifyAssertion(nodeCrypto, { ...input, ...change }));
      expect(await judge({ assertion: wire(v.noUserVerification) })).toBe("user_not_verified");
      expect(await judge({ challenge: fromBase64url("A".repeat(43)) })).toBe("challenge_mismatch");
      expect(await judge({ pages: { rpId: v.rpId, origins: [] } })).toBe("origin_mismatch");
      const c = v.registration.clientDataJSON;
      expect(await judge({ assertion: { ...input.assertion, c } })).toBe("signature_invalid");
    });
  },
);
