import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, concat, utf8 } from "../bytes.ts";
import { FLAG } from "../consent/authenticator-data.ts";
import { PAGES } from "../consent/authenticator.testing.ts";
import { outcomeOf } from "../outcome.testing.ts";
import type { RefusalCode } from "../refusal.ts";
import { AAGUID, coseOf, makeMaker, registrationOf, writeCbor } from "./authenticator.testing.ts";
import type { RegistrationOtherwise } from "./authenticator.testing.ts";
import type { Cbor } from "./cbor.ts";
import { challengeOf, readRegistration } from "./registration.ts";

const SIGNERS = { ES256: generateSigner("P-256"), Ed25519: generateSigner("Ed25519") };
const CHALLENGE = base64url(new Uint8Array(32).fill(3));
const USUAL = FLAG.UP | FLAG.UV | FLAG.AT;
const maker = await makeMaker();

type Row = readonly [
  name: string,
  otherwise: RegistrationOtherwise,
  wanted: RefusalCode | "accepted",
];
const MALFORMED = "malformed_request";
const ROWS: readonly Row[] = [
  ["as an authenticator makes it", {}, "accepted"],
  [
    "without attestation",
    { object: (o) => o.set("fmt", "none").set("attStmt", new Map()) },
    "accepted",
  ],
  ["in a format that is not judged here", { object: (o) => o.set("fmt", "tpm") }, "accepted"],
  ["eligible for backup", { flags: USUAL | FLAG.BE }, "accepted"],
  ["over another challenge", { client: { challenge: "A".repeat(43) } }, "challenge_mismatch"],
  [
    "over a challenge with padding",
    { client: { challenge: `${CHALLENGE}=` } },
    "challenge_mismatch",
  ],
  ["over no challenge", { client: { challenge: undefined } }, "challenge_mismatch"],
  ["over a challenge that is a number", { client: { challenge: 3 } }, "challenge_mismatch"],
  [
    "at another origin",
    { client: { origin: "https://consent.example.com.evil.test" } },
    "origin_mismatch",
  ],
  ["inside another page", { client: { crossOrigin: true } }, "origin_mismatch"],
  ["as an assertion", { client: { type: "webauthn.get" } }, "signature_invalid"],
  ["for another RP ID", { rpId: "example.com" }, "origin_mismatch"],
  ["without touch", { flags: FLAG.UV | FLAG.AT }, "user_not_present"],
  ["without PIN or finger", { flags: FLAG.UP | FLAG.AT }, "user_not_verified"],
  ["backed up, not eligible", { flags: USUAL | FLAG.BS }, "signature_invalid"],
  ["of no key", { flags: FLAG.UP | FLAG.UV }, MALFORMED],
  [
    "of an RSA key",
    {
      cose: new Map<number, Cbor>([
        [1, 3],
        [3, -257],
        [-1, AAGUID],
        [-2, AAGUID],
      ]),
    },
    "key_unsupported",
  ],
  ["of a key for ES384", { cose: coseWith(3, -35) }, "key_unsupported"],
  ["of a key on another curve", { cose: coseWith(-1, 2) }, "key_unsupported"],
  ["with octets at the end", { octets: (usual) => concat(usual, Uint8Array.of(0)) }, MALFORMED],
  ["with a member more", { object: (o) => o.set("ep", true) }, MALFORMED],
  ["with a number for a format", { object: (o) => o.set("fmt", 1) }, MALFORMED],
  ["with text for authenticator data", { object: (o) => o.set("authData", "A") }, MALFORMED],
  ["over 8192 octets", { object: (o) => o.set("attStmt", new Uint8Array(8192)) }, MALFORMED],
];

function coseWith(name: number, value: Cbor): Cbor {
  return new Map([...(coseOf(SIGNERS.ES256.key) as ReadonlyMap<number, Cbor>), [name, value]]); // as the writer makes it
}

describe.each(Object.entries(SIGNERS))("a registration of an %s key", (_alg, { key }) => {
  const made = (otherwise: RegistrationOtherwise): ReturnType<typeof registrationOf> =>
    registrationOf(key, maker, {
      ...otherwise,
      client: { challenge: CHALLENGE, ...otherwise.client },
    });

  it.each(ROWS)("%s → $2", async (_name, otherwise, wanted) => {
    const posted = await made(otherwise);
    const read = (): unknown => readRegistration(c, posted, { challenge: CHALLENGE, pages: PAGES });
    expect(await outcomeOf(read)).toBe(wanted);
  });

  it("tells key, credential, make, counter and whether it may be copied", async () => {
    const flags = USUAL | FLAG.BE | FLAG.BS;
    const posted = await made({ flags });
    expect(challengeOf(posted.cd, PAGES)).toBe(CHALLENGE);
    expect(readRegistration(c, posted, { challenge: CHALLENGE, pages: PAGES })).toEqual({
      fmt: "packed",
      key,
      credentialId: new Uint8Array(16).fill(9),
      aaguid: "01020304-0506-0708-090a-0b0c0d0e0f10",
      counter: 1,
      backupEligible: true,
      backedUp: true,
    });
  });
});

it("client data that are none have no challenge", async () => {
  for (const octets of [new Uint8Array(0), utf8("[]"), writeCbor("A")])
    expect(await outcomeOf(() => challengeOf(octets, PAGES))).toBe("signature_invalid");
});
