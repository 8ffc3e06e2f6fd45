import type { JsonObject } from "@countersign/core";
import { afterEach, describe, expect, it } from "vitest";
import { atTerminal } from "../cases/digits.testing.ts";
import { approvedScene, makeScene } from "../cases/scene.testing.ts";
import type { Scene } from "../cases/scene.testing.ts";
import type { Ask } from "../people.testing.ts";
import type { AskRow } from "../store/rows.ts";
import { ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { waitingView } from "./waiting-view.ts";

let scene: Scene;
afterEach(() => scene.rig.close());

const entryWith = (kind: string): JsonObject => ({
  grant: {
    use: "standing",
    max_ttl: 900,
    max_live: 4,
    ceiling: [
      {
        type: "http_api",
        locations: ["https://mail.example.com/"],
        actions: ["send"],
        class: kind,
      },
    ],
  },
});

/** The question that a host asks now, as one that its owner announced. */
async function asked(ask: Ask = {}): Promise<AskRow> {
  const { body } = await scene.host.ask(ask);
  const row = await scene.rig.world.store.ask(textOf(body["id"]));
  if (row === undefined) throw new Error("nothing was asked");
  return { ...row, expected: true };
}

const viewOf = (row: AskRow, jkt = scene.owner.jkt): Promise<JsonObject> =>
  waitingView(scene.rig.world, jkt)(row);

describe("what a list says of a question that its owner announced (console.md 4)", () => {
  it.each([
    ["no limit in it", {}, { marked: 1, irreversible: 0 }],
    ["only what reads", entryWith("read_only"), { marked: 0, irreversible: 0 }],
    ["what cannot be undone", entryWith("irreversible_action"), { marked: 1, irreversible: 1 }],
    ["what binds", entryWith("external_commitment"), { marked: 1, irreversible: 0 }],
  ])("is how many lines are marked, of a text with %s", async (_name, entry, outline) => {
    scene = await makeScene({}, entry);
    expect(await viewOf(await asked())).toEqual({ outline });
  });

  it("is how much changed since the last approval", async () => {
    scene = await approvedScene();
    expect(await viewOf(await asked({ script: 2 }))).toMatchObject({ outline: { changes: 0 } });
    expect(await viewOf(await asked({ script: 9 }))).toMatchObject({ outline: { changes: 1 } });
  });

  it("is that somebody sits at its terminal, and never which digits stand there", async () => {
    scene = await makeScene();
    const view = await viewOf(await asked(atTerminal("42")));
    expect(view["digits"]).toEqual({ tries_left: 2 });
    expect(JSON.stringify(view)).not.toContain("42");
  });

  it.each<readonly [string, (row: AskRow) => AskRow | Promise<AskRow>]>([
    ["nobody announced", (row) => ({ ...row, expected: false })],
    ["was decided", (row) => ({ ...row, state: "denied" })],
    [
      "is over",
      (row) => {
        scene.rig.advance(row.deadline - scene.rig.now());
        return row;
      },
    ],
    [
      "was stopped",
      async (row) => {
        const json = { scope: "entry", target: ENTRY_ID, reason: "" };
        expect((await scene.rig.call("admin", "POST /v1/halts", { json })).word).toBe("200");
        return row;
      },
    ],
  ])("is nothing where it %s", async (_name, change) => {
    scene = await makeScene();
    expect(await viewOf(await change(await asked()))).toEqual({});
  });

  it("is nothing for a key that is not enrolled, and keeps no text", async () => {
    scene = await makeScene();
    const row = await asked();
    expect(await viewOf(row, "x".repeat(43))).toEqual({});
    const before = await scene.rig.world.store.ask(row.req);
    await viewOf(row);
    expect(await scene.rig.world.store.ask(row.req)).toEqual(before);
  });

  it("is said of fifty questions of a list, and of no more", async () => {
    scene = await makeScene();
    const row = await asked();
    const view = waitingView(scene.rig.world, scene.owner.jkt);
    const views = await Promise.all(Array.from({ length: 51 }, () => view(row)));
    expect(views.filter((one) => one["outline"] !== undefined)).toHaveLength(50);
  });
});
