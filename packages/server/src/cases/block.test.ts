import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { textOf } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import type { Decision } from "../store/store.ts";
import { askedScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

let scene: Scene & { readonly id: string };
beforeEach(async () => {
  scene = await askedScene();
});
afterEach(() => scene.rig.close());

const block = (id = scene.id, json: object = {}): Promise<Answered> =>
  scene.rig.call("admin", `POST /v1/owner/requests/${id}/block`, { json });
const unblock = (): Promise<Answered> =>
  scene.rig.call("admin", "POST /v1/owner/agents/mailer/unblock");

describe("a request that its owner denied and blocked (owner.md 1.6)", () => {
  it("is the last one of its agent, until the owner lets it ask again", async () => {
    expect((await block()).body).toEqual({ state: "denied", blocked: true });
    expect((await scene.rig.world.store.ask(scene.id))?.state).toBe("denied");
    scene.rig.advance(2 * 86_400);
    const { word, body } = await scene.host.ask();
    expect([word, textOf(body["next"])]).toEqual([
      "approval_denied",
      expect.stringContaining("countersign owner unblock"),
    ]);
    expect((await unblock()).word).toBe("200");
    scene.rig.advance(1);
    expect((await scene.host.ask()).word).toBe("202");
  });

  it("stays blocked when its owner announces a start", async () => {
    await block();
    const json = { agent: "mailer" };
    expect((await scene.rig.call("admin", "POST /v1/owner/expectations", { json })).word).toBe(
      "200",
    );
    expect((await scene.host.ask()).word).toBe("approval_denied");
  });

  it("is logged as denied, with the block in the record", async () => {
    await block();
    const size = await scene.rig.world.store.logSize();
    const [row] = await scene.rig.world.store.logRowsOf(["approval.denied"], 0, size);
    expect(JSON.parse(new TextDecoder().decode(row?.record))).toMatchObject({ blocked: true });
  });

  type Row = readonly [string, () => Promise<Answered>, string];
  it.each<Row>([
    ["one that is not there", () => block("nope"), "not_found"],
    ["with more than nothing", () => block(scene.id, { why: "x" }), "malformed_request"],
    [
      "one that was denied before",
      async () => {
        await scene.owner.deny(scene.id);
        return block();
      },
      "already_decided",
    ],
    [
      "one that was approved before",
      async () => {
        await scene.owner.approve(scene.id);
        return block();
      },
      "already_decided",
    ],
  ])("refuses %s → %s", async (_name, act, word) => {
    expect((await act()).word).toBe(word);
  });
});

it("a question that comes at the very moment of the block is not put", async () => {
  let act: (() => Promise<unknown>) | undefined;
  const racing = await askedScene({
    wrap: (store) =>
      new Proxy(store, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== "function") return member;
          if (name !== "commit")
            return (...given: unknown[]) => Reflect.apply(member, target, given) as unknown;
          return async (decision: Decision) => {
            const first = decision.log?.type === "approval.asked" ? act : undefined;
            if (first !== undefined) act = undefined;
            await first?.();
            return target.commit(decision);
          };
        },
      }),
  });
  act = () => racing.rig.call("admin", `POST /v1/owner/requests/${racing.id}/block`, { json: {} });
  expect((await racing.host.ask({ script: 9 })).word).toBe("approval_denied");
  expect(await racing.rig.world.store.asks({ state: "asked" })).toEqual([]);
  await racing.rig.close();
});
