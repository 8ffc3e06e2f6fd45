import { describe, expect, it } from "vitest";
import {
  fromBase64url,
  hashOf,
  open,
  parseJson,
  presentedOf,
  readBundle,
  REQUEST,
  requestCode,
  verify,
} from "../../packages/core/src/index.ts";
import type { JsonObject, Trust } from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { publishedBundle } from "../../packages/server/src/cases/trust.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

/** A whole whose agent holds its first credential. */
async function held(between: Between = {}): Promise<Whole> {
  const whole = await makeWhole(between);
  await whole.credential();
  await whole.approve();
  await whole.until(async () => (await whole.status())["state"] === "held");
  return whole;
}

const issued = async ({ scene }: Whole): Promise<number> =>
  (await scene.rig.world.store.credentials()).length;
const asks = async ({
  scene,
}: Whole): Promise<
  readonly { state: string; reasons: readonly { code: string; text: string }[] }[]
> => scene.rig.world.store.asks();
const halt = async ({ scene }: Whole, scope: string, target: string): Promise<string> =>
  textOf(
    (await scene.rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "" } })).body[
      "id"
    ],
  );

describe("the first credential", () => {
  it("comes after the owner has approved, and both ends show one code", async () => {
    const whole = await makeWhole();
    expect(await whole.status()).toMatchObject({ entry: ENTRY_ID, state: "none" });
    expect((await whole.proof()).word).toBe("no_credential");
    const asked = await whole.credential(undefined, "please");
    expect(asked.body).toMatchObject({ state: "waiting", reasons: ["never approved before"] });
    const [ask] = await whole.scene.rig.world.store.asks();
    expect(asked.body["code"]).toBe(requestCode(c, ask?.request ?? ""));
    expect((await open(c, REQUEST, ask?.request ?? "")).claims.note).toBe("please");
    expect((await whole.proof()).word).toBe("waiting_for_owner");
    expect(await issued(whole)).toBe(0);
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const { body } = await whole.credential();
    expect(body).toMatchObject({
      id: whole.scene.host.agent.slice(0, 0) + textOf(body["id"]),
      expires_at: whole.w.clock() + 900,
    });
    expect(await issued(whole)).toBe(1);
    await whole.end();
  });

  it("asking again while waiting asks nobody twice", async () => {
    const whole = await makeWhole();
    const [one, two] = await Promise.all([whole.credential(), whole.credential()]);
    expect(one.body["code"]).toBe(two.body["code"]);
    expect((await whole.credential()).body["code"]).toBe(one.body["code"]);
    expect(await asks(whole)).toHaveLength(1);
    await whole.end();
  });

  it("who waits gets it when it comes", async () => {
    const whole = await makeWhole();
    const waiting = whole.call("POST /v1/credential?wait=300", {});
    await whole.until(async () => (await asks(whole)).length === 1);
    await whole.approve();
    expect((await waiting).word).toBe("200");
    await whole.end();
  });

  it("who waits too long is told what to wait for", async () => {
    const whole = await makeWhole();
    const waiting = whole.call("POST /v1/credential?wait=10", {});
    await whole.until(async () => (await asks(whole)).length === 1);
    await whole.heard();
    whole.timers.advance(10_000);
    expect((await waiting).word).toBe("202");
    await whole.end();
  });

  it("is verified by a stranger with the server switched off", async () => {
    const whole = await held();
    const { owner, rig } = whole.scene;
    const { body } = await whole.call("POST /v1/proof", {
      aud: "https://mail.example.com/",
      evidence: true,
      headers: { "x-id": "1" },
      txn: "t",
    });
    const evidence = textOf(body["evidence"]);
    const bundle = readBundle(fromBase64url(evidence));
    const domain = {
      origin: "spiffe://example.org",
      bundle: await publishedBundle(rig.world),
      ownerPins: [{ jkt: owner.jkt, owner: owner.id }],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const trust: Trust = new Map([[domain.origin, domain]]);
    const presented = presentedOf(textOf(body["wit"]), undefined, bundle);
    const verdict = await verify(c, presented, trust, { proof: "logged" }, whole.w.clock());
    expect(verdict).toMatchObject({ proof: "logged", owner: { id: owner.id } });
    const claims = parseJson(fromBase64url(textOf(body["wpt"]).split(".")[1] ?? ""), {
      maxBytes: 4096,
      maxDepth: 4,
    });
    expect(claims).toMatchObject({
      aud: "https://mail.example.com/",
      wth: hashOf(c, textOf(body["wit"])),
      tth: hashOf(c, "t"),
      oth: { "x-id": hashOf(c, "1"), "agent-owner-evidence": hashOf(c, evidence) },
      exp: whole.w.clock() + 30,
    });
    await whole.end();
  });
});

describe("renewal", () => {
  it("at half life, with a new key and without asking", async () => {
    const whole = await held();
    const before = (await whole.credential()).body["wit"];
    await whole.pass(404); // half, earlier by up to a tenth
    expect(await issued(whole)).toBe(1);
    await whole.pass(46);
    await whole.until(async () => (await issued(whole)) === 2);
    await whole.heard();
    expect((await whole.credential()).body["wit"]).not.toBe(before);
    expect((await whole.status())["n"]).toBe(2);
    expect(await asks(whole)).toHaveLength(1);
    await whole.end();
  });

  it("I-11: a changed program is not renewed; its own call asks the owner with the reason first", async () => {
    const whole = await held();
    whole.door.scripts.set(4711, 3);
    expect((await whole.proof()).word).toBe("measurement_changed");
    await whole.pass(450);
    expect(await issued(whole)).toBe(1);
    const asked = await whole.credential();
    expect(asked.word).toBe("202");
    expect(JSON.stringify(asked.body["reasons"])).toContain("the program changed: script");
    expect(await issued(whole)).toBe(1);
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("an approval for one credential is used up: nobody is asked for another by itself", async () => {
    const grant = { use: "single", max_ttl: 900, max_live: 4, ceiling: [] };
    const whole = await held({ entry: { grant } });
    await whole.pass(850);
    expect(await issued(whole)).toBe(1);
    expect(await asks(whole)).toHaveLength(1);
    await whole.end();
  });

  it("a process that ended is not renewed", async () => {
    const whole = await held();
    const [session] = whole.agents.sessionsOf(whole.door);
    session?.adopt({ ...gone(), keep: gone }, undefined);
    await whole.pass(450);
    expect(await issued(whole)).toBe(1);
    await whole.end();
  });

  it("T15: another program at the same door gets neither credential nor proof of the first", async () => {
    const whole = await held();
    whole.door.scripts.set(9, 3);
    expect((await whole.proof(undefined, 9)).word).toBe("measurement_changed");
    expect((await whole.status(9))["state"]).toBe("none");
    const asked = await whole.credential(9);
    expect([asked.word, asked.body["wit"]]).toEqual(["202", undefined]);
    expect((await whole.proof(undefined, 9)).word).toBe("waiting_for_owner");
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("a wider registration is asked for; the newer approval is the one that is used", async () => {
    const ceiling = (...actions: readonly string[]): JsonObject => ({
      grant: {
        use: "standing",
        max_ttl: 900,
        max_live: 8,
        ceiling: actions.map((action) => ({
          type: "http_api",
          locations: ["https://mail.example.com/"],
          actions: [action],
        })),
      },
    });
    const whole = await held({ entry: ceiling("send") });
    await whole.scene.put(ceiling("send", "delete"));
    await whole.pass(450);
    await whole.until(async () => (await asks(whole)).length === 2);
    expect((await asks(whole)).flatMap(({ reasons }) => reasons.map(({ code }) => code))).toContain(
      "ceiling_changed",
    );
    await whole.approve();
    await whole.until(async () => (await issued(whole)) === 2);
    expect(await asks(whole)).toHaveLength(2);
    await whole.end();
  });
});

describe("a no", () => {
  it("the agent is told that the owner denied", async () => {
    const whole = await makeWhole();
    const waiting = whole.call("POST /v1/credential?wait=300", {});
    await whole.until(async () => (await asks(whole)).length === 1);
    const [ask] = await whole.scene.rig.world.store.asks();
    await whole.scene.owner.deny(ask?.id ?? "");
    expect((await waiting).word).toBe("approval_denied");
    expect(await whole.status()).toMatchObject({ state: "none", reason: "approval_denied" });
    expect((await whole.credential()).word).toBe("approval_denied");
    await whole.end();
  });

  it.each<readonly [string, (whole: Whole) => string]>([
    ["agent", (whole) => whole.agents.sessionsOf(whole.door)[0]?.held?.id ?? ""],
    ["entry", () => ENTRY_ID],
    ["grant", (whole) => whole.agents.sessionsOf(whole.door)[0]?.held?.cs ?? ""],
    ["owner", ({ scene }) => scene.owner.id],
    ["proxy", ({ scene }) => scene.host.id],
    ["domain", () => "example.org"],
  ])(
    "I-49: a halt of the %s drops keys and refuses proofs; lifting it gives nothing",
    async (scope, target) => {
      const whole = await held();
      const id = await halt(whole, scope, target(whole));
      await whole.heard();
      expect((await whole.proof()).word).toBe("halted");
      expect((await whole.status())["state"]).toBe("halted");
      expect((await whole.credential()).body).toMatchObject(
        scope === "grant" ? { state: "waiting" } : { reason: "halted" },
      );
      await whole.scene.rig.call("admin", `DELETE /v1/halts/${id}`);
      await whole.heard();
      expect((await whole.credential()).word).toBe("202");
      expect(await issued(whole)).toBe(1);
      await whole.end();
    },
  );

  it("an owner's key that is removed takes its approval with it", async () => {
    const whole = await held();
    await whole.scene.rig.call("admin", `DELETE /v1/owner/keys/${whole.scene.owner.jkt}`);
    await whole.heard();
    expect((await whole.proof()).word).toBe("halted");
    expect((await whole.credential()).word).toBe("202");
    await whole.end();
  });
});

describe("the server away", () => {
  it("the credential is used to its end, and renewed when the server is back", async () => {
    const whole = await held();
    whole.wire.cut();
    await whole.until(() => !whole.w.server().isConnected);
    whole.scene.rig.advance(460);
    whole.timers.advance(460_000);
    await whole.until(() => whole.timers.waiting > 0);
    expect((await whole.proof()).word).toBe("200");
    whole.scene.rig.advance(440);
    expect((await whole.proof()).word).not.toBe("200");
    expect((await whole.credential()).word).toBe("unreachable");
    whole.wire.mend();
    await whole.heard();
    expect((await whole.credential()).word).toBe("200");
    await whole.end();
  });

  it("an entry without offline_proofs gets none after a minute", async () => {
    const whole = await held({ entry: { offline_proofs: false } });
    whole.wire.cut();
    await whole.until(() => !whole.w.server().isConnected);
    whole.scene.rig.advance(60);
    expect((await whole.proof()).word).toBe("200");
    whole.scene.rig.advance(1);
    expect((await whole.proof()).word).toBe("offline");
    whole.wire.mend();
    await whole.heard();
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });
});

describe("where a proof is for", () => {
  it.each<readonly [string, string, string]>([
    ["an address of the registration", "https://mail.example.com/v1", "200"],
    ["another address", "https://bank.example.com/", "outside_audiences"],
    ["a longer name", "https://mail.example.com.evil.example/", "outside_audiences"],
    ["plain http", "http://mail.example.com/", "malformed_request"],
    ["loopback, not in development", "http://127.0.0.1:8080/", "malformed_request"],
    ["no address", "mail", "malformed_request"],
    ["an address with a user", "https://a@mail.example.com/", "malformed_request"],
  ])("%s → %#", async (_name, aud, word) => {
    const whole = await held();
    expect((await whole.proof(aud)).word).toBe(word);
    await whole.end();
  });

  it("inside the ceiling, where the owner signed one, whatever the registration lists", async () => {
    const grant = {
      use: "standing",
      max_ttl: 900,
      max_live: 8,
      ceiling: [{ type: "http_api", locations: ["https://a.example/x"], actions: [] }],
    };
    const whole = await held({ entry: { grant, audiences: ["*"] } });
    expect((await whole.proof("https://a.example/x/y")).word).toBe("200");
    expect((await whole.proof("https://a.example/y")).word).toBe("outside_ceiling");
    expect((await whole.proof("https://mail.example.com/")).word).toBe("outside_ceiling");
    await whole.end();
  });
});

function gone(): Parameters<Whole["agents"]["session"]>[1] {
  return {
    pid: 4711,
    uid: 1001,
    gid: 1001,
    startTime: 1,
    isAlive: () => false,
    keep: gone,
    close: () => undefined,
  };
}
