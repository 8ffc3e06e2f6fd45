import type { JsonObject } from "@countersign/core";
import { generateSigner } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { enrolOwner } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { entryOf, makeRig } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";

const DEVELOPMENT = { trust_domain: "test.dev.invalid", development: true };

const basisOf = async ({ rig, jkt }: Owner): Promise<string | undefined> =>
  (await rig.world.store.ownerKey(jkt))?.basis;
const wordOf = async (enrolling: Promise<Owner>): Promise<string> => {
  try {
    await enrolling;
    return "200";
  } catch (error) {
    return error instanceof Error ? error.message : "no error";
  }
};
const listed = async (rig: Rig, name: string): Promise<readonly JsonObject[]> => {
  const { body } = await rig.call("admin", "GET /v1/owners");
  const owner = (body["owners"] as readonly JsonObject[]).find((one) => one["name"] === name);
  return owner?.["keys"] as readonly JsonObject[]; // as the server lists them
};

describe("the first key of an owner", () => {
  it("is known by the administrator's word", async () => {
    const rig = await makeRig();
    expect(await basisOf(await enrolOwner(rig))).toBe("admin");
    await rig.close();
  });

  it("is trusted in development because it came first; further ones are not", async () => {
    const rig = await makeRig({ config: DEVELOPMENT });
    const first = await enrolOwner(rig);
    const second = await enrolOwner(rig, "alice", generateSigner("Ed25519"), [first]);
    expect(await basisOf(first)).toBe("tofu");
    expect(await basisOf(second)).toBe("admin");
    const shown = await listed(rig, "alice");
    expect(new Set(shown.map(({ basis }) => basis))).toEqual(new Set(["admin", "tofu"]));
    await rig.close();
  });

  it("may be co-signed by another person, who is recorded", async () => {
    const rig = await makeRig();
    const alice = await enrolOwner(rig);
    const bob = await enrolOwner(rig, "bob", generateSigner("Ed25519"), [alice]);
    expect(await basisOf(bob)).toBe("admin");
    expect(await listed(rig, "bob")).toMatchObject([{ jkt: bob.jkt, co_signers: [alice.jkt] }]);
    const row = (await rig.world.store.logRows(0, 1000)).at(-1);
    const record = JSON.parse(new TextDecoder().decode(row?.record)) as JsonObject;
    expect(record).toMatchObject({ owner: bob.id, key: bob.jkt, co_signers: [alice.jkt] });
    await rig.close();
  });

  it.each<readonly [string, (rig: Rig) => Promise<Owner>, string]>([
    [
      "a program",
      (rig) => enrolOwner(rig, "rules", generateSigner(), [], "policy"),
      "key_not_enrolled",
    ],
    [
      "a device",
      (rig) => enrolOwner(rig, "hsm", generateSigner(), [], "device"),
      "key_not_enrolled",
    ],
    [
      "a person whose key was removed",
      async (rig) => {
        const carol = await enrolOwner(rig, "carol");
        await rig.call("admin", `DELETE /v1/owner/keys/${carol.jkt}`);
        return carol;
      },
      "key_not_enrolled",
    ],
    [
      "a person whose key is suspended",
      async (rig) => {
        const carol = await enrolOwner(rig, "carol");
        const fields = { suspendedAt: rig.now() };
        await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt: carol.jkt, fields }] });
        return carol;
      },
      "key_suspended",
    ],
  ])("is not co-signed by %s", async (_who, coSigner, word) => {
    const rig = await makeRig();
    const by = await coSigner(rig);
    expect(await wordOf(enrolOwner(rig, "bob", generateSigner("Ed25519"), [by]))).toBe(word);
    await rig.close();
  });

  it("alone is another person's to co-sign: for further ones the owner's own keys are asked", async () => {
    const rig = await makeRig();
    const alice = await enrolOwner(rig);
    await enrolOwner(rig, "bob");
    const again = enrolOwner(rig, "bob", generateSigner("Ed25519"), [alice]);
    expect(await wordOf(again)).toBe("key_not_enrolled");
    await rig.close();
  });
});

describe("the last key of an owner", () => {
  it("is taken away with a word about the agents that nobody can approve then", async () => {
    const rig = await makeRig();
    const alice = await enrolOwner(rig);
    const second = await enrolOwner(rig, "alice", generateSigner("Ed25519"), [alice]);
    await rig.call("admin", "POST /v1/entries", { json: entryOf({ owner: alice.id }) });
    const remove = async ({ jkt }: Owner): Promise<JsonObject> =>
      (await rig.call("admin", `DELETE /v1/owner/keys/${jkt}`)).body;
    expect(await remove(alice)).toEqual({ removed: true, keys_left: 1, agents: 1 });
    expect(await remove(second)).toEqual({ removed: true, keys_left: 0, agents: 1 });
    await rig.close();
  });
});
