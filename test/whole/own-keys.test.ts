import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { base64url, fromBase64url, STOP_CODE_COUNT } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { before } from "../../packages/server/src/cases/scene.testing.ts";
import { recordOf } from "../../packages/server/src/cases/owner-record.ts";
import { makeRig, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf, signIn } from "./console-page.ts";
import { credentialOf, enrolPasskey, Passkey } from "./passkey.ts";

let rig: Rig;
let passkey: Passkey;
let cookie: string;
let hook: () => Promise<unknown>;
beforeEach(async () => {
  hook = () => Promise.resolve();
  rig = await makeRig({ wrap: before("key.removed", () => hook()) });
  passkey = await enrolPasskey(rig);
  cookie = await sessionOf(rig, passkey);
});
afterEach(() => rig.close());

const call = (what: string, json?: object, as = cookie): Promise<Answered> =>
  pageCall(rig, what, { cookie: as, ...(json === undefined ? {} : { json }) });

/** Registers a second passkey in a session. */
async function registered(
  as = cookie,
): Promise<{ readonly fresh: Passkey; readonly jcs: string; readonly bytes: Uint8Array }> {
  const signer = generateSigner();
  const { body } = await call("POST /v1/owner/keys/webauthn/options", {}, as);
  const challenge = textOf((body["options"] as JsonObject)["challenge"]); // as the server says it
  const credential = await credentialOf(signer, challenge);
  const { body: taken } = await call("POST /v1/owner/keys/webauthn/verify", { credential }, as);
  const jcs = textOf(taken["jcs"]);
  return { fresh: new Passkey(rig, passkey.id, signer), jcs, bytes: fromBase64url(jcs) };
}
const coSigned = async (by: Owner, bytes: Uint8Array, signer = by.signer): Promise<object> => ({
  co_signatures: [{ jkt: by.jkt, sig: await by.sign(bytes, signer) }],
});
async function second(): Promise<Passkey> {
  rig.advance(1);
  const { fresh, jcs, bytes } = await registered();
  const sig = await fresh.sign(bytes);
  const posted = { statement: jcs, sig, comment: "desk", ...(await coSigned(passkey, bytes)) };
  expect((await call("POST /v1/owner/keys", posted)).word).toBe("200");
  fresh.counter = 3;
  passkey.counter += 1;
  return fresh;
}
const shown = async (as = cookie): Promise<readonly JsonObject[]> =>
  (await call("GET /v1/owner/keys", undefined, as)).body["keys"] as readonly JsonObject[]; // as the server says it
const strangers = async (as = cookie): Promise<readonly unknown[]> =>
  (await shown(as)).filter(({ known }) => known !== true).map(({ jkt }) => jkt);

describe("a second key", () => {
  it("is added by its own signature and one of a key that the owner has", async () => {
    const fresh = await second();
    expect(await shown()).toMatchObject([
      { jkt: passkey.jkt, known: true, held_by: "device_bound_passkey" },
      { jkt: fresh.jkt, known: true, co_signers: [passkey.jkt], comment: "desk" },
    ]);
    expect((await signIn(rig, fresh)).word).toBe("200");
  });

  type Made = Awaited<ReturnType<typeof registered>>;
  type Row = readonly [string, (made: Made) => Promise<object>, string];
  const ROWS: readonly Row[] = [
    ["nobody", () => Promise.resolve({}), "co_signers_insufficient"],
    ["nobody, in a list", () => Promise.resolve({ co_signatures: [] }), "co_signers_insufficient"],
    ["itself", ({ fresh, bytes }) => coSigned(fresh, bytes), "key_not_enrolled"],
    [
      "the old key over another text",
      () => coSigned(passkey, new Uint8Array(9)),
      "challenge_mismatch",
    ],
    [
      "another in the old one's name",
      ({ bytes }) => coSigned(passkey, bytes, generateSigner()),
      "signature_invalid",
    ],
    [
      "the key of somebody else",
      async ({ bytes }) => coSigned(await enrolOwner(rig, "mallory"), bytes),
      "key_not_enrolled",
    ],
  ];
  it.each(ROWS)("is not added when it is co-signed by %s", async (_name, co, word) => {
    const made = await registered();
    const sig = await made.fresh.sign(made.bytes);
    const posted = { statement: made.jcs, sig, comment: "", ...(await co(made)) };
    expect((await call("POST /v1/owner/keys", posted)).word).toBe(word);
    expect(await shown()).toHaveLength(1);
  });

  it("is not added to somebody else, whoever signs for it", async () => {
    const mallory = await enrolOwner(rig, "mallory");
    const signer = generateSigner("Ed25519");
    const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
      json: { name: "mallory", kind: "person", jwk: signer.key },
    });
    const jcs = textOf(offered.body["jcs"]);
    const bytes = fromBase64url(jcs);
    const sig = await mallory.sign(bytes, signer);
    const posted = { statement: jcs, sig, comment: "", ...(await coSigned(mallory, bytes)) };
    expect((await call("POST /v1/owner/keys", posted)).word).toBe("statement_invalid");
  });
});

describe("removing", () => {
  it("takes a key away, ends its sessions at once, and is the owner's in the log", async () => {
    const fresh = await second();
    const other = await sessionOf(rig, fresh);
    expect((await call("GET /v1/owner/me", undefined, other)).word).toBe("200");
    expect((await call(`DELETE /v1/owner/keys/${fresh.jkt}`)).word).toBe("200");
    expect((await call("GET /v1/owner/me", undefined, other)).word).toBe("session_needed");
    expect((await call("GET /v1/owner/me")).word).toBe("200");
    expect(await shown()).toMatchObject([{ jkt: passkey.jkt }, { removed_at: rig.now() }]);
    const rows = await rig.world.store.logRows(0, 1000);
    const leaf = rows.find(({ type }) => type === "key.removed")?.leaf;
    expect(new TextDecoder().decode(leaf)).toContain('"actor":"owner"');
  });

  it("of the key that signed in ends its own session", async () => {
    await second();
    expect((await call(`DELETE /v1/owner/keys/${passkey.jkt}`)).word).toBe("200");
    expect((await call("GET /v1/owner/me")).word).toBe("session_needed");
  });

  it.each([
    ["admin socket", () => rig.call("admin", `DELETE /v1/owner/keys/${passkey.jkt}`)],
    [
      "counter that went back",
      () =>
        rig.world.store.commit({
          changes: [{ set: "ownerKey", jkt: passkey.jkt, fields: { suspendedAt: rig.now() } }],
        }),
    ],
  ])("or suspending ends the sessions of a key, by whatever way: %s", async (_name, act) => {
    await act();
    expect((await call("GET /v1/owner/me")).word).toBe("session_needed");
    await rig.call("admin", `POST /v1/owner/keys/${passkey.jkt}/resume`, { json: {} });
    expect((await call("GET /v1/owner/me")).word).toBe("session_needed");
  });

  it("ends the stream of events that its session reads", async () => {
    const fresh = await second();
    const ended = new AbortController();
    const session = { jkt: fresh.jkt, until: rig.now() + 60, ended: ended.signal };
    const whose = { owner: passkey.id, session };
    const stream = await rig.owners.open(whose, undefined, ended.signal);
    await call(`DELETE /v1/owner/keys/${fresh.jkt}`);
    expect(await stream.text()).toContain("event: key.removed");
    ended.abort();
  });

  it("never takes the last one that signs", async () => {
    const fresh = await second();
    await rig.world.store.commit({
      changes: [{ set: "ownerKey", jkt: fresh.jkt, fields: { suspendedAt: rig.now() } }],
    });
    expect((await call(`DELETE /v1/owner/keys/${passkey.jkt}`)).word).toBe("last_key");
    expect((await call(`DELETE /v1/owner/keys/${fresh.jkt}`)).word).toBe("200");
  });

  it("of both keys at once takes one", async () => {
    const fresh = await second();
    const other = await sessionOf(rig, fresh);
    let inBetween = "";
    hook = async () => {
      inBetween = (await call(`DELETE /v1/owner/keys/${passkey.jkt}`, undefined, other)).word;
    };
    expect((await call(`DELETE /v1/owner/keys/${fresh.jkt}`)).word).toBe("stale");
    expect(inBetween).toBe("200");
    const left = (await rig.world.store.ownerKeys(passkey.id)).filter(
      ({ removedAt }) => removedAt === undefined,
    );
    expect(left.map(({ jkt }) => jkt)).toEqual([fresh.jkt]);
  });

  it.each([
    ["a key that is not there", () => "nope"],
    ["the key of somebody else", async () => (await enrolOwner(rig, "mallory")).jkt],
  ])("does not find %s", async (_name, of) => {
    await second();
    const jkt = await of();
    expect((await call(`DELETE /v1/owner/keys/${jkt}`)).word).toBe("not_found");
    expect((await call(`POST /v1/owner/keys/${jkt}/known`, {})).word).toBe("not_found");
  });
});

describe("a key that the owner did not add", () => {
  it("is asked about until he says that it is his", async () => {
    const stranger = await enrolOwner(rig, "alice");
    expect(await strangers()).toEqual([stranger.jkt]);
    expect((await call(`POST /v1/owner/keys/${stranger.jkt}/known`, {})).word).toBe("200");
    expect(await strangers()).toEqual([]);
    // once more changes nothing
    expect((await call(`POST /v1/owner/keys/${stranger.jkt}/known`, {})).word).toBe("200");
    const row = await rig.world.store.ownerKey(stranger.jkt);
    expect(row?.knownBy).toEqual([passkey.jkt]);
    const rows = await rig.world.store.logRows(0, 1000);
    const said = rows.filter(({ type }) => type === "key.known");
    expect(said.map(recordOf)).toMatchObject([
      { owner: passkey.id, key: stranger.jkt, session: passkey.jkt },
    ]);
  });

  it("stays strange when it is suspended, and when it is gone", async () => {
    const { jkt } = await enrolOwner(rig, "alice");
    for (const fields of [{ suspendedAt: rig.now() }, { removedAt: rig.now() }]) {
      await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt, fields }] });
      expect(await strangers()).toEqual([jkt]);
    }
  });

  it("is none of those that led to his, though they are gone", async () => {
    const two = await second();
    const made = await registered(await sessionOf(rig, two));
    const posted = { statement: made.jcs, sig: await made.fresh.sign(made.bytes), comment: "" };
    const co = await coSigned(two, made.bytes);
    const added = await call("POST /v1/owner/keys", { ...posted, ...co });
    expect(added.word).toBe("200");
    made.fresh.counter += 1;
    const last = await sessionOf(rig, made.fresh);
    for (const { jkt } of [passkey, two])
      expect((await call(`DELETE /v1/owner/keys/${jkt}`, undefined, last)).word).toBe("200");
    expect(await strangers(last)).toEqual([]);
    // one that a removed key signed for is somebody else's still
    const stolen = await enrolOwner(rig, "alice", generateSigner("Ed25519"));
    await rig.world.store.commit({
      changes: [{ set: "ownerKey", jkt: stolen.jkt, fields: { knownBy: [two.jkt] } }],
    });
    expect(await strangers(last)).toEqual([stolen.jkt]);
  });

  it("does not answer for itself: what its holder says is not what the others say", async () => {
    const signer = generateSigner();
    const hostile = await enrolPasskey(rig, passkey.flags, { key: signer });
    const theirs = await sessionOf(rig, hostile);
    expect((await call(`POST /v1/owner/keys/${hostile.jkt}/known`, {}, theirs)).word).toBe("200");
    expect((await call(`POST /v1/owner/keys/${passkey.jkt}/known`, {}, theirs)).word).toBe("200");
    expect(await strangers(theirs)).toEqual([]);
    expect(await strangers()).toEqual([hostile.jkt]);
  });
});

describe("printed codes", () => {
  it("are shown once, in a session, and counted", async () => {
    const { body: none } = await call("GET /v1/owner/keys");
    expect(none["stop_codes"]).toEqual({ left: 0, of: 0, used: [] });
    const { body } = await call("POST /v1/owner/stop-codes", {});
    const codes = body["codes"] as readonly string[]; // as the server says it
    expect(codes).toHaveLength(STOP_CODE_COUNT);
    await rig.call("public", "POST /v1/stop-codes/use", { json: { code: codes[0], do: "stop" } });
    const { body: after } = await call("GET /v1/owner/keys");
    expect(after["stop_codes"]).toEqual({
      left: 7,
      of: 8,
      used: [1],
      made_at: rig.now(),
    });
    const rows = await rig.world.store.logRows(0, 1000);
    expect(rows.map(({ type }) => type)).toContain("owner.stop_codes_made");
  });
});

it.each([
  ["GET /v1/owner/keys"],
  ["POST /v1/owner/keys/webauthn/options"],
  ["POST /v1/owner/keys/webauthn/verify"],
  ["POST /v1/owner/keys"],
  ["DELETE /v1/owner/keys/x"],
  ["POST /v1/owner/keys/x/known"],
  ["POST /v1/owner/stop-codes"],
])("%s needs a session", async (what) => {
  const json = what.startsWith("POST") ? { json: {} } : {};
  expect((await pageCall(rig, what, json)).word).toBe("session_needed");
});

it.each([
  ["POST /v1/owner/keys/webauthn/options", { name: "alice" }],
  ["POST /v1/owner/keys/webauthn/verify", {}],
  ["POST /v1/owner/keys", { statement: base64url(new Uint8Array(3)), sig: 1, comment: "" }],
  ["POST /v1/owner/stop-codes", { owner: "alice" }],
])("%s refuses %o", async (what, json) => {
  expect((await call(what, json)).word).toBe("malformed_request");
});
