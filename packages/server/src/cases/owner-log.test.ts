import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enrolOwner } from "../people.testing.ts";
import { ownLog } from "./owner-log.ts";
import { logRow } from "./record.ts";
import { askedScene } from "./scene.testing.ts";

/** More than one read of the store looks through. */
const OTHERS = 2100;

describe("an owner's entries in a log that is full of another's", () => {
  let scene: Awaited<ReturnType<typeof askedScene>>;
  beforeAll(async () => {
    scene = await askedScene();
    const { world, now } = scene.rig;
    const { id: owner } = await enrolOwner(scene.rig, "bob");
    const row = (n: number) =>
      logRow(world, {
        type: "approval.expired",
        t: now(),
        actor: "server",
        // it names the first owner, and is not his
        record: { v: 1, owner, n, ...(n % 50 === 0 ? { by: scene.owner.id } : {}) },
      });
    await Promise.all(
      Array.from({ length: OTHERS }, (_one, n) => world.store.commit({ log: row(n), changes: [] })),
    );
  });
  afterAll(() => scene.rig.close());

  it("are found, his alone, and others have their turn in between", async () => {
    const turns: number[] = [];
    let isDone = false;
    const turn = (): void => {
      turns.push(turns.length);
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const { entries, size, next } = await ownLog(scene.rig.world, scene.owner.id);
    isDone = true;
    expect(entries.map(({ row }) => row.type)).toEqual([
      "approval.asked",
      "entry.added",
      "key.added",
    ]);
    expect(size).toBeGreaterThan(OTHERS);
    expect(next).toBeUndefined();
    expect(turns.length).toBeGreaterThan(1);
  });

  it("are given twenty-five at a time, each once, the newest first", async () => {
    const { world } = scene.rig;
    const { id: bob } = (await world.store.owners()).find(({ name }) => name === "bob") ?? {
      id: "",
    };
    const seqs: number[] = [];
    for (let before: number | undefined; seqs.length < 250;) {
      const { entries, next } = await ownLog(world, bob, before === undefined ? {} : { before });
      expect(entries).toHaveLength(25);
      seqs.push(...entries.map(({ row }) => row.seq));
      before = next;
    }
    const [first = 0] = seqs;
    expect(seqs).toEqual(seqs.map((_seq, i) => first - i));
  });
});
