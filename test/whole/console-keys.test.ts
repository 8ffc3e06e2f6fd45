import { afterEach, beforeEach, expect, it } from "vitest";
import type { JsonObject } from "../../packages/core/src/index.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

let whole: Whole;
let rig: Rig;
let passkey: Passkey;
let cookie: string;
beforeEach(async () => {
  whole = await makeWhole();
  ({ rig } = whole.scene);
  passkey = await enrolPasskey(rig);
  cookie = await sessionOf(rig, passkey);
});
afterEach(() => whole.end());

async function asked(): Promise<string> {
  await whole.credential();
  const [ask] = await rig.world.store.asks({ state: "asked" });
  return ask?.id ?? "";
}
const key = async (): Promise<JsonObject> => {
  const { body } = await pageCall(rig, "GET /v1/owner/keys", { cookie });
  const keys = body["keys"] as readonly JsonObject[]; // as the server says it
  return keys.find(({ jkt }) => jkt === passkey.jkt) ?? {};
};

it("a key says when it last signed an approval, and which entry of the log added it", async () => {
  const id = await asked();
  const row = await rig.world.store.ownerKey(passkey.jkt);
  expect(await key()).not.toHaveProperty("last_signed_at");
  expect(await key()).toMatchObject({ entry: row?.seq });
  rig.advance(30);
  await passkey.approve(id);
  const at = rig.now();
  rig.advance(30);
  expect(await key()).toMatchObject({ last_signed_at: at });
});

it("a request says when it was decided, and with which key or in whose session", async () => {
  const denied = await asked();
  rig.advance(5);
  const path = `/v1/owner/requests/${denied}`;
  const deny = { json: { decision: "deny" }, cookie };
  expect((await pageCall(rig, `POST ${path}/decision`, deny)).word).toBe("200");
  const seen = async (of: string): Promise<JsonObject> =>
    (await pageCall(rig, `GET ${of}`, { cookie })).body;
  expect(await seen(path)).toMatchObject({
    state: "denied",
    decided_at: rig.now(),
    decided_by: passkey.jkt,
  });
  expect(await key()).not.toHaveProperty("last_signed_at");
});

it("a request that was denied without a key names none", async () => {
  const id = await asked();
  expect(await rig.world.store.ask(id)).not.toHaveProperty("decidedBy");
  await rig.call("admin", `POST /v1/owner/requests/${id}/decision`, { json: { decision: "deny" } });
  const { body } = await pageCall(rig, `GET /v1/owner/requests/${id}`, { cookie });
  expect(body).toMatchObject({ state: "denied", decided_at: rig.now() });
  expect(body).not.toHaveProperty("decided_by");
});
