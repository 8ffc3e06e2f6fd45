import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Json } from "@countersign/core";
import { enrolOwner } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { approvedScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await approvedScene();
});
afterEach(() => scene.rig.close());

/** What the opened request says of the last approval. */
async function diff(script: number, jkt = scene.owner.jkt): Promise<Json | undefined> {
  const { body } = await scene.host.ask({ script });
  const what = `GET /v1/owner/requests/${textOf(body["id"])}?jkt=${jkt}`;
  const opened = await scene.rig.call("admin", what);
  expect(opened.word).toBe("200");
  return opened.body["diff"];
}

describe("what an owner is told has changed since he approved an agent (owner.md 1.3)", () => {
  it("is the program, and what the registration says otherwise now", async () => {
    const approvedAt = scene.rig.now();
    scene.rig.advance(60);
    await scene.put({ grant: { use: "standing", max_ttl: 900, max_live: 4, ceiling: [] } });
    const told = await diff(9);
    expect(told).toMatchObject({
      approved_at: approvedAt,
      changes: [
        { name: "main script" },
        { name: "credentials in all", before: "1536", now: "768" },
        { name: "at the same time", before: "8", now: "4" },
      ],
      same: expect.arrayContaining(["program file", "host", "may use", "lasts"]) as unknown,
    });
  });

  it("is nothing where the same is asked again", async () => {
    expect(await diff(2)).toMatchObject({ changes: [] });
  });

  it("goes by the newest approval", async () => {
    scene.rig.advance(60);
    const { body } = await scene.host.ask({ script: 9 });
    await scene.owner.approve(textOf(body["id"]));
    scene.rig.advance(60);
    expect(await diff(9)).toMatchObject({ approved_at: scene.rig.now() - 60, changes: [] });
  });

  it("is not told of what another owner approved, nor before a key is named", async () => {
    const bob = await enrolOwner(scene.rig, "bob");
    expect(await scene.put({ owner: bob.id })).toBe("200");
    expect(await diff(9, bob.jkt)).toBeUndefined();
    const [ask] = await scene.rig.world.store.asks({ state: "asked" });
    const { body } = await scene.rig.call("admin", `GET /v1/owner/requests/${ask?.id ?? ""}`);
    expect(body["diff"]).toBeUndefined();
  });
});
