import { describe, expect, it } from "vitest";
import {
  base64url,
  canonicalBytes,
  challengeOf,
  concat,
  fromBase64url,
  fromUtf8,
  jwkOfSpki,
  fromBase64,
  readRegistration,
  utf8,
  verifyAssertion,
} from "@countersign/core";
import type { Jwk } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { verifyRegistration } from "../../packages/server/src/webauthn/library.ts";
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
  readonly credentialId: string;
  readonly registration: { readonly clientDataJSON: string; readonly attestationObject: string };
  readonly assertion: Made;
  readonly noUserVerification: Made;
}

const wire = (made: Made) => ({
  a: made.authenticatorData,
  c: made.clientDataJSON,
  s: made.signature,
});

/** The registration of the vectors, as it is read and as a page posts it. */
function registrationOf({ registration, rpId, origin, credentialId }: WebauthnVectors) {
  const obj = fromBase64url(registration.attestationObject);
  const cd = fromBase64url(registration.clientDataJSON);
  return {
    challenge: "A".repeat(43),
    pages: { rpId, origins: [origin] },
    posted: { obj, cd },
    wire: { id: credentialId, transports: [], ...registration },
  };
}

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
    it("WebAuthn 7.1: the registration is read, and verifies as a whole; its key made the assertion", async () => {
      const { v, input } = load();
      const { challenge, pages, posted, wire: credential } = registrationOf(v);
      expect(challengeOf(posted.cd, pages)).toBe(challenge);
      expect(readRegistration(nodeCrypto, posted, { challenge, pages })).toEqual({
        fmt: "none",
        key: input.key.jwk,
        credentialId: fromBase64url(v.credentialId),
        aaguid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
        counter: 1,
        backupEligible: true,
        backedUp: true,
      });
      expect((await verifyRegistration(credential, { challenge, pages })).credentialId).toBe(
        v.credentialId,
      );
    });
    it("WebAuthn 7.1: the registration is refused of another challenge, page or ceremony", async () => {
      const { v } = load();
      const { challenge, pages, posted, wire: credential } = registrationOf(v);
      const of = { challenge, pages };
      const rows = [
        [{ ...of, challenge: "B".repeat(43) }, "challenge_mismatch"],
        [{ ...of, pages: { ...pages, origins: [] } }, "origin_mismatch"],
        [{ ...of, pages: { ...pages, rpId: "example.com" } }, "origin_mismatch"],
      ] as const;
      for (const [other, code] of rows) {
        expect(await outcome(() => readRegistration(nodeCrypto, posted, other))).toBe(code);
        expect(await outcome(() => verifyRegistration(credential, other))).toBe(
          "signature_invalid",
        );
      }
      const cd = fromBase64url(v.assertion.clientDataJSON);
      const asserted = { ...posted, cd };
      expect(await outcome(() => readRegistration(nodeCrypto, asserted, of))).toBe(
        "signature_invalid",
      );
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
