import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, concat, utf8 } from "../bytes.ts";
import type { Jwk, Signer } from "../crypto.ts";
import { outcomeOf } from "../outcome.testing.ts";
import type { RefusalCode } from "../refusal.ts";
import { assertionOf, FLAG, PAGES } from "./authenticator.testing.ts";
import type { Otherwise } from "./authenticator.testing.ts";
import { verifyOwnerSignature } from "./owner-signature.ts";
import type { OwnerPublicKey, WebauthnSignature } from "./owner-signature.ts";

const STATEMENT = utf8('{"typ":"agent-consent/1"}');
const SIGNERS = { ES256: generateSigner("P-256"), Ed25519: generateSigner("Ed25519") };
const UP_UV = FLAG.UP | FLAG.UV;
const EMPTY_MAP = Uint8Array.of(0xa0);

function verify(
  signature: WebauthnSignature,
  key: OwnerPublicKey,
  pages: typeof PAGES | undefined = PAGES,
) {
  const input = { statementBytes: STATEMENT, signature, key };
  return verifyOwnerSignature(c, pages === undefined ? input : { ...input, pages });
}
const keyOf = ({ key }: Signer): OwnerPublicKey => ({ jwk: key, app: PAGES.rpId });

type Row = readonly [name: string, otherwise: Otherwise, wanted: RefusalCode | "accepted"];
const INVALID = "signature_invalid";
const ROWS: readonly Row[] = [
  ["as a browser makes it", {}, "accepted"],
  // client data
  [
    "with a member that the browser added",
    { client: { other_keys_can_be_added_here: "do not compare" } },
    "accepted",
  ],
  ["without crossOrigin", { client: { crossOrigin: undefined } }, "accepted"],
  ["made at enrolment", { client: { type: "webauthn.create" } }, INVALID],
  ["of a payment", { client: { type: "payment.get" } }, INVALID],
  ["over another challenge", { client: { challenge: "A".repeat(43) } }, "challenge_mismatch"],
  ["over a shorter challenge", { client: { challenge: "" } }, "challenge_mismatch"],
  ["without a challenge", { client: { challenge: undefined } }, "challenge_mismatch"],
  ["a challenge with padding", { client: { challenge: `${"A".repeat(43)}=` } }, INVALID],
  [
    "at an origin that ends like ours",
    { client: { origin: "https://consent.example.com.evil.test" } },
    "origin_mismatch",
  ],
  ["at our host on http", { client: { origin: "http://consent.example.com" } }, "origin_mismatch"],
  ["at another port", { client: { origin: `${PAGES.origins[0]}:8443` } }, "origin_mismatch"],
  ["at our origin with a slash", { client: { origin: `${PAGES.origins[0]}/` } }, "origin_mismatch"],
  ["without an origin", { client: { origin: undefined } }, "origin_mismatch"],
  ["inside another page", { client: { crossOrigin: true } }, "origin_mismatch"],
  ["crossOrigin as text", { client: { crossOrigin: "false" } }, "origin_mismatch"],
  ["topOrigin, its own", { client: { topOrigin: PAGES.origins[0] } }, "origin_mismatch"],
  [
    "with origin twice",
    { text: (usual) => usual.replace("{", '{"origin":"https://evil.test",') },
    INVALID,
  ],
  [
    "with origin twice, once escaped",
    { text: (usual) => usual.replace("{", String.raw`{"\u006frigin":"https://evil.test",`) },
    INVALID,
  ],
  ["client data that are no object", { text: () => "[]" }, INVALID],
  ["client data with a byte order mark", { text: (usual) => `\uFEFF${usual}` }, INVALID],
  ["client data over 4096 octets", { client: { pad: "A".repeat(4096) } }, INVALID],
  // authenticator data
  ["of another RP ID", { rpId: "example.com" }, "origin_mismatch"],
  ["without touch", { flags: FLAG.UV }, "user_not_present"],
  ["without PIN or finger", { flags: FLAG.UP }, "user_not_verified"],
  ["with neither", { flags: 0 }, "user_not_present"],
  ["eligible for backup", { flags: UP_UV | FLAG.BE }, "accepted"],
  ["backed up", { flags: UP_UV | FLAG.BE | FLAG.BS }, "accepted"],
  ["backed up, not eligible", { flags: UP_UV | FLAG.BS }, INVALID],
  ["with a reserved bit", { flags: UP_UV | 0x22 }, "accepted"],
  ["with a key inside", { flags: UP_UV | FLAG.AT, tail: new Uint8Array(60) }, INVALID],
  ["with octets after its end", { tail: EMPTY_MAP }, INVALID],
  ["with extension data", { flags: UP_UV | FLAG.ED, tail: EMPTY_MAP }, "accepted"],
  ["extension data that are not there", { flags: UP_UV | FLAG.ED }, INVALID],
  [
    "extension data that are no map",
    { flags: UP_UV | FLAG.ED, tail: Uint8Array.of(0x80) },
    INVALID,
  ],
  [
    "extension data over 1024 octets",
    { flags: UP_UV | FLAG.ED, tail: concat(EMPTY_MAP, new Uint8Array(1024)) },
    INVALID,
  ],
  ["one octet short", { authenticatorData: (usual) => usual.subarray(0, 36) }, INVALID],
  ["authenticator data of no octets", { authenticatorData: () => new Uint8Array(0) }, INVALID],
  // signature
  ["a signature that is longer", { signature: (usual) => concat(usual, EMPTY_MAP) }, INVALID],
  ["a signature that is shorter", { signature: (usual) => usual.subarray(1) }, INVALID],
  ["no signature", { signature: () => new Uint8Array(0) }, INVALID],
];

describe.each(Object.entries(SIGNERS))("WebAuthn %s: an assertion", (_alg, signer) => {
  it.each(ROWS)("%s", async (_name, otherwise, wanted) => {
    const signature = await assertionOf(signer, STATEMENT, otherwise);
    expect(await outcomeOf(() => verify(signature, keyOf(signer)))).toBe(wanted);
  });
  it.each<readonly [string, OwnerPublicKey, RefusalCode]>([
    ["another key", keyOf(generateSigner(signer.key.kty === "EC" ? "P-256" : "Ed25519")), INVALID],
    [
      "a key of the other algorithm",
      keyOf(generateSigner(signer.key.kty === "EC" ? "Ed25519" : "P-256")),
      INVALID,
    ],
    ["a software key that wrote the flags itself", { jwk: signer.key }, INVALID],
    ["a security key of SSH", { jwk: signer.key, app: "ssh:" }, INVALID],
    ["a credential of another RP ID", { jwk: signer.key, app: "example.com" }, INVALID],
  ])("of %s is refused", async (_name, key, wanted) => {
    const signature = await assertionOf(signer, STATEMENT);
    expect(await outcomeOf(() => verify(signature, key))).toBe(wanted);
  });
  it("is refused where no consent page is configured", async () => {
    const signature = await assertionOf(signer, STATEMENT);
    const input = { statementBytes: STATEMENT, signature, key: keyOf(signer) };
    expect(await outcomeOf(() => verifyOwnerSignature(c, input))).toBe("origin_mismatch");
  });
  it("tells counter and backup flags", async () => {
    const flags = UP_UV | FLAG.BE | FLAG.BS;
    const signature = await assertionOf(signer, STATEMENT, { flags, counter: 0xffffffff });
    expect(await verify(signature, keyOf(signer))).toEqual({
      kind: "webauthn",
      userPresent: true,
      userVerified: true,
      counter: 0xffffffff,
      backup: { eligible: true, done: true },
    });
  });
  it("with any one octet changed is refused", async () => {
    const whole = await assertionOf(signer, STATEMENT);
    for (const name of ["a", "c", "s"] as const)
      for (let at = 0; at < whole[name].length - 1; at += 1) {
        const other = whole[name][at] === "A" ? "B" : "A";
        const changed = whole[name].slice(0, at) + other + whole[name].slice(at + 1);
        const got = await outcomeOf(() => verify({ ...whole, [name]: changed }, keyOf(signer)));
        expect([name, at, got]).not.toEqual([name, at, "accepted"]);
      }
  });
});

it.each<readonly [string, (der: Uint8Array) => Uint8Array]>([
  ["r ‖ s", () => new Uint8Array(64).fill(1)],
  ["a long length", (der) => concat(Uint8Array.of(0x30, 0x81, der[1] ?? 0), der.subarray(2))],
  [
    "a padded r",
    (der) => {
      const r = der.subarray(4, 4 + (der[3] ?? 0));
      const rest = der.subarray(4 + r.length);
      const padded = concat(Uint8Array.of(0x02, r.length + 1, 0), r, rest);
      return concat(Uint8Array.of(0x30, padded.length), padded);
    },
  ],
  ["a negative r", () => Uint8Array.of(0x30, 6, 2, 1, 0x80, 2, 1, 1)],
  [
    "a third number",
    (der) =>
      concat(Uint8Array.of(0x30, (der[1] ?? 0) + 3), der.subarray(2), Uint8Array.of(2, 1, 1)),
  ],
])("WebAuthn ES256: a signature that is not strict DER is refused: %s", async (_name, change) => {
  const signature = await assertionOf(SIGNERS.ES256, STATEMENT, { signature: change });
  expect(await outcomeOf(() => verify(signature, keyOf(SIGNERS.ES256)))).toBe(INVALID);
});

it("WebAuthn with P-384 is no algorithm of ours", async () => {
  const x = base64url(new Uint8Array(48));
  const jwk: Jwk = { kty: "EC", crv: "P-384", x, y: x };
  const signature = await assertionOf(SIGNERS.ES256, STATEMENT);
  const got = await outcomeOf(() => verify(signature, { jwk, app: PAGES.rpId }));
  expect(got).toBe("key_unsupported");
});
