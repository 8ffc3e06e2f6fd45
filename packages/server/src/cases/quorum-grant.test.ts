import { readBundle, readStatement } from "@countersign/core";
import type { Digest, JsonObject } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { d, enrolOwner } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import {
  askedOfSeveral,
  credentialOf,
  halt,
  partiesOf,
  removeKeyOf,
  severalScene,
} from "./quorum.testing.ts";
import type { Asked, Several } from "./quorum.testing.ts";
import { before } from "./scene.testing.ts";

type Act = (scene: Asked) => unknown;

/** Granted by alice and bob, in this order. */
async function granted(): Promise<Asked & { readonly cs: Digest }> {
  const scene = await askedOfSeveral();
  await scene.alice.decide(scene.id, await scene.alice.open(scene.id));
  return { ...scene, cs: await scene.bob.approve(scene.id) };
}

describe("a grant of several owners", () => {
  it("issues, again and again, with what each of them signed", async () => {
    const { rig, host, alice, bob, cs } = await granted();
    for (const n of [1, 2]) {
      const { body, word } = await host.ask({ cs });
      expect([word, body["n"]]).toEqual(["200", n]);
      const { approval } = readBundle(body["bundle"] ?? null);
      expect(readStatement(c, approval?.st ?? new Uint8Array()).body.owner.id).toBe(alice.id);
      expect(approval?.sts?.map(({ st }) => readStatement(c, st).body.owner.id)).toEqual([bob.id]);
    }
    const { body } = await rig.call("public", `GET /e/${cs.slice("sha-256:".length)}`);
    expect(body["sts"]).toHaveLength(1);
    await rig.close();
  });

  it.each<readonly [string, (scene: Asked & { cs: Digest }) => Promise<unknown>, boolean]>([
    ["alice halted", ({ rig, alice }) => halt(rig, "owner", alice.id), true],
    ["bob halted", ({ rig, bob }) => halt(rig, "owner", bob.id), true],
    ["carol halted, who has not signed", ({ rig, carol }) => halt(rig, "owner", carol.id), true],
    ["somebody else halted", ({ rig }) => halt(rig, "owner", "x"), false],
    ["alice's key removed", ({ alice }) => removeKeyOf(alice), true],
    ["bob's key removed", ({ bob }) => removeKeyOf(bob), true],
    ["carol's key removed, who has not signed", ({ carol }) => removeKeyOf(carol), false],
    ["the grant halted", ({ rig, cs }) => halt(rig, "grant", cs), true],
  ])("ends, or not: %s", async (_name, act, isEnded) => {
    const scene = await granted();
    await act(scene);
    expect((await scene.rig.world.store.grant(scene.cs))?.endedAt !== undefined).toBe(isEnded);
    expect((await scene.host.ask({ cs: scene.cs })).word === "200").toBe(!isEnded);
    await scene.rig.close();
  });

  it.each<readonly [string, (scene: Several) => JsonObject, string]>([
    ["the same", ({ alice, bob, carol }) => ({ parties: partiesOf(2, alice, bob, carol) }), "200"],
    ["all three", ({ alice, bob, carol }) => ({ parties: partiesOf(3, alice, bob, carol) }), "202"],
    ["one of them no longer", ({ alice, bob }) => ({ parties: partiesOf(2, alice, bob) }), "202"],
    ["one alone", () => ({}), "202"],
  ])("is asked for anew once the registration demands others: %s", async (_name, change, word) => {
    const scene = await granted();
    await scene.put(change(scene));
    expect((await scene.host.ask({ cs: scene.cs })).word).toBe(word);
    await scene.rig.close();
  });

  it("of one owner is asked for anew once the registration demands several", async () => {
    const scene = await severalScene();
    await scene.put({});
    const id = textOf((await scene.host.ask()).body["id"]);
    const cs = await scene.alice.approve(id);
    expect((await scene.host.ask({ cs })).word).toBe("200");
    await scene.put({ parties: partiesOf(2, scene.alice, scene.bob) });
    const again = await scene.host.ask({ cs });
    expect([again.word, again.body["reasons"]]).toEqual([
      "202",
      ["the registration names another owner"],
    ]);
    await scene.rig.close();
  });
});

describe("races of several owners, each decided by the guard", () => {
  it("of three who post at once, one signs, one grants, and one is too late", async () => {
    const { rig, alice, bob, carol, id } = await askedOfSeveral();
    const all = [alice, bob, carol];
    const opened = await Promise.all(all.map((owner) => owner.open(id)));
    const answers = await Promise.all(
      all.map((owner, i) => owner.decide(id, opened[i] ?? new Uint8Array())),
    );
    const words = answers.map(({ body, word }) => textOf(body["state"]) || word).toSorted();
    expect(words).toEqual(["already_decided", "approved", "signed"]);
    expect(await rig.world.store.grants()).toHaveLength(1);
    const { req = d(0) } = (await rig.world.store.ask(id)) ?? {};
    expect((await rig.world.store.signatures({ req })).map(({ n }) => n)).toEqual([0, 1]);
    await rig.close();
  });

  it("who open at once are shown the same", async () => {
    const { rig, alice, bob, carol, id } = await askedOfSeveral();
    const opened = await Promise.all([alice, bob, carol].map((owner) => owner.open(id)));
    expect(new Set(opened.map((bytes) => credentialOf(bytes).nonce)).size).toBe(1);
    await rig.close();
  });

  it.each<readonly [string, string, Act, string]>([
    [
      "a denial, before the last",
      "approval.approved",
      ({ carol, id }) => carol.deny(id),
      "already_decided",
    ],
    [
      "a denial, before the first",
      "approval.signed",
      ({ carol, id }) => carol.deny(id),
      "already_decided",
    ],
    ["a halt", "approval.approved", ({ rig, carol }) => halt(rig, "owner", carol.id), "halted"],
    [
      "the first one's key removed",
      "approval.approved",
      ({ alice }) => removeKeyOf(alice),
      "stale",
    ],
    [
      "begun anew by somebody else",
      "approval.approved",
      async ({ rig, carol, id }) => {
        await enrolOwner(rig, "carol");
        return carol.open(id);
      },
      "stale",
    ],
    ["something else changed", "approval.approved", ({ rig }) => halt(rig, "entry", "x"), "200"],
  ])("between decision and commit: %s", async (_name, type, act, word) => {
    let run: () => Promise<unknown> = () => Promise.resolve();
    const scene = await askedOfSeveral({ wrap: before(type, () => run()) });
    const { alice, bob, rig, id } = scene;
    const bytes = [await alice.open(id), await bob.open(id)] as const;
    run = async () => act(scene);
    const first = await alice.decide(id, bytes[0]);
    const last = type === "approval.signed" ? first : await bob.decide(id, bytes[1]);
    expect(last.word).toBe(word);
    expect(await rig.world.store.grants()).toHaveLength(word === "200" ? 1 : 0);
    await rig.close();
  });

  it("of twenty posts of the last signature at once, one makes the grant", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    await alice.decide(id, await alice.open(id));
    const bytes = await bob.open(id);
    const words = await Promise.all(Array.from({ length: 20 }, () => bob.decide(id, bytes)));
    const others = words.map(({ word }) => word).filter((word) => word !== "200");
    expect(others).toHaveLength(19);
    expect(others.filter((word) => !["already_decided", "replayed"].includes(word))).toEqual([]);
    expect(await rig.world.store.grants()).toHaveLength(1);
    await rig.close();
  });
});
