import { describe, expect, it } from "vitest";
import { enrolOwner, ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { approvedScene, askedScene, before } from "./scene.testing.ts";

const halt = (scope: string, target: string) => ({ json: { scope, target, reason: "test" } });

describe("races, each decided by the guard", () => {
  it("a halt between the decision and its commit: the approval takes no effect", async () => {
    let act: () => Promise<unknown> = () => Promise.resolve();
    const { rig, owner, id } = await askedScene({ wrap: before("approval.approved", () => act()) });
    act = () => rig.call("admin", "POST /v1/halts", halt("entry", ENTRY_ID));
    const bytes = await owner.open(id);
    expect((await owner.decide(id, bytes)).word).toBe("stale");
    expect((await owner.decide(id, bytes)).word).toBe("halted");
    expect((await rig.call("admin", "GET /v1/grants")).body["grants"]).toEqual([]);
    await rig.close();
  });

  it("a halt between the decision and the issue: nothing is issued", async () => {
    let act: () => Promise<unknown> = () => Promise.resolve();
    const { rig, host, cs } = await approvedScene({
      wrap: before("credential.issued", () => act()),
    });
    act = () => rig.call("admin", "POST /v1/halts", halt("grant", cs));
    expect((await host.ask({ cs })).word).toBe("halted");
    expect((await rig.call("admin", "GET /v1/credentials")).body["credentials"]).toEqual([]);
    await rig.close();
  });

  it("an approval between the look at a key's grants and its removal: that grant ends too", async () => {
    let act: () => Promise<unknown> = () => Promise.resolve();
    const { rig, owner, id, host } = await askedScene({ wrap: before("key.removed", () => act()) });
    const bytes = await owner.open(id);
    let cs: unknown;
    act = async () => (cs = (await owner.decide(id, bytes)).body["cs"]);
    expect((await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`)).word).toBe("200");
    expect(cs).toMatch(/^sha-256:/);
    expect((await rig.call("admin", "GET /v1/grants")).body["grants"]).toEqual([]);
    expect((await host.ask({ cs: cs as `sha-256:${string}` })).word).toBe("202"); // as the server said it
    await rig.close();
  });
});

describe("many issues under one grant at once", () => {
  const RENEWALS = { use: "standing", max_ttl: 900, ceiling: [] };

  it.each([32, 100])(
    "%d of them, where as many may live: each has an ordinal of its own",
    async (count) => {
      const { rig, host, cs } = await approvedScene(
        {},
        { grant: { ...RENEWALS, max_live: count } },
      );
      const posted = await Promise.all(Array.from({ length: count }, () => host.make({ cs })));
      const answers = await Promise.all(posted.map((request) => host.post(request)));
      expect(answers.filter(({ word }) => word !== "200").map(({ word }) => word)).toEqual([]);
      expect(answers.map(({ body }) => Number(body["n"])).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: count }, (_, n) => n + 1),
      );
      expect((await host.ask({ cs })).word).toBe("too_many_live");
      await rig.close();
    },
  );

  it.each([
    ["max_live", { ...RENEWALS, max_live: 8 }, "too_many_live"],
    ["max_issue", { ...RENEWALS, max_live: 32, max_issue: 8 }, "202"],
  ])("above %s none is issued", async (_bound, grant, otherwise) => {
    const { rig, host, cs } = await approvedScene({}, { grant });
    const posted = await Promise.all(Array.from({ length: 32 }, () => host.make({ cs })));
    const words = (await Promise.all(posted.map((request) => host.post(request)))).map(
      (a) => a.word,
    );
    expect(words.filter((word) => word === "200")).toHaveLength(8);
    expect(new Set(words)).toEqual(new Set(["200", otherwise]));
    expect((await rig.world.store.grant(cs))?.issued).toBe(8);
    await rig.close();
  });

  it("one that fails does not hold up those behind it", async () => {
    const { rig, host, cs } = await approvedScene();
    const bad = { ...(await host.make({ cs })), evidence: (await host.make({ cs })).evidence };
    const good = await host.make({ cs });
    const unknown = await host.make({ cs, script: 3 });
    const words = (await Promise.all([bad, unknown, good].map((r) => host.post(r)))).map(
      (a) => a.word,
    );
    expect(words).toEqual(["evidence_invalid", "202", "200"]);
    await rig.close();
  });
});

describe("halting is easy, granting is hard", () => {
  it("a halt ends the grants; lifting it gives nothing back", async () => {
    const { rig, host, cs, owner } = await approvedScene();
    const { body } = await rig.call("admin", "POST /v1/halts", halt("owner", owner.id));
    expect((await host.ask({ cs })).word).toBe("halted");
    expect((await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`)).word).toBe("200");
    expect((await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`)).word).toBe(
      "not_found",
    );
    const again = await host.ask({ cs });
    expect([again.word, again.body["reasons"]]).toEqual(["202", ["the approval has ended"]]);
    await rig.close();
  });

  it("a removed key stays in the trust bundle as removed, and may not come back", async () => {
    const { rig, owner } = await approvedScene();
    const earlier = JSON.parse((await rig.call("public", "GET /bundle")).text) as {
      spiffe_sequence: number;
    };
    await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
    const { body } = await rig.call("public", "GET /bundle");
    expect(body).toMatchObject({
      spiffe_sequence: earlier.spiffe_sequence + 1,
      countersign: { removed_owner_keys: [owner.jkt] },
    });
    await expect(enrolOwner(rig, "alice", owner.signer)).rejects.toThrow("key_reused");
    expect((await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`)).word).toBe("not_found");
    await rig.close();
  });
});
