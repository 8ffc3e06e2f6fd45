import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fromBase64url, INVITATION_SECONDS, thumbprint } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto } from "../../packages/node/src/index.ts";
import { before } from "../../packages/server/src/cases/scene.testing.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { enrolSecurityKey } from "../../packages/server/src/security-key.testing.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import { makeRig, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig, RigOptions } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf, signIn } from "./console-page.ts";
import { ceremonies, CONSOLE, keysOf, recordsOf, step } from "./invited.ts";
import type { Begun } from "./invited.ts";
import { credentialOf } from "./passkey.ts";

const INVALID = "invitation_invalid";
const USED = "invitation_used";

let rig: Rig;
/** Robin began in the terminal. */
let old: Owner;
async function begin(options: RigOptions = {}): Promise<void> {
  rig = await makeRig({ config: CONSOLE, ...options });
  old = await enrolOwner(rig, "robin");
}
afterEach(() => rig.close());

const invite = (coSigner = old.jkt, name = "robin"): Promise<Answered> =>
  rig.call("admin", "POST /v1/owner/invitations", { json: { name, co_signer: coSigner } });

/** What was offered with a code, and what an administrator's terminal sees of it. */
interface Offered extends Begun {
  readonly code: string;
  readonly id: string;
  readonly answer: Answered;
}
async function offered(): Promise<Offered> {
  const { body, word } = await invite();
  expect(word).toBe("200");
  const code = textOf(body["code"]);
  const begun = await ceremonies(rig, code);
  const answer = await step(rig, "key", code, begun.signed);
  return { ...begun, code, id: textOf(body["id"]), answer };
}
const seen = async (id: string): Promise<JsonObject> =>
  (await rig.call("admin", `GET /v1/owner/invitations/${id}`)).body;
const state = async ({ code, passkey }: Offered, jkt = passkey.jkt): Promise<unknown> => {
  const { body, word } = await step(rig, "state", code, { jkt });
  return body["state"] ?? word;
};
async function coSign(
  { id, signed }: Offered,
  by: Owner = old,
  more: { readonly jkt?: string; readonly statement?: string } = {},
): Promise<Answered> {
  const sig = await by.sign(fromBase64url(more.statement ?? signed.statement));
  const json = { jkt: more.jkt ?? by.jkt, sig };
  return rig.call("admin", `POST /v1/owner/invitations/${id}/co-signature`, { json });
}
const decline = ({ id }: Offered): Promise<Answered> =>
  rig.call("admin", `POST /v1/owner/invitations/${id}/decline`, { json: {} });
const live = async (): Promise<readonly unknown[]> =>
  (await keysOf(rig, "robin"))
    .filter((key) => key["removed_at"] === undefined)
    .map((k) => k["jkt"]);
const suspended = async (): Promise<readonly unknown[]> =>
  (await keysOf(rig, "robin"))
    .filter((key) => key["suspended_at"] !== undefined)
    .map((k) => k["jkt"]);

describe("a passkey of an owner who has a key", () => {
  beforeEach(() => begin());

  it("waits, enrolled in nothing, until that key signs for it; then it signs in", async () => {
    const one = await offered();
    expect(one.answer.status).toBe(202);
    expect(one.answer.body).toEqual({
      state: "waiting",
      jkt: one.passkey.jkt,
      co_signer: old.jkt,
      expires_at: rig.now() + 600,
    });
    expect(await live()).toEqual([old.jkt]);
    expect((await signIn(rig, one.passkey)).word).toBe("sign_in_failed");
    expect(await state(one)).toBe("waiting");
    expect(await seen(one.id)).toMatchObject({
      state: "offered",
      jkt: one.passkey.jkt,
      co_signer: old.jkt,
      jcs: one.signed.statement,
    });
    expect(await recordsOf(rig, "key.added")).toHaveLength(1);

    expect((await coSign(one)).body).toMatchObject({ jkt: one.passkey.jkt, basis: "admin" });
    expect(await state(one)).toBe("enrolled");
    expect(await seen(one.id)).toMatchObject({ state: "used", jkt: one.passkey.jkt });
    expect(await keysOf(rig, "robin")).toContainEqual(
      expect.objectContaining({ jkt: one.passkey.jkt, comment: "MacBook", co_signers: [old.jkt] }),
    );
    const [, added] = await recordsOf(rig, "key.added");
    expect(added).toMatchObject({ key: one.passkey.jkt, co_signers: [old.jkt] });
    expect(await recordsOf(rig, "admin.owner_invited")).toMatchObject([{ co_signer: old.jkt }]);
    // its owner is asked about neither: they spoke for each other
    const cookie = await sessionOf(rig, one.passkey);
    const { body } = await pageCall(rig, "GET /v1/owner/keys", { cookie });
    const known = (body["keys"] as readonly JsonObject[]).map((key) => key["known"]);
    expect(known).toEqual([true, true]);
  });

  it("tells the page who must sign for it, before anything is made", async () => {
    const { body } = await invite();
    const begun = await step(rig, "options", textOf(body["code"]));
    expect(begun.body).toMatchObject({ co_signer: old.jkt, invited_until: rig.now() + 600 });
  });

  it.each<readonly [string, () => Promise<readonly [coSigner: string, name?: string]>, string]>([
    ["no key at all", () => Promise.resolve([old.jkt, "sam"]), "key_not_enrolled"],
    ["a key that nobody knows", () => Promise.resolve(["A".repeat(43)]), "key_not_enrolled"],
    ["another person's", async () => [(await enrolOwner(rig, "sam")).jkt], "key_not_enrolled"],
    [
      "one that was removed, beside another",
      async () => {
        const second = await enrolOwner(rig, "robin", generateSigner("Ed25519"), [old]);
        await rig.call("admin", `DELETE /v1/owner/keys/${second.jkt}`);
        return [second.jkt];
      },
      "key_not_enrolled",
    ],
    [
      "one that is suspended",
      async () => {
        const fields = { suspendedAt: rig.now() };
        await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt: old.jkt, fields }] });
        return [old.jkt];
      },
      "key_suspended",
    ],
    ["no thumbprint", () => Promise.resolve(["me"]), "malformed_request"],
  ])("is not invited with %s to sign for it", async (_name, of, word) => {
    const [coSigner, name] = await of();
    const { body, word: got } = await invite(coSigner, name);
    expect([got, body["code"]]).toEqual([word, undefined]);
    const { body: listed } = await rig.call("admin", "GET /v1/owners");
    if (name === "sam") expect(JSON.stringify(listed)).not.toContain("sam");
  });

  it("is still not invited without one; the answer names the command", async () => {
    const json = { name: "robin" };
    const { word, body } = await rig.call("admin", "POST /v1/owner/invitations", { json });
    expect(word).toBe("name_taken");
    expect(body["next"]).toContain("countersign owner invite NAME --key FILE");
  });

  type Row = readonly [string, (one: Offered) => Promise<Answered>, string];
  const ROWS: readonly Row[] = [
    ["the key itself", (one) => coSign(one, one.passkey), "key_not_enrolled"],
    [
      "the new key in the old one's name",
      (one) => coSign(one, one.passkey, { jkt: old.jkt }),
      "signature_invalid",
    ],
    [
      "another person",
      async (one) => coSign(one, await enrolOwner(rig, "sam")),
      "key_not_enrolled",
    ],
    [
      "a signature over another statement",
      async (one) => {
        const offer = { name: "robin", kind: "person", jwk: generateSigner().key };
        const { body } = await rig.call("admin", "POST /v1/owner/keys/options", { json: offer });
        return coSign(one, old, { statement: textOf(body["jcs"]) });
      },
      "signature_invalid",
    ],
    [
      "a key that was removed meanwhile",
      async (one) => {
        await rig.call("admin", `DELETE /v1/owner/keys/${old.jkt}`);
        return coSign(one);
      },
      "key_not_enrolled",
    ],
    [
      "a key that was suspended meanwhile",
      async (one) => {
        const fields = { suspendedAt: rig.now() };
        await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt: old.jkt, fields }] });
        return coSign(one);
      },
      "key_suspended",
    ],
    [
      "whoever comes after ten minutes",
      (one) => {
        rig.advance(INVITATION_SECONDS);
        return coSign(one);
      },
      "approval_expired",
    ],
    [
      "whoever comes after the link was cancelled",
      async (one) => {
        expect((await step(rig, "cancel", one.code)).body).toEqual({ cancelled: true });
        return coSign(one);
      },
      "already_decided",
    ],
    [
      "whoever comes after another invitation",
      async (one) => {
        await invite();
        return coSign(one);
      },
      "not_found",
    ],
    [
      "whoever names the invitation by its hash",
      async (one) => {
        const row = await rig.world.store.invitation(one.id);
        return coSign({ ...one, id: row?.hash ?? "" });
      },
      "not_found",
    ],
  ];
  it.each(ROWS)("is not enrolled by %s", async (_name, act, word) => {
    const one = await offered();
    expect((await act(one)).word).toBe(word);
    expect(await live()).not.toContain(one.passkey.jkt);
    expect((await signIn(rig, one.passkey)).word).toBe("sign_in_failed");
  });

  it("is signed for by the key that was named, and by no other one of the owner", async () => {
    const second = await enrolOwner(rig, "robin", generateSigner("Ed25519"), [old]);
    const one = await offered();
    expect((await coSign(one, second)).word).toBe("key_not_enrolled");
    expect((await coSign(one)).word).toBe("200");
  });

  it("is no key of another owner's meanwhile", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    const signer = generateSigner();
    const { signed } = await ceremonies(rig, code, signer);
    const json = { name: "sam" };
    const other = await rig.call("admin", "POST /v1/owner/invitations", { json });
    const first = textOf(other.body["code"]);
    const { signed: earlier } = await ceremonies(rig, first, signer);
    expect((await step(rig, "key", first, earlier)).word).toBe("200");
    expect((await step(rig, "key", code, signed)).word).toBe("key_reused");
  });

  it("is neither taken nor signed for while the server holds", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    const begun = await ceremonies(rig, code);
    rig.advance(-61); // the newest leaf is of the invitation
    expect((await step(rig, "key", code, begun.signed)).word).toBe("hold");
    rig.advance(61);
    const answer = await step(rig, "key", code, begun.signed);
    expect(answer.status).toBe(202);
    rig.advance(-61);
    const one = { ...begun, code, id: textOf(body["id"]), answer };
    expect((await coSign(one)).word).toBe("hold");
    rig.advance(61);
    expect((await coSign(one)).word).toBe("200");
  });

  it("is not signed for before it was offered", async () => {
    const { body } = await invite();
    const begun = await ceremonies(rig, textOf(body["code"]));
    const one = { ...begun, code: "", id: textOf(body["id"]), answer: await invite("A") };
    expect((await coSign(one)).word).toBe("not_found");
    expect((await decline(one)).word).toBe("not_found");
    expect((await seen(one.id))["state"]).toBe("open");
  });

  it("is signed for once; who asks again hears that it is done", async () => {
    const one = await offered();
    expect((await coSign(one)).word).toBe("200");
    expect((await coSign(one)).word).toBe("replayed");
    expect((await decline(one)).word).toBe("replayed");
    expect(await suspended()).toEqual([]);
  });

  it("is dropped by a no in the terminal, which the page hears", async () => {
    const one = await offered();
    expect((await decline(one)).body).toEqual({ declined: true });
    expect(await state(one)).toBe("declined");
    expect(await seen(one.id)).toMatchObject({ state: "cancelled", cancelled_by: "terminal" });
    expect((await coSign(one)).word).toBe("already_decided");
    expect((await decline(one)).word).toBe("already_decided");
    expect((await step(rig, "key", one.code, one.signed)).word).toBe(INVALID);
    expect(await live()).toEqual([old.jkt]);
    expect(await recordsOf(rig, "owner.invitation_cancelled")).toMatchObject([
      { invitation: one.id, key: one.passkey.jkt },
    ]);
  });

  it("is dropped by the page, and over after ten minutes", async () => {
    const cancelled = await offered();
    await step(rig, "cancel", cancelled.code);
    expect(await state(cancelled)).toBe("cancelled");
    expect(await seen(cancelled.id)).toMatchObject({ cancelled_by: "page" });
    const late = await offered();
    rig.advance(INVITATION_SECONDS);
    expect(await state(late)).toBe("over");
    expect(await seen(late.id)).toMatchObject({ state: "over" });
    expect(await seen(late.id)).not.toHaveProperty("jcs");
    expect((await step(rig, "key", late.code, late.signed)).word).toBe(INVALID);
  });

  it.each(["options", "verify", "key"])(
    "is dropped by its code coming a second time: %s",
    async (what) => {
      const other = await rig.call("admin", "POST /v1/owner/invitations", {
        json: { name: "sam" },
      });
      const code = textOf(other.body["code"]);
      const strange = await ceremonies(rig, code);
      const { body } = await step(rig, "options", code);
      const { challenge } = body["options"] as JsonObject;
      const credential = await credentialOf(generateSigner(), textOf(challenge));
      const one = await offered();
      const more = { options: {}, verify: { credential }, key: strange.signed }[what];
      const answer = await step(rig, what, one.code, more);
      expect(answer.word).toBe(USED);
      expect(answer.body["next"]).toMatch(/is dropped: none was enrolled.*Tell whoever gave you/);
      expect(await state(one)).toBe("cancelled");
      expect(await seen(one.id)).toMatchObject({ state: "cancelled", cancelled_by: "twice" });
      expect((await coSign(one)).word).toBe("already_decided");
      expect(await live()).toEqual([old.jkt]);
      expect((await step(rig, "options", one.code)).word).toBe(INVALID);
    },
  );

  it("is suspended by its code coming once more, after it was signed for", async () => {
    const one = await offered();
    await coSign(one);
    expect((await step(rig, "options", one.code)).word).toBe(USED);
    expect(await suspended()).toEqual([one.passkey.jkt]);
    expect((await signIn(rig, one.passkey)).word).toBe("sign_in_failed");
  });

  it("waits on when the same statement comes twice", async () => {
    const one = await offered();
    const again = await step(rig, "key", one.code, one.signed);
    expect([again.status, again.body]).toEqual([202, one.answer.body]);
    expect(await state(one)).toBe("waiting");
  });

  it("is one, of two that are offered with one code at once, and then none", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    const [first, second] = [await ceremonies(rig, code), await ceremonies(rig, code)];
    const words = await Promise.all(
      [first, second].map(async ({ signed }) => (await step(rig, "key", code, signed)).word),
    );
    expect(words.toSorted()).toEqual(["202", USED]);
    expect(await seen(textOf(body["id"]))).toMatchObject({ cancelled_by: "twice" });
    expect(await live()).toEqual([old.jkt]);
  });

  it("is of the owner who was invited, and of no other", async () => {
    const other = await rig.call("admin", "POST /v1/owner/invitations", { json: { name: "sam" } });
    const { signed } = await ceremonies(rig, textOf(other.body["code"]));
    const { body } = await invite();
    const code = textOf(body["code"]);
    expect((await step(rig, "key", code, signed)).word).toBe("statement_invalid");
    expect((await seen(textOf(body["id"])))["state"]).toBe("open");
  });

  it("is offered with its own signature only", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    const { signed } = await ceremonies(rig, code);
    const sig = await old.sign(fromBase64url(signed.statement));
    expect((await step(rig, "key", code, { ...signed, sig })).word).toBe("key_not_enrolled");
    expect((await seen(textOf(body["id"])))["state"]).toBe("open");
  });

  it("says what became of it to nobody who does not know it, and that is no second use", async () => {
    const one = await offered();
    expect(await state(one, old.jkt)).toBe(INVALID);
    expect(await state({ ...one, code: "00000-00000" })).toBe(INVALID);
    const { body } = await invite();
    expect(await state({ ...one, code: textOf(body["code"]) })).toBe(INVALID);
    expect(await state(one)).toBe(INVALID); // another one has taken its place
  });

  it("is asked for sixty times a minute from one address, and no oftener", async () => {
    const one = await offered();
    for (let n = 0; n < 60; n += 1) expect(await state(one)).toBe("waiting");
    expect(await state(one)).toBe("rate_limited");
  });

  it("is dropped when another key of the owner is enrolled meanwhile", async () => {
    const one = await offered();
    await enrolOwner(rig, "robin", generateSigner("Ed25519"), [old]);
    expect((await coSign(one)).word).toBe("not_found");
    expect(await live()).not.toContain(one.passkey.jkt);
  });

  it("moves the counter of the security key that signs for it", async () => {
    const key = await enrolSecurityKey(rig, 5, [], "carol");
    const { body } = await invite(key.jkt, "carol");
    const code = textOf(body["code"]);
    const begun = await ceremonies(rig, code);
    const answer = await step(rig, "key", code, begun.signed);
    const one = { ...begun, code, id: textOf(body["id"]), answer };
    key.counter = 7;
    expect((await coSign(one, key)).word).toBe("200");
    expect((await rig.world.store.ownerKey(key.jkt))?.counter).toBe(7);
  });

  it("is not signed for by a security key whose counter went back, which is suspended", async () => {
    const key = await enrolSecurityKey(rig, 5, [], "carol");
    const { body } = await invite(key.jkt, "carol");
    const code = textOf(body["code"]);
    const begun = await ceremonies(rig, code);
    const answer = await step(rig, "key", code, begun.signed);
    key.counter = 4;
    const one = { ...begun, code, id: textOf(body["id"]), answer };
    expect((await coSign(one, key)).word).toBe("counter_regressed");
    expect((await rig.world.store.ownerKey(key.jkt))?.suspendedAt).toBe(rig.now());
    expect(await rig.world.store.ownerKey(begun.passkey.jkt)).toBeUndefined();
  });

  it.each([
    ["co-signature", { jkt: thumbprint(nodeCrypto, generateSigner().key) }],
    ["co-signature", { jkt: "x", sig: {} }],
    ["co-signature", { jkt: "A".repeat(43), sig: 1 }],
    ["decline", { more: 1 }],
  ])("%s with %o → malformed_request", async (what, json) => {
    const { id } = await offered();
    const path = `POST /v1/owner/invitations/${id}/${what}`;
    expect((await rig.call("admin", path, { json })).word).toBe("malformed_request");
  });
});

describe("at the moment when a key is signed for", () => {
  type Act = (one: Offered) => Promise<unknown>;
  const RACES: readonly (readonly [string, Act, string])[] = [
    [
      "its co-signer is removed",
      () => rig.call("admin", `DELETE /v1/owner/keys/${old.jkt}`),
      "stale",
    ],
    ["the link is cancelled", (one) => step(rig, "cancel", one.code), "already_decided"],
    ["the code comes again", (one) => step(rig, "options", one.code), "already_decided"],
    ["the terminal says no elsewhere", (one) => decline(one), "already_decided"],
    ["another invitation is made", () => invite(), "not_found"],
  ];
  it.each(RACES)("%s", async (_name, act, word) => {
    let one: Offered | undefined;
    const isArmed = (): boolean => one !== undefined;
    const meanwhile = async (): Promise<unknown> => (one === undefined ? undefined : act(one));
    await begin({ wrap: before("key.added", meanwhile, isArmed) });
    one = await offered();
    expect((await coSign(one)).word).toBe(word);
    expect(await live()).not.toContain(one.passkey.jkt);
  });
});

describe("an answer that was lost", () => {
  it.each(["lost-before", "lost-after"] as const)(
    "of the offer, %s: it waits once",
    async (loss) => {
      let isArmed = false;
      const once = (): boolean => isArmed && !(isArmed = false);
      await begin({ wrap: (store) => faulty(store, "commit", loss, once) });
      const { body } = await invite();
      const code = textOf(body["code"]);
      const { signed } = await ceremonies(rig, code);
      isArmed = true;
      expect((await step(rig, "key", code, signed)).status).toBe(503);
      expect((await step(rig, "key", code, signed)).word).toBe("202");
      expect(await seen(textOf(body["id"]))).toMatchObject({ state: "offered" });
    },
  );

  it.each(["lost-before", "lost-after"] as const)(
    "of the signature for it, %s: one key",
    async (loss) => {
      let isArmed = false;
      const once = (): boolean => isArmed && !(isArmed = false);
      await begin({ wrap: (store) => faulty(store, "commit", loss, once) });
      const one = await offered();
      isArmed = true;
      expect((await coSign(one)).status).toBe(503);
      expect((await coSign(one)).word).toBe(loss === "lost-before" ? "200" : "replayed");
      expect(await live()).toEqual(expect.arrayContaining([old.jkt, one.passkey.jkt]));
      expect(await state(one)).toBe("enrolled");
    },
  );
});
