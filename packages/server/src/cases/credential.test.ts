import { openRecord, readIssueRecord, readLeaf } from "@countersign/core";
import type { Digest, JsonObject } from "@countersign/core";
import { fromBase64url, parseJsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { d, enrolHost, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import type { Ask } from "../people.testing.ts";
import { entryOf, textOf } from "../world.testing.ts";
import type { Answered, Rig } from "../world.testing.ts";
import { approvedScene, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const rowsOf = async (rig: Rig, type: string): Promise<readonly JsonObject[]> => {
  const { body } = await rig.call("admin", "GET /v1/log?from=0");
  return (body["rows"] as readonly JsonObject[]).filter((row) => row["type"] === type); // as the admin says it
};
const recordOf = (row: JsonObject | undefined): JsonObject =>
  parseJsonObject(textOf(row?.["record"]), { maxBytes: 65_536, maxDepth: 12 });

describe("a request at the server", () => {
  const SWAPPED = "B".repeat(54);
  it.each<readonly [string, (scene: Scene) => Ask | Promise<Ask>, string]>([
    ["in order, not approved", () => ({}), "202"],
    ["nonce of nobody", () => ({ nonce: SWAPPED }), "nonce_unknown"],
    [
      "I-5: nonce of another host",
      async ({ rig }) => ({ nonce: await (await enrolHost(rig, "host-2")).nonce() }),
      "nonce_unknown",
    ],
    [
      "aud of another server",
      () => ({ request: { aud: "https://id.example.com" } }),
      "request_invalid",
    ],
    ["entry unknown", () => ({ request: { sub: `${ENTRY_ID}-9` } }), "entry_unknown"],
    ["a statement nobody made", () => ({ cs: d(9) }), "endorsement_invalid"],
    ["I-4: the proxy's own key", ({ host }) => ({ key: host.signer }), "key_reused"],
    [
      "I-4: an owner's key",
      async ({ rig }) => ({ key: (await enrolOwner(rig, "bob", generateSigner())).signer }),
      "key_reused",
    ],
    ["evidence of another request", () => ({ evidence: { req: d(9) } }), "evidence_invalid"],
  ])("%s → %#", async (_name, make, word) => {
    const scene = await makeScene();
    const ask = await make(scene);
    const answer = await scene.host.ask(ask);
    expect(answer.word).toBe(word);
    await scene.rig.close();
  });

  it("of an entry on another proxy is refused, and of a halted scope too", async () => {
    const { rig, put, host, owner } = await makeScene();
    await put({ proxy: "spiffe://example.org/proxy/host-2" });
    expect((await host.ask()).word).toBe("entry_not_served");
    await put({});
    const agent = host.agent;
    for (const [scope, target] of [
      ["agent", agent],
      ["entry", ENTRY_ID],
      ["owner", owner.id],
      ["proxy", host.id],
      ["domain", "example.org"],
    ]) {
      const { body } = await rig.call("admin", "POST /v1/halts", {
        json: { scope, target, reason: "" },
      });
      expect([scope, (await host.ask()).word]).toEqual([scope, "halted"]);
      await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`);
      expect([scope, (await host.ask()).word]).toEqual([scope, "202"]);
    }
    await rig.close();
  });

  it("says the code's R to the owner, never a name of its own (I-30)", async () => {
    const { rig, host, owner } = await makeScene();
    const { body } = await host.ask({ request: { note: "please" } });
    expect(body).toMatchObject({
      state: "asked",
      reasons: ["never approved before"],
      deadline: rig.now() + 3600,
    });
    const shown = await rig.call("admin", `GET /v1/owner/requests/${textOf(body["id"])}`);
    expect(shown.body).toMatchObject({
      owner: owner.id,
      agent: host.agent,
      claimed: { note: "please" },
      expected: false,
    });
    await rig.close();
  });
});

describe("issuing", () => {
  it("answers with both forms and the whole bundle, and leaves a row that opens", async () => {
    const { rig, host, owner, cs } = await approvedScene();
    const { body } = await host.ask({ cs });
    expect(body).toMatchObject({
      n: 1,
      expires_at: rig.now() + 900,
      bundle: { credential: { cs } },
    });
    const [row] = await rowsOf(rig, "credential.issued");
    const one = await rig.call("admin", `GET /v1/log/${textOf(row?.["seq"])}`);
    const salts = one.body["salts"] as JsonObject; // as the admin says it
    expect(Object.keys(salts).toSorted()).toEqual(["record", "wit", "x509"]);
    const record = openRecord(
      c,
      readLeaf(fromBase64url(textOf(one.body["leaf"]))),
      new TextEncoder().encode(textOf(one.body["record"])),
      fromBase64url(textOf(salts["record"])),
    );
    expect(record).toBeTruthy();
    expect(readIssueRecord(recordOf(row))).toMatchObject({
      agent: host.agent,
      owner: owner.id,
      cs,
      n: 1,
    });
    expect(one.text).not.toContain(textOf(body["wit"]).slice(0, 40));
    await rig.close();
  });

  it("another program → the owner is asked with the reason; unbound → refused (I-10)", async () => {
    const { rig, host, cs, put } = await approvedScene();
    const asked = await host.ask({ script: 3 });
    expect(asked.word).toBe("202");
    expect(JSON.stringify(asked.body["reasons"])).toContain("the program changed: script");
    expect((await host.ask({ cs, script: 3 })).word).toBe("202");
    expect((await host.ask({ cs })).word).toBe("200");
    const entry = { ...entryOf({ binding: "none", pins: [d(1), d(2)] }) };
    await rig.call("admin", "POST /v1/entries", { json: entry });
    expect((await host.ask()).word).toBe("200");
    expect((await host.ask({ script: 3 })).word).toBe("measurement_unknown");
    void put;
    await rig.close();
  });

  it("another anchor retires the installation, ends its grants and is said", async () => {
    const { rig, host, cs } = await approvedScene();
    expect((await host.ask({ cs })).word).toBe("200");
    const before = host.anchor;
    host.anchor = generateSigner();
    const asked = await host.ask();
    expect(JSON.stringify(asked.body["reasons"])).toContain(
      "replaces the installation of 2027-01-15",
    );
    host.anchor = before;
    expect((await host.ask({ cs })).word).toBe("202");
    await rig.close();
  });

  it("a key of one agent is refused for another (T8)", async () => {
    const { rig, host, cs, put } = await approvedScene();
    const key = generateSigner();
    expect((await host.ask({ cs, key })).word).toBe("200");
    expect((await host.ask({ cs, key })).word).toBe("key_reused");
    await put({ name: "other" });
    const other = `spiffe://example.org/agent/other`;
    expect((await host.ask({ request: { sub: other } })).word).toBe("key_reused"); // the anchor is the mailer's
    host.anchor = key;
    expect((await host.ask()).word).toBe("key_reused"); // a credential's key as anchor
    await rig.close();
  });

  it("T35: 50 renewals at once never exceed max_live, and n has no gap", async () => {
    const { rig, host, cs } = await approvedScene(
      {},
      { grant: { use: "standing", max_ttl: 900, max_live: 4, ceiling: [] } },
    );
    const made = await Promise.all(Array.from({ length: 50 }, () => host.make({ cs })));
    const answers = await Promise.all(made.map((posted) => host.post(posted)));
    const issued = answers
      .filter(({ status }) => status === 200)
      .map(({ body }) => Number(body["n"]));
    expect(issued.length).toBeGreaterThan(0);
    expect(issued.length).toBeLessThanOrEqual(4);
    expect(issued.toSorted((a, b) => a - b)).toEqual(issued.map((_n, i) => i + 1));
    const refused = answers.filter(({ status }) => status !== 200).map(({ word }) => word);
    expect(refused.filter((word) => !["too_many_live", "indeterminate"].includes(word))).toEqual(
      [],
    );
    rig.advance(900);
    expect((await host.ask({ cs })).body["n"]).toBe(issued.length + 1);
    await rig.close();
  });
});

describe("the same R again", () => {
  it("gets the stored outcome: asked", async () => {
    const { rig, host } = await makeScene();
    const posted = await host.make();
    const [one, two] = [await host.post(posted), await host.post(posted)];
    expect(two.body).toEqual(one.body);
    expect(await rowsOf(rig, "approval.asked")).toHaveLength(1);
    await rig.close();
  });

  it("gets the stored outcome: issued, with a proof under a later checkpoint", async () => {
    const { rig, host, cs } = await approvedScene();
    const posted = await host.make({ cs });
    const one = await host.post(posted);
    await host.ask({ cs });
    const two = await host.post(posted);
    expect([two.status, two.body["wit"], two.body["n"]]).toEqual([200, one.body["wit"], 1]);
    expect(await rowsOf(rig, "credential.issued")).toHaveLength(2);
    await rig.close();
  });

  it("I-6: 100 posts at once make one credential, and each gets it", async () => {
    const { rig, host, cs } = await approvedScene();
    const posted = await host.make({ cs });
    const answers = await Promise.all(Array.from({ length: 100 }, () => host.post(posted)));
    expect(new Set(answers.map(({ word }) => word))).toEqual(new Set(["200"]));
    expect(new Set(answers.map(({ body }) => body["jti"])).size).toBe(1);
    expect(await rowsOf(rig, "credential.issued")).toHaveLength(1);
    await rig.close();
  });

  const haltOf = (rig: Rig, scope: string, target: string): Promise<Answered> =>
    rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "" } });

  it.each<readonly [string, (scene: Scene & { cs: Digest }) => Promise<unknown>, string]>([
    ["after its own end", ({ rig }) => Promise.resolve(rig.advance(300)), "replayed"],
    ["a second before", ({ rig }) => Promise.resolve(rig.advance(299)), "200"],
    ["after the entry changed", ({ put }) => put({ uid: 1002 }), "stale"],
    [
      "after a halt of the agent",
      ({ rig, host }) =>
        rig.call("admin", "POST /v1/halts", {
          json: { scope: "agent", target: host.agent, reason: "" },
        }),
      "halted",
    ],
    ["after a halt of its approval", ({ rig, cs }) => haltOf(rig, "grant", cs), "halted"],
    ["after a halt of its owner", ({ rig, owner }) => haltOf(rig, "owner", owner.id), "halted"],
    ["after a halt of its entry", ({ rig }) => haltOf(rig, "entry", ENTRY_ID), "halted"],
    ["after a halt of its host", ({ rig, host }) => haltOf(rig, "proxy", host.id), "halted"],
    ["after a halt of everything", ({ rig }) => haltOf(rig, "domain", "example.org"), "halted"],
    [
      "after a halt that was lifted",
      async ({ rig, host }) => {
        const { body } = await haltOf(rig, "agent", host.agent);
        await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`);
      },
      "stale",
    ],
    [
      "after its owner's key was removed",
      ({ rig, owner }) => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
      "stale",
    ],
    [
      "after a halt of somebody else",
      ({ rig }) =>
        rig.call("admin", "POST /v1/halts", { json: { scope: "entry", target: "x", reason: "" } }),
      "stale",
    ],
  ])("%s → %#", async (_name, act, word) => {
    const scene = await approvedScene();
    const posted = await scene.host.make({ cs: scene.cs });
    expect((await scene.host.post(posted)).word).toBe("200");
    await act(scene);
    expect((await scene.host.post(posted)).word).toBe(word);
    await scene.rig.close();
  });

  it("from another host is a replay; another R with the nonce too", async () => {
    const { rig, host, cs } = await approvedScene();
    const nonce = await host.nonce();
    const posted = await host.make({ cs, nonce });
    expect((await host.post(posted)).word).toBe("200");
    expect((await (await enrolHost(rig, "host-2")).post(posted)).word).toBe("replayed");
    expect((await host.ask({ cs, nonce })).word).toBe("nonce_unknown");
    await rig.close();
  });
});

describe("refusals", () => {
  it("are logged once a minute for each caller and reason, with what was left out", async () => {
    const { rig, host } = await makeScene();
    for (let i = 0; i < 5; i += 1) await host.ask({ cs: d(9) });
    await host.ask({ nonce: "A".repeat(54) });
    rig.advance(60);
    await host.ask({ cs: d(9) });
    const rows = (await rowsOf(rig, "credential.refused")).map((row) => recordOf(row));
    expect(rows.map((row) => [row["caller"], row["reason"], row["suppressed"]])).toEqual([
      [host.id, "endorsement_invalid", 0],
      [host.id, "nonce_unknown", 0],
      [host.id, "endorsement_invalid", 4],
    ]);
    await rig.close();
  });

  it("say nothing beyond the table to the caller", async () => {
    const { rig, host } = await makeScene();
    const { body, type } = await host.ask({ cs: d(9) });
    expect(type).toBe("application/problem+json");
    expect(Object.keys(body).toSorted()).toEqual(["next", "reason", "status", "title", "type"]);
    await rig.close();
  });
});

describe("asking too often", () => {
  it("a new question of the entry supersedes the one before", async () => {
    const { rig, host, owner } = await makeScene();
    const one = await host.ask();
    const two = await host.ask();
    await expect(owner.approve(textOf(one.body["id"]))).rejects.toThrow("approval_expired");
    await owner.approve(textOf(two.body["id"]));
    await rig.close();
  });

  it("after a denial the entry waits an hour, then two (owner.md 1.7)", async () => {
    const { rig, host, owner } = await makeScene();
    for (const hours of [1, 2]) {
      const { body, word } = await host.ask();
      expect(word).toBe("202");
      expect((await owner.deny(textOf(body["id"]))).word).toBe("200");
      rig.advance(hours * 3600 - 1);
      expect((await host.ask()).word).toBe("approval_denied");
      rig.advance(1);
    }
    expect((await host.ask()).word).toBe("202");
    await rig.close();
  });

  it("T27: five pending of one owner and proxy are enough, but an entry's own question is superseded still", async () => {
    const { rig, host, put } = await makeScene();
    const words: string[] = [];
    const anchors = Array.from({ length: 6 }, () => generateSigner());
    for (const [i, anchor] of anchors.entries()) {
      await put({ name: `a${i}` });
      host.anchor = anchor;
      words.push((await host.ask({ request: { sub: `spiffe://example.org/agent/a${i}` } })).word);
    }
    expect(words).toEqual(["202", "202", "202", "202", "202", "approval_queue_full"]);
    host.anchor = anchors[0] ?? host.anchor;
    expect((await host.ask({ request: { sub: "spiffe://example.org/agent/a0" } })).word).toBe(
      "202",
    );
    await rig.close();
  });
});
