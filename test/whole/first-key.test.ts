import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { INVITATION_SECONDS, readCode } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { enrolInvited, takeInvited } from "../../packages/server/src/cases/invitations.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import { makeRig, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig, RigOptions } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf, signIn } from "./console-page.ts";
import {
  ceremonies as ceremoniesOf,
  CONSOLE,
  keysOf,
  recordsOf,
  step as stepOf,
} from "./invited.ts";
import type { Begun } from "./invited.ts";
import { BOUND, credentialOf, enrolPasskey, Passkey } from "./passkey.ts";

const INVALID = "invitation_invalid";
const USED = "invitation_used";

let rig: Rig;
async function begin(options: RigOptions = {}): Promise<void> {
  rig = await makeRig({ config: CONSOLE, ...options });
}
afterEach(() => rig.close());

const invite = (name = "robin"): Promise<Answered> =>
  rig.call("admin", "POST /v1/owner/invitations", { json: { name } });
async function codeFor(name = "robin"): Promise<string> {
  const { body, word } = await invite(name);
  expect(word).toBe("200");
  return textOf(body["code"]);
}
const step = (what: string, code: string, more: object = {}): Promise<Answered> =>
  stepOf(rig, what, code, more);
const ceremonies = (code: string): Promise<Begun> => ceremoniesOf(rig, code);
async function firstKey(code: string): Promise<Passkey> {
  const { passkey, signed } = await ceremonies(code);
  expect((await step("key", code, signed)).word).toBe("200");
  return passkey;
}
const keys = (name = "robin"): Promise<readonly JsonObject[]> => keysOf(rig, name);
const logged = (type: string): Promise<readonly unknown[]> => recordsOf(rig, type);

describe("a first key by a link", () => {
  beforeEach(() => begin());

  it("is made with a code from the terminal, and signs in; nothing secret stands in the address", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    expect(readCode(code)).toBe(code);
    expect(body["url"]).toBe("https://consent.example.org/#/enrol");
    expect(body["expires_at"]).toBe(rig.now() + 600);
    const at = `GET /v1/owner/invitations/${textOf(body["id"])}`;
    expect((await rig.call("admin", at)).body).toMatchObject({ state: "open" });
    const passkey = await firstKey(code);
    expect((await rig.call("admin", at)).body).toMatchObject({ state: "used", jkt: passkey.jkt });
    expect(await keys()).toMatchObject([
      { jkt: passkey.jkt, comment: "MacBook", basis: "admin", held_by: "device_bound_passkey" },
    ]);
    expect((await signIn(rig, passkey)).word).toBe("200");
    expect(await logged("admin.owner_invited")).toMatchObject([{ owner: passkey.id }]);
  });

  it("stands nowhere by its code", async () => {
    const code = await codeFor();
    const { body } = await invite("sam");
    const log = await rig.world.store.logRows(0, 1000);
    const row = await rig.world.store.invitation(textOf(body["id"]));
    const kept = JSON.stringify([row, log.map(({ record }) => new TextDecoder().decode(record))]);
    for (const one of [code, textOf(body["code"])]) {
      expect(kept).not.toContain(one);
      expect(kept).not.toContain(one.replace("-", ""));
    }
  });

  type Row = readonly [string, (code: string) => string | Promise<string>];
  const ROWS: readonly Row[] = [
    ["nothing", () => ""],
    ["no code", () => "hello"],
    ["the code of somebody else", () => "00000-00000"],
    ["a letter too few", (code) => code.slice(1)],
    [
      "one that took its place",
      async (code) => {
        await codeFor();
        return code;
      },
    ],
    [
      "ten minutes old",
      (code) => {
        rig.advance(INVITATION_SECONDS);
        return code;
      },
    ],
    [
      "cancelled",
      async (code) => {
        expect((await step("cancel", code)).body).toEqual({ cancelled: true });
        return code;
      },
    ],
  ];
  it.each(ROWS)("refuses a code that is %s, with one answer at every step", async (_name, of) => {
    const good = await codeFor();
    const { signed } = await ceremonies(good);
    const { body } = await step("options", good);
    const { challenge } = body["options"] as JsonObject;
    const credential = await credentialOf(generateSigner(), textOf(challenge));
    const code = await of(good);
    const answers = [
      await step("options", code),
      await step("verify", code, { credential }),
      await step("key", code, signed),
      await step("cancel", code),
    ];
    expect(answers.map(({ word }) => word)).toEqual([INVALID, INVALID, INVALID, INVALID]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await keys()).toEqual([]);
  });

  it("takes the code in lower case, with a space, and with letters that look alike", async () => {
    const code = await codeFor();
    const typed = code.toLowerCase().replace("-", " ").replaceAll("0", "o").replaceAll("1", "l");
    expect((await step("options", typed)).word).toBe("200");
  });

  it("may be begun anew, when the page was closed between the ceremonies", async () => {
    const code = await codeFor();
    await ceremonies(code);
    await firstKey(code);
    expect(await keys()).toHaveLength(1);
  });

  it.each(["options", "verify", "key"])(
    "is suspended by its code coming a second time: %s",
    async (what) => {
      const code = await codeFor();
      const { signed } = await ceremonies(code);
      const passkey = await firstKey(code);
      const cookie = await sessionOf(rig, passkey);
      const { body } = await step("options", await codeFor("sam"));
      const { challenge } = body["options"] as JsonObject;
      const credential = await credentialOf(generateSigner(), textOf(challenge));
      const more = { options: {}, verify: { credential }, key: signed }[what];
      const answer = await step(what, code, more);
      expect(answer.word).toBe(USED);
      expect(answer.body["next"]).toMatch(
        new RegExp(`used at 20.* UTC.*${passkey.jkt.slice(0, 8)}.*Tell whoever gave you the link`),
      );
      expect(await keys()).toMatchObject([{ jkt: passkey.jkt, suspended_at: rig.now() }]);
      expect(await logged("key.suspended")).toMatchObject([{ key: passkey.jkt }]);
      expect((await signIn(rig, passkey)).word).toBe("sign_in_failed");
      const me = await pageCall(rig, "GET /v1/owner/me", { cookie });
      expect(me.word).toBe("session_needed");
      // a third time says the same, and changes nothing
      expect((await step("options", code)).word).toBe(USED);
      expect(await logged("key.suspended")).toHaveLength(1);
    },
  );

  it("takes with it what it alone has vouched for since: who came first leaves no key behind", async () => {
    const code = await codeFor("alice");
    const first = await firstKey(code);
    const second = await enrolPasskey(rig, BOUND, { coSigners: [first] });
    const third = await enrolPasskey(rig, BOUND, { coSigners: [second] });
    const own = await enrolPasskey(rig); // on an administrator's word
    const both = await enrolPasskey(rig, BOUND, { coSigners: [third, own] });
    const cookie = await sessionOf(rig, third);
    expect((await step("options", code)).word).toBe(USED);
    const suspended = (await keys("alice")).filter((key) => key["suspended_at"] !== undefined);
    expect(new Set(suspended.map(({ jkt }) => jkt))).toEqual(
      new Set([first.jkt, second.jkt, third.jkt]),
    );
    const me = await pageCall(rig, "GET /v1/owner/me", { cookie });
    expect(me.word).toBe("session_needed");
    expect(await logged("key.suspended")).toHaveLength(3);
    expect((await signIn(rig, both)).word).toBe("200");
  });

  it("is suspended by whoever cancels the link that made it, and his session ends", async () => {
    const code = await codeFor();
    const passkey = await firstKey(code);
    const cookie = await sessionOf(rig, passkey);
    const { body } = await step("cancel", code);
    expect(body).toEqual({ cancelled: true, suspended: passkey.jkt });
    expect(await keys()).toMatchObject([{ suspended_at: rig.now() }]);
    const me = await pageCall(rig, "GET /v1/owner/me", { cookie });
    expect(me.word).toBe("session_needed");
  });

  it("is the same signature, twice: made once, and in no doubt", async () => {
    const code = await codeFor();
    const { signed, passkey } = await ceremonies(code);
    const posted = { ...signed, statement: signed.statement };
    const both = await Promise.all([
      enrolInvited(rig.world, code, posted),
      enrolInvited(rig.world, code, posted).catch((error: unknown) => error),
    ]);
    expect(both).toMatchObject([{ key: { jkt: passkey.jkt } }, { code: "replayed" }]);
    expect(await keys()).toMatchObject([{ jkt: passkey.jkt }]);
    expect((await signIn(rig, passkey)).word).toBe("200");
  });

  it("is one, of twenty that are made with one code at once; and it is suspended", async () => {
    const code = await codeFor();
    const made = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const signer = generateSigner();
        const { body } = await rig.call("admin", "POST /v1/owner/keys/webauthn/options", {
          json: { name: "robin" },
        });
        const challenge = textOf((body["options"] as JsonObject)["challenge"]);
        const { credential } = { credential: await credentialOf(signer, challenge) };
        const read = readPosted(credential);
        const { statement, owner } = await takeInvited(rig.world, code, read);
        const sig = await new Passkey(rig, owner.id, signer).sign(statement.bytes);
        return { statement: Buffer.from(statement.bytes).toString("base64url"), sig, comment: "" };
      }),
    );
    const words = await Promise.all(
      made.map((posted) =>
        enrolInvited(rig.world, code, posted).then(
          () => "made",
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    expect(words.filter((word) => word === "made")).toHaveLength(1);
    expect(words.filter((word) => word === USED)).toHaveLength(19);
    expect(await keys()).toMatchObject([{ suspended_at: rig.now() }]);
  });

  it("is of the owner who was invited, and of no other", async () => {
    const code = await codeFor();
    const { signed } = await ceremonies(code);
    const other = await codeFor("sam");
    expect((await step("key", other, signed)).word).toBe("statement_invalid");
    expect(await keys()).toEqual([]);
    expect(await keys("sam")).toEqual([]);
    expect((await step("options", other)).word).toBe("200");
  });

  it("is made by no code once the owner has a key by another way", async () => {
    const code = await codeFor();
    const { signed } = await ceremonies(code);
    const other = await enrolOwner(rig, "robin");
    expect((await step("key", code, signed)).word).toBe(INVALID);
    expect((await step("options", code)).word).toBe(INVALID);
    expect(await keys()).toMatchObject([{ jkt: other.jkt }]);
  });

  it("is made by no code that was given out at the moment another key was enrolled", async () => {
    const { body } = await invite();
    const code = textOf(body["code"]);
    const row = await rig.world.store.invitation(textOf(body["id"]));
    const { signed } = await ceremonies(code);
    const other = await enrolOwner(rig, "robin");
    if (row === undefined) expect.fail("no invitation");
    await rig.world.store.commit({ changes: [{ put: "invitation", row }] });
    expect((await step("key", code, signed)).word).toBe(INVALID);
    expect(await keys()).toMatchObject([{ jkt: other.jkt }]);
  });

  it("is asked for ten times a minute from one address, at each step", async () => {
    for (let n = 0; n < 10; n += 1) expect((await step("options", "wrong")).word).toBe(INVALID);
    const code = await codeFor();
    expect((await step("options", code)).word).toBe("rate_limited");
    rig.advance(61);
    expect((await step("options", code)).word).toBe("200");
  });

  it("is not offered to an owner who has a key, until that is removed", async () => {
    const owner = await enrolOwner(rig, "robin");
    expect((await invite()).word).toBe("name_taken");
    await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
    expect((await invite()).word).toBe("200");
  });

  it.each([
    ["a name that is none", { name: "Robin Hood" }, "malformed_request"],
    ["no name", {}, "malformed_request"],
    ["a member that nobody knows", { name: "robin", more: 1 }, "malformed_request"],
  ])("is not offered to %s → %s", async (_name, json, word) => {
    const { body, word: got } = await rig.call("admin", "POST /v1/owner/invitations", { json });
    expect([got, body["code"]]).toEqual([word, undefined]);
  });

  it.each([
    ["options", { more: 1 }, "malformed_request"],
    ["verify", {}, "malformed_request"],
    ["key", { sig: 1, statement: "AAAA", comment: "" }, "malformed_request"],
    ["key", { sig: {}, statement: "AAAA", comment: "", co_signatures: [] }, "malformed_request"],
    ["cancel", { jkt: "x" }, "malformed_request"],
  ])("%s with %o → %s", async (what, more, word) => {
    expect((await step(what, await codeFor(), more)).word).toBe(word);
  });

  it("has no invitation of another id, nor one by its hash", async () => {
    const { body } = await invite();
    const row = await rig.world.store.invitation(textOf(body["id"]));
    for (const id of ["nope", row?.hash ?? ""])
      expect((await rig.call("admin", `GET /v1/owner/invitations/${id}`)).word).toBe("not_found");
  });
});

/** As `readCredential` reads it. */
function readPosted(credential: JsonObject): Parameters<typeof takeInvited>[2] {
  const response = credential["response"] as Record<string, string>; // made by `credentialOf`
  return {
    id: textOf(credential["id"]),
    clientDataJSON: response["clientDataJSON"] ?? "",
    attestationObject: response["attestationObject"] ?? "",
    transports: ["internal"],
  };
}

describe("a link without a console", () => {
  it("is not made", async () => {
    await begin({ config: {} });
    expect((await invite()).word).toBe("configuration_invalid");
  });
});

describe("a first key whose answer was lost", () => {
  it.each(["lost-before", "lost-after"] as const)("%s: once more makes one key", async (loss) => {
    let isArmed = false;
    const once = (): boolean => isArmed && !(isArmed = false);
    await begin({ wrap: (store) => faulty(store, "commit", loss, once) });
    const code = await codeFor();
    const { signed, passkey } = await ceremonies(code);
    isArmed = true;
    expect((await step("key", code, signed)).status).toBe(503);
    const again = await step("key", code, signed);
    expect(again.word).toBe(loss === "lost-before" ? "200" : "replayed");
    expect(await keys()).toMatchObject([{ jkt: passkey.jkt }]);
    expect((await signIn(rig, passkey)).word).toBe("200");
  });
});
