// What a sign-in that fails tells, and how often one may try.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Otherwise } from "../../packages/core/src/consent/authenticator.testing.ts";
import { base64url } from "../../packages/core/src/index.ts";
import type { JsonObject, Signer } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { OwnerSessions } from "../../packages/server/src/cases/owner-sessions.ts";
import { signIn, signInNonce } from "../../packages/server/src/cases/sign-in.ts";
import type { Store } from "../../packages/server/src/store/store.ts";
import { makeRig } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { CREDENTIAL, ELIGIBLE, enrolPasskey, PAGES } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";

const NOBODY = base64url(new Uint8Array(16).fill(8));
const [ORIGIN] = PAGES.origins;

let rig: Rig;
let passkey: Passkey;
/** Reads and writes of the store, by name, since a test began to listen. */
let asked: string[];

function listening(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        asked.push(String(name));
        return Reflect.apply(member, target, given) as unknown;
      };
    },
  });
}

beforeEach(async () => {
  asked = [];
  rig = await makeRig({ wrap: listening });
  passkey = await enrolPasskey(rig);
});
afterEach(() => rig.close());

interface Try {
  readonly id?: string;
  readonly by?: Signer;
  readonly otherwise?: Otherwise;
  readonly sig?: JsonObject;
}

async function bodyOf({ id = CREDENTIAL, by = passkey.signer, otherwise, sig }: Try = {}) {
  const body = await passkey.signIn(signInNonce(rig.world), { ...otherwise, by, id });
  return sig === undefined ? body : { ...body, sig };
}

async function post(tried: Try = {}, address?: string, body?: JsonObject): Promise<Answered> {
  const headers = {
    host: "consent.example.org",
    origin: ORIGIN,
    "sec-fetch-site": "same-origin",
    "countersign-session": "cookie",
  };
  const json = body ?? (await bodyOf(tried));
  asked = [];
  const from = address === undefined ? {} : { address };
  return rig.call("console", "POST /v1/owner/sign-in", { json, headers, ...from });
}

const since = (what: "removedAt" | "suspendedAt") => (): Promise<unknown> =>
  rig.world.store.commit({
    changes: [{ set: "ownerKey", jkt: passkey.jkt, fields: { [what]: rig.now() } }],
  });
const nothing = (): Promise<undefined> => Promise.resolve(undefined);

type Row = readonly [string, Try, () => Promise<unknown>];
const FAILING: readonly Row[] = [
  ["with a credential that nobody has", { id: NOBODY }, nothing],
  ["with another key", { by: generateSigner() }, nothing],
  [
    "with another key, for a credential that nobody has",
    { id: NOBODY, by: generateSigner() },
    nothing,
  ],
  ["with a key that was removed", {}, since("removedAt")],
  ["with a key that was suspended", {}, since("suspendedAt")],
  ["with another key in the place of a removed one", { by: generateSigner() }, since("removedAt")],
];

describe("a sign-in that fails", () => {
  it.each(FAILING)("tells nothing: %s", async (_name, tried, prepare) => {
    const usual = await post({ by: generateSigner() });
    await prepare();
    const answer = await post(tried);
    expect([answer.status, answer.text]).toEqual([usual.status, usual.text]);
    expect([...answer.headers]).toEqual([...usual.headers]);
    expect(asked).toEqual(["passkeys"]); // one read, and nothing is written
  });

  it.each(FAILING)("costs one verification: %s", async (_name, tried, prepare) => {
    await prepare();
    const body = await bodyOf(tried);
    let count = 0;
    const verify: typeof c.verify = (...given) => {
      count += 1;
      return c.verify(...given);
    };
    const w = { ...rig.world, c: { ...c, verify } };
    const sessions = new OwnerSessions(w.c, w.random);
    const posted = { nonce: body.nonce, credentialId: body.credential_id, sig: body.sig };
    await expect(signIn(w, sessions, posted)).rejects.toMatchObject({ code: "sign_in_failed" });
    expect(count).toBe(1);
  });

  it.each([
    ["the key of the CA that stands in for one", CREDENTIAL],
    ["the same, where nobody has the credential", NOBODY],
  ])("is one with %s", async (_name, id) => {
    const tried = { id, by: rig.world.keys.agents.signer };
    expect((await post(tried)).word).toBe("sign_in_failed");
  });

  it.each<readonly [string, JsonObject, string]>([
    ["no signature", {}, "malformed_request"],
    ["half of one", { k: "webauthn", a: "AA", c: "AA" }, "malformed_request"],
    ["one that is no assertion", { k: "sshsig", s: "AA" }, "sign_in_failed"],
    ["one of no octets", { k: "webauthn", a: "A", c: "A", s: "A" }, "sign_in_failed"],
  ])(
    "is told the same of %s, whether somebody has the credential or not",
    async (_n, sig, word) => {
      const answers = [await post({ sig }), await post({ sig, id: NOBODY })];
      expect(answers.map((answer) => answer.word)).toEqual([word, word]);
      expect(answers[0]?.text).toBe(answers[1]?.text);
    },
  );
});

describe("signing in", () => {
  it("is tried thirty times a minute from one address, and other addresses do not suffer", async () => {
    const wrong = { by: generateSigner() };
    for (let count = 0; count < 30; count += 1)
      expect((await post(wrong, "203.0.113.9")).word).toBe("sign_in_failed");
    expect((await post({}, "203.0.113.9")).word).toBe("rate_limited");
    expect(asked).toEqual([]); // nobody's key was looked for
    expect((await post({}, "203.0.113.10")).word).toBe("200");
    rig.advance(60);
    expect((await post({}, "203.0.113.9")).word).toBe("200");
  });
});

describe("the counter of a passkey that signs in", () => {
  const row = () => rig.world.store.ownerKey(passkey.jkt);
  const suspended = async (): Promise<boolean> => (await row())?.suspendedAt !== undefined;

  it("moves with the sign-in, and no statement is signed with it again", async () => {
    const shown = passkey.counter;
    expect((await post()).word).toBe("200");
    expect((await row())?.counter).toBe(shown);
    expect((await post()).word).toBe("200");
    expect((await row())?.counter).toBe(shown + 1);
  });

  it.each([
    ["as it was", 0],
    ["further back", 1],
  ])("suspends the key where it comes %s: somebody has a copy", async (_name, back) => {
    expect((await post()).word).toBe("200");
    passkey.counter -= 1 + back;
    const answer = await post();
    expect(answer.word).toBe("counter_regressed");
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(await suspended()).toBe(true);
    expect((await rig.world.store.logRows(0, 1000)).at(-1)?.type).toBe("key.suspended");
    passkey.counter += 10;
    expect((await post()).word).toBe("sign_in_failed"); // as any key that is suspended
  });

  it("is no reason against the very sign-in that was accepted, sent again", async () => {
    const body = await bodyOf();
    expect((await post({}, undefined, body)).word).toBe("200");
    expect((await post({}, undefined, body)).word).toBe("sign_in_failed");
    expect(await suspended()).toBe(false);
  });

  it("is taken of two that come at once, each with its own", async () => {
    const bodies = [await bodyOf(), await bodyOf()];
    const words = await Promise.all(
      bodies.map(async (one) => (await post({}, undefined, one)).word),
    );
    expect(words).toContain("200");
    expect((await row())?.counter).toBe(passkey.counter - 1);
  });
});

describe("two sign-ins at once with one counter", () => {
  it("are a key and its copy: one signs in, and the key is suspended", async () => {
    const one = await bodyOf();
    passkey.counter -= 1;
    const bodies = [one, await bodyOf()];
    const words = bodies.map(async (body) => (await post({}, undefined, body)).word);
    expect(new Set(await Promise.all(words))).toEqual(new Set(["200", "counter_regressed"]));
    expect((await rig.world.store.ownerKey(passkey.jkt))?.suspendedAt).toBe(rig.now());
  });
});

describe("a passkey whose authenticator does not count", () => {
  it("signs in again and again", async () => {
    await rig.world.store.commit({
      changes: [{ set: "ownerKey", jkt: passkey.jkt, fields: { counter: 0 } }],
    });
    for (const time of ["first", "second"]) {
      passkey.counter = 0;
      expect([time, (await post()).word]).toEqual([time, "200"]);
    }
  });

  it("does not sign in where it may be copied now, and may not have been when it was made", async () => {
    passkey.flags = ELIGIBLE;
    expect((await post()).word).toBe("sign_in_failed");
    expect(asked).toEqual(["passkeys"]);
  });
});
