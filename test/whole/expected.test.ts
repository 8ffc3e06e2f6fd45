import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { signInAt } from "./console-page.ts";
import type { Session } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

let whole: Whole;
let session: Session;
beforeEach(async () => {
  whole = await makeWhole();
  session = await signInAt(whole.scene.rig, await enrolPasskey(whole.scene.rig));
});
afterEach(() => whole.end());

const announce = (json: JsonObject): Promise<Answered> =>
  session.call("POST /v1/owner/expectations", json);
const inbox = async (): Promise<unknown> =>
  (await session.call("GET /v1/owner/requests")).body["requests"];

describe("a start that its owner announced in his session", () => {
  it("is shown as his, with what the proxy says of the run", async () => {
    const since = whole.scene.rig.now();
    whole.door.run = { uid: 1001, since };
    expect((await announce({ agent: "mailer", host: "host-1" })).word).toBe("200");
    expect((await whole.credential()).status).toBe(202);
    expect(await inbox()).toMatchObject([{ expected: true, started_by: { uid: 1001, since } }]);
  });

  it("is not, where only the proxy says that somebody started it", async () => {
    whole.door.run = { uid: 1001, since: whole.scene.rig.now() };
    expect((await whole.credential()).status).toBe(202);
    expect(await inbox()).toMatchObject([{ expected: false }]);
  });

  it("is, where its owner has listed that user of that host", async () => {
    const listed = { host: "host-1", uid: 1001, listed: true };
    expect((await session.call("POST /v1/owner/starters", listed)).word).toBe("200");
    expect((await session.call("GET /v1/owner/starters")).body["starters"]).toMatchObject([
      { host: "host-1", uid: 1001 },
    ]);
    whole.door.run = { uid: 1001, since: whole.scene.rig.now() };
    expect((await whole.credential()).status).toBe(202);
    expect(await inbox()).toMatchObject([{ expected: true }]);
  });

  it("is nobody else's to announce", async () => {
    const { rig } = whole.scene;
    const entry = await rig.world.store.entry("spiffe://example.org/agent/mailer");
    if (entry === undefined) return expect.fail("no entry");
    const body = { ...entry.body, owner: "urn:agent-owner:example.org:another1" };
    const row = { ...entry, body, version: entry.version + 1 };
    await rig.world.store.commit({ changes: [{ put: "entry", row }] });
    expect((await announce({ agent: "mailer" })).word).toBe("not_found");
    expect((await announce({ agent: textOf(entry.id) })).word).toBe("not_found");
  });

  it.each([
    ["POST /v1/owner/expectations", { agent: "mailer" }],
    ["POST /v1/owner/starters", { host: "host-1", uid: 1, listed: true }],
    ["GET /v1/owner/starters", undefined],
  ] as const)("%s needs his session", async (what, json) => {
    expect((await session.call(what, json, { cookie: undefined })).word).toBe("session_needed");
  });
});
