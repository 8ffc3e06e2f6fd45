import { afterEach, expect, it } from "vitest";
import { base64, fromBase64url, fromUtf8, thumbprint } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import {
  APP,
  enrolSecurityKey,
  SecurityKey,
  securityKeySign,
} from "../../packages/server/src/security-key.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

let whole: Whole | undefined;
afterEach(() => whole?.end());

it("what a security key approved is issued, and says so", async () => {
  whole = await makeWhole();
  const { rig } = whole.scene;
  const signer = generateSigner("Ed25519");
  const jkt = thumbprint(nodeCrypto, signer.key);
  let counter = 0;
  const sign = async (jcs: string): Promise<JsonObject> => ({
    k: "sshsig",
    s: base64(await securityKeySign(signer, APP, fromBase64url(jcs), (counter += 1))),
  });
  const admin = async (what: string, json?: JsonObject): Promise<JsonObject> => {
    const answer = await rig.call("admin", what, json === undefined ? {} : { json });
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  };
  const offer = { name: "alice", kind: "person", jwk: { ...signer.key }, app: APP };
  const { jcs } = await admin("POST /v1/owner/keys/options", offer);
  await admin("POST /v1/owner/keys", {
    statement: textOf(jcs),
    sig: await sign(textOf(jcs)),
    comment: "",
  });

  expect((await whole.credential()).status).toBe(202);
  const [ask] = await rig.world.store.asks({ state: "asked" });
  const opened = await admin(`GET /v1/owner/requests/${ask?.id ?? ""}?jkt=${jkt}`);
  const bytes = textOf(opened["jcs"]);
  await admin(`POST /v1/owner/requests/${ask?.id ?? ""}/decision`, {
    decision: "approve",
    statement: bytes,
    sig: await sign(bytes),
  });
  await whole.heard();
  const { status, body } = await whole.credential();
  expect(status).toBe(200);
  const [, claims = ""] = textOf(body["wit"]).split(".");
  const { countersign_owner: owner } = JSON.parse(fromUtf8(fromBase64url(claims))) as JsonObject;
  expect(owner).toMatchObject({ jkt, oa: 3 });
});

it("a copy of a security key is found by its counter, and neither of the two approves any more", async () => {
  whole = await makeWhole();
  const { rig } = whole.scene;
  const asked = async (script: number): Promise<string> => {
    whole?.door.scripts.set(4711 + script, script);
    expect((await whole?.credential(4711 + script))?.status).toBe(202);
    return (await rig.world.store.asks({ state: "asked" }))[0]?.id ?? "";
  };
  const key = await enrolSecurityKey(rig, 1);
  const copy = new SecurityKey(rig, key.id, key.signer);

  const first = await asked(3);
  copy.counter = 2; // the thief signs what he asked for
  await copy.approve(first);
  await whole.heard();
  expect((await whole.credential(4714)).status).toBe(200);

  const second = await asked(4);
  key.counter = 2; // its owner has signed one thing since the enrolment, and this is it
  await expect(key.approve(second)).rejects.toThrow(/^counter_regressed$/);
  for (const one of [key, copy]) {
    one.counter = 3;
    await expect(one.approve(second)).rejects.toThrow(/^key_suspended$/);
  }
  const { owners } = (await rig.call("admin", "GET /v1/owners")).body;
  expect(JSON.stringify(owners)).toContain("suspended_at");
  const types = (await rig.world.store.logRows(0, 100)).map(({ type }) => type);
  expect(types.filter((type) => type === "key.suspended")).toHaveLength(1);

  // its owner takes the key away: what the thief approved ends, and the first key goes on
  expect((await rig.call("admin", `DELETE /v1/owner/keys/${key.jkt}`)).word).toBe("200");
  await whole.heard();
  expect((await whole.proof(undefined, 4714)).word).toBe("halted");
  await whole.scene.owner.approve(second);
  await whole.heard();
  expect((await whole.credential(4715)).status).toBe(200);
});
