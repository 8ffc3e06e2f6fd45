import { describe, expect, it } from "vitest";
import { enrolOwner } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import type { Answered, Rig } from "../world.testing.ts";
import { expireAsks } from "./expire.ts";
import { askedOfSeveral } from "./quorum.testing.ts";
import { askedScene, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const read = (rig: Rig, owner = "alice"): Promise<Answered> =>
  rig.call("admin", `GET /v1/owner/habits?owner=${owner}`);
const habits = async (rig: Rig, owner?: string) => (await read(rig, owner)).body;

async function asked({ host, rig }: Scene): Promise<string> {
  rig.advance(60);
  return textOf((await host.ask({ script: 2 })).body["id"]);
}

/** Opens, waits and signs. */
async function signAfter(rig: Rig, owner: Owner, id: string, seconds: number): Promise<void> {
  const bytes = await owner.open(id);
  rig.advance(seconds);
  expect((await owner.decide(id, bytes)).word).toBe("200");
}

async function sample(rig: Rig, name: string): Promise<string | undefined> {
  const { text } = await rig.call("admin", "GET /metrics");
  expect(text).not.toContain("alice");
  return text
    .split("\n")
    .find((line) => line.startsWith(`${name} `))
    ?.slice(name.length + 1);
}

describe("how an owner decides (owner.md 1.7)", () => {
  it("is timed from the first opening, whatever was made anew since", async () => {
    const { rig, owner, id } = await askedScene();
    await owner.open(id);
    rig.advance(400); // the first statement is over
    await signAfter(rig, owner, id, 1);
    expect(await habits(rig)).toMatchObject({ approved: 1, timed: 1, median_seconds: 401 });
    await rig.close();
  });

  it("is timed by owner, not by key", async () => {
    const { rig, owner, id } = await askedScene();
    const second = await enrolOwner(rig, "alice", undefined, [owner]);
    await owner.open(id);
    rig.advance(30);
    await signAfter(rig, second, id, 1);
    expect(await habits(rig)).toMatchObject({ timed: 1, median_seconds: 31 });
    await rig.close();
  });

  it("tells ten that were signed at once", async () => {
    const scene = await makeScene();
    const { rig, owner } = scene;
    for (let count = 1; count <= 10; count += 1) {
      expect(await habits(rig)).toMatchObject({ signs: [] });
      await signAfter(rig, owner, await asked(scene), 1);
    }
    expect(await habits(rig)).toEqual({
      owner: owner.id,
      since: rig.now() - 30 * 86_400,
      decided: 10,
      approved: 10,
      expired: 0,
      unseen: 0,
      by_machine: 0,
      timed: 10,
      median_seconds: 1,
      signs: ["signed_at_once"],
    });
    expect(await sample(rig, 'countersign_owners_with_sign{sign="signed_at_once"}')).toBe("1");
    expect(await sample(rig, 'countersign_owners_with_sign{sign="always_approved"}')).toBe("0");
    const times = "countersign_time_to_sign_seconds";
    expect(await sample(rig, `${times}_bucket{by="person",le="1"}`)).toBe("10");
    await rig.close();
  });

  it("counts denials, and what ended unanswered, opened or not", async () => {
    const scene = await makeScene();
    const { rig, owner } = scene;
    await owner.deny(await asked(scene));
    rig.advance(3600);
    await asked(scene);
    rig.advance(3600);
    await expireAsks(rig.world);
    rig.advance(86_400);
    await owner.open(await asked(scene));
    rig.advance(3600);
    await expireAsks(rig.world);
    expect(await habits(rig)).toMatchObject({ decided: 1, approved: 0, expired: 2, unseen: 1 });
    rig.advance(31 * 86_400);
    expect(await habits(rig)).toMatchObject({ decided: 0, expired: 0 });
    await rig.close();
  });

  it("counts a program's signatures apart", async () => {
    const scene = await makeScene();
    const { rig } = scene;
    const engine = await enrolOwner(rig, "engine", undefined, [], "policy");
    await scene.put({ owner: engine.id });
    await signAfter(rig, engine, await asked(scene), 0);
    expect(await habits(rig, "engine")).toMatchObject({ decided: 0, timed: 0, by_machine: 1 });
    const times = "countersign_time_to_sign_seconds_count";
    expect(await sample(rig, `${times}{by="machine"}`)).toBe("1");
    expect(await sample(rig, `${times}{by="person"}`)).toBeUndefined();
    await rig.close();
  });

  it("is each one's own, where several sign", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    const first = await alice.open(id);
    rig.advance(40);
    await alice.decide(id, first);
    await signAfter(rig, bob, id, 1);
    expect(await habits(rig, "alice")).toMatchObject({ approved: 1, median_seconds: 40 });
    expect(await habits(rig, "bob")).toMatchObject({ approved: 1, median_seconds: 1 });
    expect(await habits(rig, "carol")).toMatchObject({ decided: 0, expired: 0 });
    const times = 'countersign_time_to_sign_seconds_count{by="person"}';
    expect(await sample(rig, times)).toBe("2");
    await rig.close();
  });

  it("is of nobody where nobody has the name", async () => {
    const { rig } = await makeScene();
    expect((await read(rig, "nobody")).word).toBe("not_found");
    await rig.close();
  });
});
