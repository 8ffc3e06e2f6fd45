import { readFileSync } from "node:fs";
import {
  SettingsService,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { beforeAll, describe, expect, it } from "vitest";
import {
  base64url,
  fromBase64url,
  judgeAttestation,
  pemEncode,
  readStatement,
  thumbprint,
  verifyAssertion,
} from "@countersign/core";
import type { Assertion, Attestation, Jwk } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import {
  AT,
  coseOf,
  makeMaker,
  registrationOf,
  writeCbor,
} from "../../packages/core/src/attestation/authenticator.testing.ts";
import type {
  CertificateOtherwise,
  RegistrationOtherwise,
} from "../../packages/core/src/attestation/authenticator.testing.ts";
import { makeChain, rsaHand } from "../../packages/core/src/attestation/maker.testing.ts";
import { PAGES } from "../../packages/core/src/consent/authenticator.testing.ts";
import { vectors, vectorsPresent } from "../conformance/vectors.ts";

interface Pages {
  readonly rpId: string;
  readonly origins: readonly string[];
}

/** `yes` where it verifies; it throws, or says so, where it does not. */
async function saysYes(
  judge: () => Promise<{ readonly verified: boolean }>,
): Promise<"yes" | "no"> {
  try {
    return (await judge()).verified ? "yes" : "no";
  } catch {
    return "no";
  }
}

/** What @simplewebauthn/server says of an assertion over a challenge. */
function judgeThere({ a, c, s }: Assertion, jwk: Jwk, challenge: string, pages: Pages) {
  const id = base64url(new Uint8Array(16).fill(9));
  return saysYes(() =>
    verifyAuthenticationResponse({
      response: {
        id,
        rawId: id,
        type: "public-key",
        clientExtensionResults: {},
        response: { authenticatorData: a, clientDataJSON: c, signature: s },
      },
      expectedChallenge: challenge,
      expectedOrigin: [...pages.origins],
      expectedRPID: pages.rpId,
      requireUserVerification: true,
      credential: { id, publicKey: Uint8Array.from(writeCbor(coseOf(jwk))), counter: 0 },
    }),
  );
}

interface Vector {
  readonly name: string;
  readonly statement: string;
  readonly sig: Assertion;
  readonly key: { readonly jwk: Jwk };
  readonly simplewebauthn?: "yes" | "no";
}
interface Published {
  readonly consent: { readonly rp_id: string; readonly origin: string };
  readonly vectors: readonly Vector[];
}

describe("@simplewebauthn/server judges the vectors that we publish", () => {
  const file = new URL("../vectors/owner/vectors.json", import.meta.url);
  const published = JSON.parse(readFileSync(file, "utf8")) as Published; // as its generator writes it
  const pages = { rpId: published.consent.rp_id, origins: [published.consent.origin] };
  const rows = published.vectors.filter((row) => row.simplewebauthn !== undefined);
  it.each(rows.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const { cs } = readStatement(nodeCrypto, fromBase64url(row.statement));
    const challenge = cs.slice("sha-256:".length);
    expect(await judgeThere(row.sig, row.key.jwk, challenge, pages)).toBe(row.simplewebauthn);
  });
});

interface Made {
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}
interface BrowserVectors {
  readonly challenge: string;
  readonly rpId: string;
  readonly origin: string;
  readonly publicKeyJwk: Jwk;
  readonly registration: { readonly clientDataJSON: string; readonly attestationObject: string };
  readonly assertion: Made;
  readonly noUserVerification: Made;
}

describe.skipIf(!vectorsPresent).each(["webauthn-es256", "webauthn-ed25519"])(
  "@simplewebauthn/server and we say the same of vectors owner/%s.json",
  (name) => {
    const load = () => {
      const v = vectors<BrowserVectors>(`owner/${name}.json`);
      return { v, pages: { rpId: v.rpId, origins: [v.origin] } };
    };
    const wire = (made: Made): Assertion => ({
      a: made.authenticatorData,
      c: made.clientDataJSON,
      s: made.signature,
    });
    const judgeHere = (assertion: Assertion, jwk: Jwk, challenge: string, pages: Pages) =>
      saysYes(async () => {
        const key = { jwk, app: pages.rpId };
        const given = { assertion, challenge: fromBase64url(challenge), pages, key };
        await verifyAssertion(nodeCrypto, given);
        return { verified: true };
      });

    it.each([
      ["as it was made", {}, "yes"],
      ["without user verification", { made: "noUserVerification" }, "no"],
      ["of another challenge", { challenge: "A".repeat(43) }, "no"],
      ["of another page", { origins: ["http://localhost:8444"] }, "no"],
      ["of another RP ID", { rpId: "example.org" }, "no"],
    ] as const)("%s", async (_name, change: object, wanted) => {
      const { v, pages } = load();
      const given = { made: "assertion", challenge: v.challenge, ...pages, ...change } as const;
      const assertion = wire(given.made === "assertion" ? v.assertion : v.noUserVerification);
      const judged = { rpId: given.rpId, origins: given.origins };
      expect(await judgeThere(assertion, v.publicKeyJwk, given.challenge, judged)).toBe(wanted);
      expect(await judgeHere(assertion, v.publicKeyJwk, given.challenge, judged)).toBe(wanted);
    });

    it("the key in the registration is the vector's, and nobody attests it", async () => {
      const { v, pages } = load();
      const att = {
        fmt: "none",
        obj: fromBase64url(v.registration.attestationObject),
        cd: fromBase64url(v.registration.clientDataJSON),
      };
      const jkt = thumbprint(nodeCrypto, v.publicKeyJwk);
      const context = { jkt, pages, roots: [], at: AT };
      expect(await judgeAttestation(nodeCrypto, att, context)).toEqual({ result: "none" });
      expect(await registeredThere(att, base64url(new Uint8Array(32)), pages)).toBe("yes");
    });
  },
);

/** What @simplewebauthn/server says of a registration. */
function registeredThere(att: Attestation, challenge: string, pages: Pages) {
  const id = base64url(new Uint8Array(16).fill(9));
  return saysYes(() =>
    verifyRegistrationResponse({
      response: {
        id,
        rawId: id,
        type: "public-key",
        clientExtensionResults: {},
        response: { attestationObject: base64url(att.obj), clientDataJSON: base64url(att.cd) },
      },
      expectedChallenge: challenge,
      expectedOrigin: [...pages.origins],
      expectedRPID: pages.rpId,
      requireUserVerification: true,
    }),
  );
}

/** The challenge of a registration that was just made. */
function challengeIn({ cd }: Attestation): string {
  return (JSON.parse(Buffer.from(cd).toString()) as { readonly challenge: string }).challenge;
}

type Row = readonly [string, RegistrationOtherwise, CertificateOtherwise, "yes" | "no"];

describe("@simplewebauthn/server and we say the same of packed attestations", () => {
  const { key } = generateSigner();
  const jkt = thumbprint(nodeCrypto, key);
  let strangersRoot = "";
  beforeAll(async () => {
    strangersRoot = pemEncode("CERTIFICATE", (await makeMaker()).root);
  });

  const bothSay = async (
    otherwise: RegistrationOtherwise,
    certificate: CertificateOtherwise,
    isTrusted = true,
  ): Promise<readonly [string, string]> => {
    // it looks at the clock of the machine
    const maker = await makeMaker({ validSeconds: 20 * 365 * 86_400, ...certificate });
    const root = isTrusted ? pemEncode("CERTIFICATE", maker.root) : strangersRoot;
    SettingsService.setRootCertificates({ identifier: "packed", certificates: [root] });
    const att = await registrationOf(key, maker, otherwise);
    const roots = isTrusted ? [maker.root] : [];
    const here = await judgeAttestation(nodeCrypto, att, { jkt, pages: PAGES, roots, at: AT });
    const there = await registeredThere(att, challengeIn(att), PAGES);
    return [here.result === "verified" ? "yes" : "no", there];
  };

  it.each<Row>([
    ["as an authenticator makes it", {}, {}, "yes"],
    ["without AAGUID in the certificate", {}, { aaguid: "none" }, "yes"],
    ["of another make", { aaguid: new Uint8Array(16) }, {}, "no"],
    ["for another RP ID", { rpId: "example.com" }, {}, "no"],
    ["without touch", { flags: 0x44 }, {}, "no"],
    ["without PIN or finger", { flags: 0x41 }, {}, "no"],
    ["with a signature cut", { signature: (usual) => usual.subarray(1) }, {}, "no"],
    ["by a certificate of another unit", {}, { subject: { unit: "Sales" } }, "no"],
    ["by a certificate without country", {}, { subject: { country: "" } }, "no"],
  ])("%s", async (_name, otherwise, certificate, wanted) => {
    expect(await bothSay(otherwise, certificate)).toEqual([wanted, wanted]);
  });

  it("under a root that signs with RSA", async () => {
    const signer = generateSigner();
    const years = { notBefore: AT - 20 * 365 * 86_400, notAfter: AT + 20 * 365 * 86_400 };
    const parts = [years, { ...years, hand: rsaHand() }];
    const [certificate = new Uint8Array(0), root = certificate] = await makeChain(signer, parts);
    const trusted = [pemEncode("CERTIFICATE", root)];
    SettingsService.setRootCertificates({ identifier: "packed", certificates: trusted });
    const att = await registrationOf(key, { certificate, signer });
    const context = { jkt, pages: PAGES, roots: [root], at: AT };
    expect((await judgeAttestation(nodeCrypto, att, context)).result).toBe("verified");
    expect(await registeredThere(att, challengeIn(att), PAGES)).toBe("yes");
  });

  it("by a maker whose root is not configured", async () => {
    expect(await bothSay({}, {}, false)).toEqual(["no", "no"]);
  });
});
