import { describe, expect, it } from "vitest";
import { ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { expireAsks } from "./expire.ts";
import { knownOf } from "./known.ts";
import { makeScene } from "./scene.testing.ts";

describe("who was denied", () => {
  it("after three denials it asks no more, until the owner lets it (owner.md 1.7)", async () => {
    const { rig, host, owner } = await makeScene();
    for (const hours of [1, 2, 4]) {
      const denied = await owner.deny(textOf((await host.ask()).body["id"]));
      const isLast = hours === 4;
      expect(denied.body).toMatchObject({ state: "denied", blocked: isLast });
      expect(denied.body["again_at"]).toBe(isLast ? undefined : rig.now() + hours * 3600);
      rig.advance(hours * 3600);
    }
    rig.advance(2 * 86_400);
    const { word, body } = await host.ask();
    expect(word).toBe("approval_denied");
    expect(body["next"]).toMatch(/countersign owner unblock/);
    const unblock = async (name: string): Promise<string> =>
      (await rig.call("admin", `POST /v1/owner/agents/${name}/unblock`)).word;
    expect(await unblock("nobody")).toBe("not_found");
    expect(await unblock("mailer")).toBe("200");
    rig.advance(1);
    const again = await host.ask();
    expect(again.word).toBe("202");
    // from the beginning
    expect((await owner.deny(textOf(again.body["id"]))).body).toMatchObject({
      again_at: rig.now() + 3600,
    });
    await rig.close();
  });

  it("an approval forgets the denials before it, and the wait is never longer than a day", async () => {
    const { rig, host, owner } = await makeScene();
    const ask = async (): Promise<string> => textOf((await host.ask({ script: 9 })).body["id"]);
    await owner.deny(await ask());
    rig.advance(3600);
    await owner.approve(await ask());
    rig.advance(1);
    for (const hours of [1, 2]) {
      const denied = await owner.deny(await ask());
      expect(denied.body["again_at"]).toBe(rig.now() + hours * 3600);
      rig.advance(hours * 3600);
    }
    rig.advance(86_400);
    for (let count = 0; count < 8; count += 1) {
      await ask();
      rig.advance(3600);
      await expireAsks(rig.world); // unanswered ones count half
    }
    const rows = await rig.world.store.known({
      proxy: host.id,
      entry: ENTRY_ID,
      agent: host.agent,
      now: rig.now(),
    });
    const blocked = knownOf(rig.world, rows).askBlockedUntil ?? 0;
    const last = rows.denials.find(({ state }) => state === "denied")?.at ?? 0;
    expect(blocked - last).toBe(86_400);
    await rig.close();
  });
});
