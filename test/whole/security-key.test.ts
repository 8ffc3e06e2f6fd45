import { afterEach, expect, it } from "vitest";
import { base64, fromBase64url, fromUtf8, thumbprint } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import { securityKeySign } from "../../packages/server/src/security-key.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const APP = "ssh:agent-consent";
let whole: Whole | undefined;
afterEach(() => whole?.end());

it("what a security key approved is issued, and says so", async () => {
  whole = await makeWhole();
  const { rig } = whole.scene;
  const signer = generateSigner("Ed25519");
  const jkt = thumbprint(nodeCrypto, signer.key);
  const sign = async (jcs: string): Promise<JsonObject> => ({
    k: "sshsig",
    s: base64(await securityKeySign(signer, APP, fromBase64url(jcs))),
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
