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
