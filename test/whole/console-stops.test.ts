import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { lift } from "../../packages/server/src/cases/halt.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const ANOTHER = "urn:agent-owner:example.org:another1";
const EVERYTHING = { scope: "owner" };
const AGENT = { scope: "entry", target: ENTRY_ID };

const HOST_ID = "spiffe://example.org/proxy/host-1";

let whole: Whole;
let rig: Rig;
let passkey: Passkey;
let cookie: string;
/** Digest of what the owner approved. */
let cs: string;
beforeEach(async () => {
  whole = await makeWhole();
  ({ rig } = whole.scene);
  passkey = await enrolPasskey(rig);
  cookie = await sessionOf(rig, passkey);
  await whole.credential();
  const [ask] = await rig.world.store.asks({ state: "asked" });
  await passkey.approve(ask?.id ?? "");
  await whole.heard();
  await whole.until(async () => (await whole.status())["state"] === "held");
  const [grant] = await rig.world.store.grants();
  cs = grant?.cs ?? "";
});
afterEach(() => whole.end());

async function stop(order: JsonObject): Promise<string> {
  const answer = await pageCall(rig, "POST /v1/owner/halt", { json: order, cookie });
  expect(answer.word).toBe("200");
  return textOf(answer.body["id"]);
}
const seen = async (id: string): Promise<JsonObject> =>
  (await pageCall(rig, `GET /v1/owner/stops/${id}`, { cookie })).body;
const hostOf = async (id: string): Promise<JsonObject> => {
  const [host] = (await seen(id))["hosts"] as JsonObject[];
  return host ?? {};
};

describe("a stop under a session", () => {
  it.each<[string, () => JsonObject]>([
    ["everything", () => EVERYTHING],
    ["an agent", () => AGENT],
    ["an approval", () => ({ scope: "grant", target: cs })],
  ])("of %s is confirmed by the host once it gives no proof any more", async (_name, order) => {
    expect((await whole.proof()).status).toBe(200);
    const id = await stop(order());
    await whole.until(async () => (await hostOf(id))["confirmed_at"] !== undefined);
    expect((await whole.proof()).status).toBe(403);
    expect(await seen(id)).toMatchObject({
      id,
      since: rig.now(),
      hosts: [{ proxy: HOST_ID, agents: [ENTRY_ID], confirmed_at: rig.now() }],
    });
  });

  it("is not confirmed by a host that does not hear it: until when its credentials last is said", async () => {
    const [credential] = await rig.world.store.credentials({});
    whole.wire.cut();
    const id = await stop(EVERYTHING);
    expect(await hostOf(id)).toEqual({
      proxy: HOST_ID,
      agents: [ENTRY_ID],
      credentials_until: credential?.exp,
    });
    whole.wire.mend();
    await whole.until(async () => {
      whole.timers.advance(1000); // it connects again by itself
      return (await hostOf(id))["confirmed_at"] !== undefined;
    });
    expect((await whole.proof()).status).toBe(403);
  });

  it("is not confirmed by a host whose answer is lost", async () => {
    await whole.end();
    whole = await makeWhole({ uplink: (uplink) => ({ ...uplink, beat: () => Promise.resolve() }) });
    ({ rig } = whole.scene);
    passkey = await enrolPasskey(rig);
    cookie = await sessionOf(rig, passkey);
    const id = await stop(EVERYTHING);
    await whole.heard();
    expect(await hostOf(id)).not.toHaveProperty("confirmed_at");
  });

  it.each<[string, () => JsonObject, string]>([
    [
      "an approval that is not",
      () => ({ scope: "grant", target: cs.replace(/.$/, "x") }),
      "not_found",
    ],
    ["an approval by a name that is none", () => ({ scope: "grant", target: "x" }), "not_found"],
    ["an approval without a name", () => ({ scope: "grant" }), "malformed_request"],
    ["a host", () => ({ scope: "proxy", target: HOST_ID }), "malformed_request"],
  ])("does not stop %s", async (_name, order, word) => {
    const answer = await pageCall(rig, "POST /v1/owner/halt", { json: order(), cookie });
    expect(answer.word).toBe(word);
    expect(await rig.world.store.stops({ inForce: true })).toEqual([]);
  });

  it("of another owner's is neither made nor seen", async () => {
    const grant = await rig.world.store.grants();
    expect(grant).toHaveLength(1);
    const entry = await rig.world.store.entry(ENTRY_ID);
    if (entry === undefined) return expect.fail("no entry");
    const id = await stop(AGENT);
    const body = { ...entry.body, owner: ANOTHER };
    const row = { id: ANOTHER, name: "bob", kind: "person", createdAt: rig.now() } as const;
    await rig.world.store.commit({
      changes: [
        { put: "owner", row },
        { put: "entry", row: { ...entry, body, version: entry.version + 1 } },
      ],
    });
    expect((await pageCall(rig, `GET /v1/owner/stops/${id}`, { cookie })).word).toBe("not_found");
    const whose = await pageCall(rig, "POST /v1/owner/halt", { json: AGENT, cookie });
    expect(whose.word).toBe("not_found");
  });

  it("that was lifted is not there", async () => {
    const id = await stop(EVERYTHING);
    await lift(rig.world, id, "admin");
    expect((await pageCall(rig, `GET /v1/owner/stops/${id}`, { cookie })).word).toBe("not_found");
    const unknown = await pageCall(rig, "GET /v1/owner/stops/nothing", { cookie });
    expect(unknown.word).toBe("not_found");
    const nobody = await pageCall(rig, `GET /v1/owner/stops/${id}`);
    expect(nobody.word).toBe("session_needed");
  });
});
