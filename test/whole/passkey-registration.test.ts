import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FLAG } from "../../packages/core/src/consent/authenticator.testing.ts";
import { AAGUID, coseOf } from "../../packages/core/src/attestation/authenticator.testing.ts";
import { base64url, fromBase64url, spkiOf, thumbprint } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import { makeRig, textOf } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import {
  beginRegistration,
  BOUND,
  credentialOf,
  ELIGIBLE,
  enrolPasskey,
  PAGES,
  Passkey,
  register,
  SYNCED,
} from "./passkey.ts";
import type { PasskeyOtherwise } from "./passkey.ts";

const signer = generateSigner();
const other = generateSigner();
const INVALID = "signature_invalid";
const MALFORMED = "malformed_request";

let rig: Rig;
beforeEach(async () => (rig = await makeRig()));
afterEach(() => rig.close());

it("is asked for with what we demand of an authenticator", async () => {
  const begin = { json: { name: "alice" } };
  const { body } = await rig.call("admin", "POST /v1/owner/keys/webauthn/options", begin);
  expect(body["options"]).toMatchObject({
    rp: { id: PAGES.rpId, name: "example.org" },
    user: { name: "alice" },
    pubKeyCredParams: [
      { type: "public-key", alg: -8 },
      { type: "public-key", alg: -7 },
    ],
    attestation: "direct",
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    excludeCredentials: [],
    timeout: 300_000,
  });
  expect(body["expires_at"]).toBe(rig.now() + 300);
  const { challenge } = body["options"] as JsonObject;
  expect(fromBase64url(textOf(challenge))).toHaveLength(32);
  expect(await beginRegistration(rig)).not.toBe(challenge);
});

it("names the passkeys that the owner has, so that no authenticator makes a second one", async () => {
  await enrolPasskey(rig);
  await enrolOwner(rig, "alice");
  const begin = { json: { name: "alice" } };
  const { body } = await rig.call("admin", "POST /v1/owner/keys/webauthn/options", begin);
  const { excludeCredentials, user } = body["options"] as JsonObject;
  const id = base64url(new Uint8Array(16).fill(9));
  expect(excludeCredentials).toEqual([{ id, transports: ["internal"], type: "public-key" }]);
  expect(JSON.stringify(user)).not.toContain("urn:agent-owner");
});

type Row = readonly [name: string, otherwise: PasskeyOtherwise, word: string];
const AT = FLAG.AT;
const response = (change: JsonObject): PasskeyOtherwise => ({ response: change });
const ROWS: readonly Row[] = [
  ["attested by its maker", {}, "200"],
  ["attested by the key itself", { attestation: "self" }, "200"],
  ["without attestation", { attestation: "none" }, "200"],
  ["that may be copied", { flags: ELIGIBLE | AT }, "200"],
  ["that was copied", { flags: SYNCED | AT }, "200"],
  ["without the page's word on the key", { response: { publicKey: undefined as never } }, "200"],
  // client data
  ["over another challenge", { client: { challenge: "A".repeat(43) } }, "challenge_mismatch"],
  ["without a challenge", { client: { challenge: undefined } }, "challenge_mismatch"],
  ["at another origin", { client: { origin: "https://evil.test" } }, "origin_mismatch"],
  ["at another port", { client: { origin: `${PAGES.origins[0]}:8443` } }, "origin_mismatch"],
  ["inside another page", { client: { crossOrigin: true } }, "origin_mismatch"],
  ["of another ceremony", { client: { type: "webauthn.get" } }, INVALID],
  // authenticator data
  ["for another RP ID", { rpId: "example.org" }, "origin_mismatch"],
  ["without PIN or finger", { flags: FLAG.UP | AT }, "user_not_verified"],
  ["without touch", { flags: FLAG.UV | AT }, "user_not_present"],
  ["backed up, and not eligible for it", { flags: BOUND | FLAG.BS | AT }, INVALID],
  ["without a key", { flags: BOUND }, MALFORMED],
  ["with octets after the key", { tail: Uint8Array.of(0) }, MALFORMED],
  // the key
  ["with RS256", { cose: new Map([...coseMap(), [3, -257]]) }, "key_unsupported"],
  ["with ES384", { cose: new Map([...coseMap(), [3, -35]]) }, "key_unsupported"],
  [
    "of which the page says another key",
    response({ publicKey: base64url(spkiOf(other.key)) }),
    INVALID,
  ],
  ["of which the page says no key", response({ publicKey: "AAAA" }), "invalid_key"],
  // the attestation statement
  ["of another maker's key", { cose: coseOf(other.key), attestation: "self" }, INVALID],
  ["with a signature changed", { signature: flipped }, INVALID],
  ["with an algorithm that is none", { statement: (usual) => usual.set("alg", 0) }, INVALID],
  ["of another make than its certificate", { aaguid: AAGUID.toReversed() }, INVALID],
  ["in a format that nobody knows", { object: (usual) => usual.set("fmt", "house") }, INVALID],
  ["none, with a statement", { object: (usual) => usual.set("fmt", "none") }, INVALID],
  ["in an object that is no CBOR", { octets: () => Uint8Array.of(0xff) }, MALFORMED],
  // the credential around it
  ["of another credential id", { page: { id: "AAAA", rawId: "AAAA" } }, INVALID],
  ["with two ids", { page: { rawId: "AAAA" } }, MALFORMED],
  ["of another type", { page: { type: "password" } }, MALFORMED],
  ["with a member that nobody knows", { page: { more: 1 } }, MALFORMED],
  ["with a response's member that nobody knows", response({ more: 1 }), MALFORMED],
  ["with a transport in words", response({ transports: ["By Air"] }), MALFORMED],
];

function coseMap(): Map<number, never> {
  return coseOf(signer.key) as unknown as Map<number, never>;
}
function flipped(usual: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(usual);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  return changed;
}

describe("a passkey", () => {
  it.each(ROWS)("%s → $2", async (_name, otherwise, word) => {
    const challenge = await beginRegistration(rig);
    const posted = await credentialOf(signer, challenge, otherwise);
    expect((await register(rig, JSON.parse(JSON.stringify(posted)) as JsonObject)).word).toBe(word);
  });

  it.each<readonly [string, (challenge: string) => Promise<string>, string]>([
    [
      "begun for another owner",
      async (challenge) => {
        await beginRegistration(rig, "bob");
        return (await register(rig, await credentialOf(signer, challenge), "bob")).word;
      },
      "challenge_mismatch",
    ],
    [
      "299 seconds later",
      async (challenge) => {
        rig.advance(299);
        return (await register(rig, await credentialOf(signer, challenge))).word;
      },
      "200",
    ],
    [
      "300 seconds later",
      async (challenge) => {
        rig.advance(300);
        return (await register(rig, await credentialOf(signer, challenge))).word;
      },
      "approval_expired",
    ],
    [
      "a day later, when the ceremony is forgotten",
      async (challenge) => {
        rig.advance(86_400);
        const { sweep } = await import("../../packages/server/src/cases/expire.ts");
        await sweep(rig.world);
        return (await register(rig, await credentialOf(signer, challenge))).word;
      },
      "challenge_mismatch",
    ],
    [
      "a second time over one challenge",
      async (challenge) => {
        await register(rig, await credentialOf(signer, challenge));
        return (await register(rig, await credentialOf(other, challenge))).word;
      },
      "replayed",
    ],
    [
      "of a key that is known already",
      async (challenge) => {
        await enrolPasskey(rig, BOUND, { key: signer });
        return (await register(rig, await credentialOf(signer, challenge))).word;
      },
      "key_reused",
    ],
  ])("%s → %#", async (_name, act, word) => {
    expect(await act(await beginRegistration(rig))).toBe(word);
  });

  it("of which ten are posted at once over one challenge makes one statement", async () => {
    const challenge = await beginRegistration(rig);
    const posted = await credentialOf(signer, challenge);
    const all = await Promise.all(Array.from({ length: 10 }, () => register(rig, posted)));
    const words = all.map(({ word }) => word).toSorted();
    expect(words).toEqual(["200", ...Array.from({ length: 9 }, () => "replayed")].toSorted());
  });

  it("is for a person: an owner that is a device has none", async () => {
    const device = { name: "robot", kind: "device", jwk: generateSigner().key };
    await rig.call("admin", "POST /v1/owner/keys/options", { json: device });
    const begin = { json: { name: "robot" } };
    const { word } = await rig.call("admin", "POST /v1/owner/keys/webauthn/options", begin);
    expect(word).toBe("name_taken");
  });

  it("is enrolled by no other way: a key alone says nothing of an authenticator", async () => {
    const json = { name: "alice", kind: "person", jwk: signer.key, app: PAGES.rpId };
    const { word } = await rig.call("admin", "POST /v1/owner/keys/options", { json });
    expect(word).toBe("key_unsupported");
  });

  it.each(["registration", "owner", "owners", "keyOwner"] as const)(
    "of which the store cannot read %s now is taken later",
    async (method) => {
      let isFailing = false;
      const losing = await makeRig({
        wrap: (store) => faulty(store, method, "lost-before", () => isFailing),
      });
      const posted = await credentialOf(signer, await beginRegistration(losing));
      isFailing = true;
      expect((await register(losing, posted)).word).toBe("indeterminate");
      isFailing = false;
      expect((await register(losing, posted)).word).toBe("200");
      await losing.close();
    },
  );

  it.each(["lost-before", "lost-after"] as const)(
    "whose commit is %s: the challenge makes one statement or none, and one begins again",
    async (loss) => {
      let isFailing = false;
      const losing = await makeRig({
        wrap: (store) => faulty(store, "commit", loss, () => isFailing),
      });
      const posted = await credentialOf(signer, await beginRegistration(losing));
      isFailing = true;
      expect((await register(losing, posted)).word).toBe("indeterminate");
      isFailing = false;
      const again = loss === "lost-before" ? "200" : "replayed";
      expect((await register(losing, posted)).word).toBe(again);
      await enrolPasskey(losing, BOUND, { key: signer });
      await losing.close();
    },
  );
});

type Second = readonly [string, (passkey: Passkey) => void, string];
describe("its key statement, signed in a second ceremony", () => {
  it.each<Second>([
    ["as the authenticator makes it", () => undefined, "200"],
    ["copied meanwhile", (p) => (p.flags = SYNCED), "200"],
    ["not eligible any more", (p) => (p.flags = BOUND), INVALID],
    ["with the counter of the registration", (p) => (p.counter = 1), "counter_regressed"],
    ["with no counter any more", (p) => (p.counter = 0), "counter_regressed"],
    ["without PIN or finger", (p) => (p.flags = ELIGIBLE & ~FLAG.UV), "user_not_verified"],
    [
      "at another origin",
      (p) => (p.otherwise = { client: { origin: "https://evil.test" } }),
      "origin_mismatch",
    ],
    ["for another RP ID", (p) => (p.otherwise = { rpId: "example.org" }), "origin_mismatch"],
    [
      "over another statement",
      (p) => (p.otherwise = { client: { challenge: "A".repeat(43) } }),
      "challenge_mismatch",
    ],
  ])("%s → $2", async (_name, change, word) => {
    const challenge = await beginRegistration(rig);
    const posted = await credentialOf(signer, challenge, { flags: ELIGIBLE | AT });
    const statement = textOf((await register(rig, posted)).body["jcs"]);
    const passkey = new Passkey(rig, "", signer);
    passkey.flags = ELIGIBLE;
    change(passkey);
    const sig = await passkey.sign(fromBase64url(statement));
    const json = { statement, sig, comment: "" };
    expect((await rig.call("admin", "POST /v1/owner/keys", { json })).word).toBe(word);
  });

  it("by another key is none", async () => {
    const taken = await register(rig, await credentialOf(signer, await beginRegistration(rig)));
    const statement = textOf(taken.body["jcs"]);
    const sig = await new Passkey(rig, "", signer).sign(fromBase64url(statement), other);
    const json = { statement, sig, comment: "" };
    expect((await rig.call("admin", "POST /v1/owner/keys", { json })).word).toBe(INVALID);
  });
});

describe("what is kept of it", () => {
  const keysOf = async (): Promise<readonly JsonObject[]> => {
    const { body } = await rig.call("admin", "GET /v1/owners");
    const owners = body["owners"] as readonly { keys: readonly JsonObject[] }[]; // as the server says it
    return owners.flatMap(({ keys }) => keys);
  };

  it.each([
    ["synced_passkey", SYNCED, true, true],
    ["synced_passkey", ELIGIBLE, true, false],
    ["device_bound_passkey", BOUND, false, false],
  ] as const)(
    "%s: make, credential and whether it may be copied",
    async (heldBy, flags, be, bs) => {
      const { jkt } = await enrolPasskey(rig, flags, { key: signer });
      expect(jkt).toBe(thumbprint(c, signer.key));
      expect(await keysOf()).toMatchObject([
        {
          jkt,
          app: PAGES.rpId,
          software: false,
          held_by: heldBy,
          comment: "phone",
          authenticator: {
            fmt: "packed",
            aaguid: "01020304-0506-0708-090a-0b0c0d0e0f10",
            credential_id: base64url(new Uint8Array(16).fill(9)),
            transports: ["internal"],
            backup_eligible: be,
            backed_up: bs,
          },
        },
      ]);
      const row = await rig.world.store.ownerKey(jkt);
      expect(row?.authenticator).toMatchObject({ fmt: "packed", counter: 1 });
      expect(row?.counter).toBe(2);
    },
  );

  it("the log says which make, in a record without the key", async () => {
    await enrolPasskey(rig, SYNCED);
    const log = (await rig.world.store.logRows(0, 10)).at(-1);
    expect(log?.type).toBe("key.added");
    const record = new TextDecoder().decode(log?.record);
    expect(JSON.parse(record)).toMatchObject({
      authenticator: {
        fmt: "packed",
        aaguid: "01020304-0506-0708-090a-0b0c0d0e0f10",
        backup_eligible: true,
        backed_up: true,
      },
    });
  });
});
