import type { JsonObject } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OwnerSessions } from "../cases/owner-sessions.ts";
import { askedOfSeveral } from "../cases/quorum.testing.ts";
import type { Asked } from "../cases/quorum.testing.ts";
import { enrolOwner, ENTRY_ID } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { readAnswer, seededRandom } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { consoleApp } from "./console.ts";

/** Where several owners are asked, each of them sees, denies and stops in his console. */
describe("the console of one of several owners", () => {
  let scene: Asked;
  let dave: Owner;
  let as: (owner: Owner, what: string, json?: JsonObject) => Promise<Answered>;
  beforeEach(async () => {
    scene = await askedOfSeveral();
    const { rig } = scene;
    dave = await enrolOwner(rig, "dave");
    const sessions = new OwnerSessions(nodeCrypto, seededRandom("sessions"));
    const app = consoleApp(rig.world, {
      feed: rig.owners,
      heeded: rig.feed.heeded,
      sessions,
      site: new Map(),
    });
    const [origin = ""] = rig.world.config.consent.origins;
    as = async ({ id, jkt }, what, json) => {
      const { token } = sessions.begin(id, jkt, rig.now());
      const [method = "", path = ""] = what.split(" ");
      const headers = {
        host: new URL(origin).host,
        origin,
        "content-type": "application/json",
        "countersign-session": token,
        cookie: `__Host-countersign=${token}`,
      };
      const body = json === undefined ? {} : { body: JSON.stringify(json) };
      return readAnswer(
        await app(new Request(`${origin}${path}`, { method, headers, ...body }), {}),
      );
    };
  });
  afterEach(() => scene.rig.close());

  it("shows him the question, with who has signed; and nothing to somebody else", async () => {
    const { alice, bob, carol, id } = scene;
    await alice.decide(id, await alice.open(id));
    for (const owner of [alice, bob, carol]) {
      const { body } = await as(owner, "GET /v1/owner/requests");
      expect(body["requests"]).toMatchObject([{ id, parties: { m: 2 } }]);
      expect((await as(owner, `GET /v1/owner/requests/${id}`)).word).toBe("200");
    }
    expect((await as(dave, "GET /v1/owner/requests")).body["requests"]).toEqual([]);
    expect((await as(dave, `GET /v1/owner/requests/${id}`)).word).toBe("not_found");
  });

  it("shows each of them what the log says of the question, and nobody else", async () => {
    const { alice, bob, carol } = scene;
    const typesOf = async (owner: Owner): Promise<readonly unknown[]> => {
      const { body } = await as(owner, "GET /v1/owner/log");
      return (body["entries"] as readonly JsonObject[]).map(({ type }) => type);
    };
    for (const owner of [alice, bob, carol])
      expect(await typesOf(owner)).toContain("approval.asked");
    expect(await typesOf(dave)).toEqual(["key.added"]);
  });

  it("takes his no, and nobody else's", async () => {
    const { carol, id, rig } = scene;
    const what = `POST /v1/owner/requests/${id}/decision`;
    expect((await as(dave, what, { decision: "deny" })).word).toBe("not_found");
    expect((await as(carol, what, { decision: "deny" })).word).toBe("200");
    expect((await rig.world.store.ask(id))?.state).toBe("denied");
    const denied = (await rig.world.store.logRows(0, 100)).find(
      ({ type }) => type === "approval.denied",
    );
    // which of them it was
    expect(new TextDecoder().decode(denied?.record)).toContain(`"by":"session of ${carol.id}"`);
  });

  it("stops the agent for him, and for nobody else", async () => {
    const { alice, bob, carol, id, rig, host } = scene;
    await alice.decide(id, await alice.open(id));
    const cs = await bob.approve(id);
    const halt = { scope: "entry", target: ENTRY_ID };
    expect((await as(dave, "POST /v1/owner/halt", halt)).word).toBe("not_found");
    expect((await host.ask({ cs })).word).toBe("200");
    expect((await as(carol, "POST /v1/owner/halt", halt)).word).toBe("200");
    expect((await host.ask({ cs })).word).toBe("halted");
    expect((await rig.world.store.grant(cs))?.endedAt).toBeDefined();
  });

  it("says that the agent is stopped, whichever of them stopped all of his", async () => {
    const { alice, bob } = scene;
    const stateOf = async (owner: Owner): Promise<unknown> =>
      (await as(owner, "GET /v1/owner/agents")).body["agents"];
    expect(await stateOf(bob)).toMatchObject([{ entry: ENTRY_ID, state: "waiting" }]);
    expect((await as(alice, "POST /v1/owner/halt", { scope: "owner" })).word).toBe("200");
    expect(await stateOf(bob)).toMatchObject([{ entry: ENTRY_ID, state: "stopped" }]);
    expect(await stateOf(dave)).toEqual([]);
  });
});
