import {
  fromBase64url,
  leafHash,
  MerkleTree,
  openCheckpoint,
  openRecord,
  pemDecode,
  presentedOf,
  readBundle,
  readCredentialPart,
  readLeaf,
  utf8,
  verify,
} from "@countersign/core";
import type { Bundle, JsonObject, Presented } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { approvedScene } from "./scene.testing.ts";
import { ownTrust } from "./trust.ts";

/** A server on which everything of the main story has happened once. */
let scene: Awaited<ReturnType<typeof approvedScene>>;
let presented: Presented;
let bundle: Bundle;
beforeEach(async () => {
  scene = await approvedScene();
  const { rig, host, cs } = scene;
  const { body } = await host.ask({ cs });
  bundle = readBundle(body["bundle"] ?? {});
  const chain = (body["wic"] as readonly string[]).flatMap((pem) =>
    pemDecode(pem, "CERTIFICATE", 1),
  ); // our own answer
  presented = presentedOf(textOf(body["wit"]), chain, bundle);
  await host.ask({ request: { sub: `${ENTRY_ID}-9` } }); // refused
  const order = { scope: "agent", target: host.agent, reason: "test" };
  const halted = await rig.call("admin", "POST /v1/halts", { json: order });
  await rig.call("admin", `DELETE /v1/halts/${textOf(halted.body["id"])}`);
});
afterEach(() => scene.rig.close());

async function rows(): Promise<readonly JsonObject[]> {
  const { body } = await scene.rig.call("admin", "GET /v1/log?from=0");
  return body["rows"] as readonly JsonObject[]; // as the admin says it
}

async function judged(shown: Presented): Promise<string> {
  const trust = await ownTrust(scene.rig.world, [{ jkt: scene.owner.jkt }]);
  const verdict = await verify(c, shown, trust, { proof: "logged" }, scene.rig.now());
  return `${verdict.proof}, ${verdict.log}`;
}

describe("the log of the main story", () => {
  it("has a record for every leaf, and each opens its leaf", async () => {
    const all = await rows();
    const types = new Set(all.map((row) => row["type"]));
    for (const type of [
      "proxy.enrolled",
      "key.added",
      "entry.added",
      "approval.asked",
      "approval.approved",
      "credential.issued",
      "credential.refused",
      "halt.set",
      "halt.lifted",
    ])
      expect(types).toContain(type);
    for (const row of all) {
      const leaf = readLeaf(fromBase64url(textOf(row["leaf"])));
      expect([leaf.type, leaf.t]).toEqual([row["type"], row["t"]]);
      const salt = fromBase64url(textOf((row["salts"] as JsonObject)["record"])); // as above
      expect(openRecord(c, leaf, utf8(textOf(row["record"])), salt)).toBeTruthy();
    }
  });

  it("says in its records who, for whom, what, when, how it was judged and what ended it", async () => {
    const all = await rows();
    const recordOf = (type: string): string =>
      textOf(all.find((row) => row["type"] === type)?.["record"]);
    const issued = recordOf("credential.issued");
    for (const member of [
      "agent",
      "owner",
      "cs",
      "policy",
      "decision",
      "iat",
      "jti",
      "req",
      "appraisal",
    ])
      expect(issued).toContain(`"${member}"`);
    expect(recordOf("halt.set")).toContain('"reason"');
    const printed = JSON.stringify(all);
    expect(printed).not.toContain(presented.wit.slice(0, 40));
  });

  it("verifies as it is; once every record is erased it still does, from the answer and from /e/", async () => {
    const { rig, cs } = scene;
    expect(await judged(presented)).toBe("logged, unwitnessed");
    const before = await rows();
    const changes = before.map((_row, seq) => ({ erase: "record", seq }) as const);
    await rig.world.store.commit({ changes });
    const after = await rows();
    expect(after.some((row) => "record" in row)).toBe(false);
    expect(after.map((row) => row["leaf"])).toEqual(before.map((row) => row["leaf"]));
    expect(await judged(presented)).toBe("logged, unwitnessed");
    const { body } = await rig.call("public", `GET /e/${cs.slice(8)}/${bundle.credential.jti}`);
    const credential = readCredentialPart(body);
    expect(await judged({ ...presented, logged: credential })).toBe("logged, unwitnessed");
  });

  it("keeps root and checkpoint when records are erased", async () => {
    const { store, keys } = scene.rig.world;
    const checkpoint = await store.checkpoint();
    await store.commit({ changes: [{ erase: "record", seq: 2 }] });
    expect(await store.checkpoint()).toBe(checkpoint);
    const tree = new MerkleTree(c);
    for (const row of await rows()) tree.append(leafHash(c, fromBase64url(textOf(row["leaf"]))));
    const { size, root } = await openCheckpoint(c, checkpoint, keys.logVkey);
    expect(tree.root(size)).toEqual(root);
  });
});
