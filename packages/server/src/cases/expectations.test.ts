import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { enrolHost, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import type { Ask } from "../people.testing.ts";
import type { AskRow } from "../store/rows.ts";
import { entryOf, textOf } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const UID = 1001;

let scene: Scene;
beforeEach(async () => {
  scene = await makeScene();
});
afterEach(() => scene.rig.close());

const announce = (json: JsonObject = { agent: "mailer" }): Promise<Answered> =>
  scene.rig.call("admin", "POST /v1/owner/expectations", { json });

function list(json: JsonObject, owner = "alice"): Promise<Answered> {
  return scene.rig.call("admin", `POST /v1/owner/starters?owner=${owner}`, { json });
}

const started = (since = scene.rig.now(), uid = UID): Ask => ({
  evidence: { run: { uid, since } },
});

/** Asks; the row as it stands afterwards. */
async function asked(ask: Ask = {}): Promise<AskRow> {
  const answer = await scene.host.ask(ask);
  const row = await scene.rig.world.store.ask(textOf(answer.body["id"]));
  if (row === undefined) throw new Error(answer.word);
  return row;
}

const again = async ({ id }: AskRow): Promise<AskRow | undefined> => scene.rig.world.store.ask(id);

describe("an announced start (owner.md 1.7)", () => {
  it("makes the next question expected, and is spent by it", async () => {
    expect((await announce()).body).toMatchObject({
      entry: ENTRY_ID,
      until: scene.rig.now() + 600,
    });
    expect((await asked()).expected).toBe(true);
    const { announcement } = await scene.rig.world.store.known({
      proxy: scene.host.id,
      entry: ENTRY_ID,
      agent: scene.host.agent,
      now: scene.rig.now(),
    });
    expect(announcement?.spentBy).toBeDefined();
  });

  it("makes both unexpected when a second one matches", async () => {
    await announce();
    const first = await asked();
    const second = await asked({ script: 9 });
    expect([(await again(first))?.expected, second.expected]).toEqual([false, false]);
    expect((await again(first))?.state).toBe("superseded");
  });

  it("said again, covers one more", async () => {
    await announce();
    await asked();
    scene.rig.advance(1);
    await announce();
    expect((await asked()).expected).toBe(true);
  });

  it("is over after ten minutes", async () => {
    await announce();
    scene.rig.advance(600);
    expect((await asked()).expected).toBe(false);
  });

  it("expects two that come at the same moment never both", async () => {
    await announce();
    const answers = await Promise.all([scene.host.ask(), scene.host.ask({ script: 9 })]);
    const rows = await scene.rig.world.store.asks();
    expect(answers.map(({ word }) => word)).toEqual(["202", "202"]);
    expect(rows.filter((row) => row.expected)).toEqual([]);
  });

  it("is of one agent on one host", async () => {
    await announce();
    const other = await enrolHost(scene.rig, "host-2");
    const moved = entryOf({ owner: scene.owner.id, proxy: other.id });
    expect((await scene.rig.call("admin", "POST /v1/entries", { json: moved })).word).toBe("200");
    scene = { ...scene, host: other };
    expect((await asked()).expected).toBe(false);
    await announce();
    expect((await asked()).expected).toBe(true);
  });

  type Row = readonly [string, JsonObject, string];
  it.each<Row>([
    ["an agent", { agent: "mailer" }, "200"],
    ["an agent by its id, on its host", { agent: ENTRY_ID, host: "host-1" }, "200"],
    ["an agent on another host", { agent: "mailer", host: "host-2" }, "not_found"],
    ["an agent that is not registered", { agent: "nobody" }, "not_found"],
    ["no agent", {}, "malformed_request"],
    ["more than is known", { agent: "mailer", expected: true }, "malformed_request"],
  ])("%s → %s", async (_name, json, word) => {
    const answer = await announce(json);
    expect(answer.word).toBe(word);
  });
});

describe("a user whom the owner listed (owner.md 1.7)", () => {
  beforeEach(async () => {
    expect((await list({ host: "host-1", uid: UID, listed: true })).body["starters"]).toEqual([
      { host: "host-1", uid: UID, since: scene.rig.now() },
    ]);
  });

  it("announces by starting the agent, once in ten minutes", async () => {
    expect((await asked(started())).expected).toBe(true);
    scene.rig.advance(60);
    expect((await asked(started())).expected).toBe(false);
    scene.rig.advance(600);
    expect((await asked(started())).expected).toBe(true);
  });

  type Row = readonly [string, () => Ask, boolean];
  it.each<Row>([
    ["a run of his", () => started(), true],
    ["a run of another user", () => started(scene.rig.now(), UID + 1), false],
    ["a run of his that began long ago", () => started(scene.rig.now() - 600), false],
    ["no run", () => ({}), false],
  ])("%s", async (_name, ask, isExpected) => {
    const row = await asked(ask());
    expect(row.expected).toBe(isExpected);
  });

  it("does not announce a changed program: only the owner's own word does", async () => {
    await scene.owner.approve((await asked(started())).id);
    scene.rig.advance(600);
    const changed = { ...started(), script: 9 };
    expect(await asked(changed)).toMatchObject({
      expected: false,
      reasons: [{ code: "measurement_changed" }],
    });
    await announce();
    expect((await asked({ ...changed, ...started() })).expected).toBe(true);
  });

  it("is nothing to another owner's agent, nor once he is taken from the list", async () => {
    await enrolOwner(scene.rig, "bob");
    expect((await list({ host: "host-1", uid: UID, listed: false })).word).toBe("200");
    expect((await list({ host: "host-1", uid: UID, listed: true }, "bob")).word).toBe("200");
    expect((await asked(started())).expected).toBe(false);
  });

  type Bad = readonly [string, JsonObject, string];
  it.each<Bad>([
    ["a host that nobody enrolled", { host: "host-9", uid: UID, listed: true }, "not_found"],
    ["no user", { host: "host-1", listed: true }, "malformed_request"],
    ["a user below 0", { host: "host-1", uid: -1, listed: true }, "malformed_request"],
    ["a user who is not listed", { host: "host-1", uid: 7, listed: false }, "not_found"],
  ])("refuses %s → %s", async (_name, json, word) => {
    expect((await list(json)).word).toBe(word);
  });

  it("is one of 64 at most", async () => {
    for (let uid = 2000; uid < 2063; uid += 1)
      expect((await list({ host: "host-1", uid, listed: true })).word).toBe("200");
    expect((await list({ host: "host-1", uid: 3000, listed: true })).word).toBe("rate_limited");
  });
});

it("who started a program is shown, and says nothing by itself", async () => {
  await asked(started());
  const { body } = await scene.rig.call("admin", "GET /v1/owner/requests");
  expect(body["requests"]).toMatchObject([
    { expected: false, started_by: { uid: UID, since: scene.rig.now() } },
  ]);
});
