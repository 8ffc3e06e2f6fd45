import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { generateSigner } from "@countersign/node";
import { enrolOwner } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import { textOf } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { approvedScene, before } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

type Place = "admin" | "public";

const codesOf = async ({ rig }: Scene, owner = "alice"): Promise<readonly string[]> => {
  const { body, word } = await rig.call("admin", "POST /v1/owner/stop-codes", { json: { owner } });
  expect(word).toBe("200");
  return body["codes"] as readonly string[]; // as the server says it
};
const use = (
  { rig }: Scene,
  code: string,
  more: JsonObject = { do: "stop" },
  place: Place = "public",
): Promise<Answered> =>
  rig.call(place, `POST /v1/${place === "admin" ? "owner/" : ""}stop-codes/use`, {
    json: { code, ...more },
  });

describe("printed stop codes", () => {
  let scene: Scene;
  let second: Owner;
  beforeEach(async () => {
    scene = await approvedScene();
    second = await enrolOwner(scene.rig, "alice", generateSigner("Ed25519"), [scene.owner]);
  });
  afterEach(() => scene.rig.close());
  const stops = async (): Promise<readonly string[]> =>
    (await scene.rig.world.store.stops()).map(
      ({ scope, target, by }) => `${scope} ${target} ${by}`,
    );
  const live = async (): Promise<number> =>
    (await scene.rig.world.store.grants({ liveAt: scene.rig.now() })).length;
  const logged = async (): Promise<readonly string[]> =>
    (await scene.rig.world.store.logRows(0, 1000)).map(({ type }) => type);

  it("are eight, and stand nowhere", async () => {
    const codes = await codesOf(scene);
    expect(new Set(codes).size).toBe(8);
    const rows = await scene.rig.world.store.stopCodes(scene.owner.id);
    expect(rows).toHaveLength(8);
    const log = await scene.rig.world.store.logRows(0, 1000);
    const kept = JSON.stringify([rows, log.map(({ record }) => new TextDecoder().decode(record))]);
    for (const code of codes) {
      expect(kept).not.toContain(code);
      expect(kept).not.toContain(code.replaceAll("-", ""));
    }
    expect(await logged()).toContain("admin.stop_codes_made");
  });

  it("stand on the paper in the order in which the store keeps them: a used one is known by its number", async () => {
    const codes = await codesOf(scene);
    expect((await use(scene, codes[4] ?? "")).word).toBe("200");
    const rows = await scene.rig.world.store.stopCodes(scene.owner.id);
    expect(rows.map(({ usedAt }) => usedAt !== undefined)).toEqual(codes.map((_, i) => i === 4));
  });

  it.each<Place>(["public", "admin"])("stop everything of their owner: %s", async (place) => {
    const [code = ""] = await codesOf(scene);
    expect(await live()).toBe(1);
    const answer = await use(scene, code.toLowerCase().replaceAll("-", " "), { do: "stop" }, place);
    expect(answer.body).toEqual({ done: "stop", at: scene.rig.now(), codes_left: 7 });
    expect(await stops()).toEqual([`owner ${scene.owner.id} stop code`]);
    expect(await live()).toBe(0);
    expect((await scene.host.ask()).word).toBe("halted");
    const rows = await scene.rig.world.store.logRows(0, 1000);
    const row = rows.find(({ type }) => type === "halt.set");
    expect(new TextDecoder().decode(row?.leaf)).toContain('"actor":"owner"');
  });

  it("are spent with their first use, and replaced by the next ones", async () => {
    const old = await codesOf(scene);
    expect((await use(scene, old[0] ?? "")).word).toBe("200");
    expect((await use(scene, old[0] ?? "")).word).toBe("stop_code_invalid");
    const codes = await codesOf(scene);
    expect((await use(scene, old[1] ?? "")).word).toBe("stop_code_invalid");
    expect((await use(scene, codes[0] ?? "")).word).toBe("200");
  });

  it("answer the same to whatever is wrong", async () => {
    const [code = "", spare = ""] = await codesOf(scene);
    await use(scene, code);
    const wrong = [
      code,
      "",
      "x",
      "0000-0000-0000-0000",
      `${spare}0`,
      spare.slice(1),
      "\u0000".repeat(64),
    ];
    const answers = [];
    for (const typed of wrong) answers.push(await use(scene, typed, { do: "stop" }, "admin"));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.word).toBe("stop_code_invalid");
    expect(answers[0]?.status).toBe(403);
    expect(await stops()).toHaveLength(1);
  });

  it("of one owner stop nothing of another", async () => {
    const bob = await enrolOwner(scene.rig, "bob");
    const [code = ""] = await codesOf(scene, "bob");
    expect((await use(scene, code)).word).toBe("200");
    expect(await stops()).toEqual([`owner ${bob.id} stop code`]);
    expect(await live()).toBe(1);
  });

  it("posted twenty times at once stop once", async () => {
    const [code = ""] = await codesOf(scene);
    const posts = Array.from({ length: 20 }, () => use(scene, code, { do: "stop" }, "admin"));
    const words = (await Promise.all(posts)).map(({ word }) => word);
    expect(words.filter((word) => word === "200")).toHaveLength(1);
    expect(words.filter((word) => word === "stop_code_invalid")).toHaveLength(19);
    expect(await stops()).toHaveLength(1);
  });

  it("take away one key instead, and what it approved", async () => {
    const { owner, rig } = scene;
    const [code = ""] = await codesOf(scene);
    const remove = { do: "remove_key", jkt: owner.jkt };
    expect((await use(scene, code, remove)).body).toMatchObject({ done: "remove_key" });
    expect(await rig.world.store.removedOwnerKeys()).toEqual([owner.jkt]);
    expect(await live()).toBe(0);
    expect(await stops()).toEqual([]);
    expect((await rig.world.store.ownerKey(second.jkt))?.removedAt).toBeUndefined();
    expect((await scene.host.ask()).word).toBe("202");
  });

  it("stay good where the key is none of the owner's", async () => {
    const bob = await enrolOwner(scene.rig, "bob");
    const [code = ""] = await codesOf(scene);
    for (const jkt of [bob.jkt, "A".repeat(43)])
      expect((await use(scene, code, { do: "remove_key", jkt })).word).toBe("not_found");
    expect((await use(scene, code, { do: "cancel_recovery" })).word).toBe("not_found");
    expect((await use(scene, code)).word).toBe("200");
  });

  it("are taken ten times a minute from one address", async () => {
    const words = [];
    for (let count = 0; count < 12; count += 1) words.push((await use(scene, "x")).word);
    expect(words.filter((word) => word === "stop_code_invalid")).toHaveLength(10);
    expect(words.slice(10)).toEqual(["rate_limited", "rate_limited"]);
    const [code = ""] = await codesOf(scene);
    expect((await use(scene, code, { do: "stop" }, "admin")).word).toBe("200");
    scene.rig.advance(60);
    expect((await use(scene, "x")).word).toBe("stop_code_invalid");
  });

  it.each<[string, JsonObject]>([
    ["no code", { do: "stop" }],
    ["nothing to do", { code: "x" }],
    ["another thing to do", { code: "x", do: "approve" }],
    ["no key to take away", { code: "x", do: "remove_key" }],
    ["a key that is not asked for", { code: "x", do: "stop", jkt: "A".repeat(43) }],
    ["an unknown member", { code: "x", do: "stop", owner: "alice" }],
    ["a long one", { code: "0".repeat(65), do: "stop" }],
    ["a number", { code: 7, do: "stop" }],
  ])("are posted with %s: refused", async (_what, json) => {
    const { word } = await scene.rig.call("public", "POST /v1/stop-codes/use", { json });
    expect(word).toBe("malformed_request");
  });

  it("are for nobody who is not there", async () => {
    const json = { owner: "nobody" };
    const { word } = await scene.rig.call("admin", "POST /v1/owner/stop-codes", { json });
    expect(word).toBe("not_found");
  });
});

describe("a stop code", () => {
  it("replaced at the very moment stops nothing", async () => {
    let made: Promise<readonly string[]> = Promise.resolve([]);
    let scene: Scene | undefined;
    const wrap = before("halt.set", async () => {
      if (scene !== undefined) made = codesOf(scene);
      await made;
    });
    scene = await approvedScene({ wrap });
    const [code = ""] = await codesOf(scene);
    expect((await use(scene, code)).word).toBe("stop_code_invalid");
    expect(await scene.rig.world.store.stops()).toEqual([]);
    expect((await use(scene, (await made)[0] ?? "")).word).toBe("200");
    await scene.rig.close();
  });

  it.each(["lost-before", "lost-after"] as const)(
    "whose answer is %s stops, or is good still",
    async (loss) => {
      let isFailing = false;
      const scene = await approvedScene({
        wrap: (store) => faulty(store, "commit", loss, () => isFailing),
      });
      const [code = ""] = await codesOf(scene);
      isFailing = true;
      expect((await use(scene, code)).status).toBeGreaterThanOrEqual(500);
      isFailing = false;
      const again = (await use(scene, code)).word;
      expect(again).toBe(loss === "lost-before" ? "200" : "stop_code_invalid");
      expect(await scene.rig.world.store.stops()).toHaveLength(1);
      expect(textOf((await scene.host.ask()).body["reason"])).toBe("halted");
      await scene.rig.close();
    },
  );
});
