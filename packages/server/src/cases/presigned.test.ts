import { base64url, parseJson, verifyWit, witTrustOf } from "@countersign/core";
import type { CredentialStatement, JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { d, enrolHost, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { bring, presign } from "./presign.testing.ts";
import type { PresignChange } from "./presign.testing.ts";
import { approvedScene, before, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";
import { publishedBundle } from "./trust.ts";

const DAY = 86_400;
const bad = "approval_unsuitable";

const halt = async ({ rig }: Scene, scope: string, target: string): Promise<string> =>
  textOf(
    (await rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "test" } })).body[
      "id"
    ],
  );
const grants = async ({ rig }: Scene): Promise<readonly JsonObject[]> =>
  (await rig.call("admin", "GET /v1/grants")).body["grants"] as readonly JsonObject[]; // as the admin says it

type Act = (scene: Scene, cs: string) => unknown;
const nothing: Act = () => undefined;

describe("an approval that was signed beforehand, at the server", () => {
  // what happens between the signing and the day that the server can be reached
  it.each<readonly [string, Act, string]>([
    ["nothing", nothing, "200"],
    ["almost a day", ({ rig }) => rig.advance(DAY - 1), "200"],
    ["the day that a software key may give", ({ rig }) => rig.advance(DAY), "approval_expired"],
    ["seven days", ({ rig }) => rig.advance(7 * DAY), "request_expired"],
    ["the agent halted", (s) => halt(s, "agent", s.host.agent), "halted"],
    ["the entry halted", (s) => halt(s, "entry", ENTRY_ID), "halted"],
    ["the owner halted", (s) => halt(s, "owner", s.owner.id), "halted"],
    ["the host halted", (s) => halt(s, "proxy", s.host.id), "halted"],
    ["this very statement halted, unknown as it is", (s, cs) => halt(s, "grant", cs), "halted"],
    [
      "this very statement halted, and the stop lifted",
      async (s, cs) => s.rig.call("admin", `DELETE /v1/halts/${await halt(s, "grant", cs)}`, {}),
      "halted",
    ],
    ["another statement halted", (s) => halt(s, "grant", d(7)), "200"],
    [
      "the key removed",
      ({ rig, owner }) => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
      "key_not_enrolled",
    ],
    [
      "the entry removed",
      ({ rig }) => rig.call("admin", "DELETE /v1/entries/mailer"),
      "entry_unknown",
    ],
    [
      "the entry narrowed",
      ({ put }) => put({ grant: { use: "standing", max_ttl: 60, max_live: 8, ceiling: [] } }),
      bad,
    ],
    [
      "the entry of another owner",
      async ({ rig, put }) => put({ owner: (await enrolOwner(rig, "bob")).id }),
      bad,
    ],
    [
      "the entry on another host",
      async ({ rig, put }) => put({ proxy: (await enrolHost(rig, "host-2")).id }),
      "entry_not_served",
    ],
  ])("after %s → %#", async (_name, act, word) => {
    const scene = await makeScene();
    const made = await presign(scene);
    await act(scene, made.cs);
    const answer = await bring(scene.host, made);
    expect(answer.word).toBe(word);
    expect(await grants(scene)).toHaveLength(word === "200" ? 1 : 0);
    await scene.rig.close();
  });

  it.each<readonly [string, PresignChange, string]>([
    ["a denial", { body: () => ({ decision: "deny" }) }, bad],
    ["by a key that nobody enrolled", { by: generateSigner("Ed25519") }, "key_not_enrolled"],
    [
      "another owner's name",
      { body: (b) => ({ owner: { ...b.owner, id: `${b.owner.id}9` } }) },
      bad,
    ],
    ["another request", { body: () => ({ req: d(7) }) }, bad],
    ["another nonce", { body: () => ({ nonce: "A".repeat(43) }) }, bad],
    ["R with another nonce", { body: () => ({ nonce: "A".repeat(22) }) }, bad],
    ["another anchor", { body: (b) => ({ agent: { ...b.agent, jkt: d(7).slice(8) } }) }, bad],
    ["R of another installation", { request: { anchor: d(7).slice(8) } }, bad],
    ["R for another entry", { request: { sub: `${ENTRY_ID}2` } }, "entry_unknown"],
    ["R for another server", { request: { aud: "https://id.example.com" } }, "request_invalid"],
    [
      "for another host",
      { body: (b) => ({ agent: { ...b.agent, host: "spiffe://example.org/proxy/host-9" } }) },
      bad,
    ],
    ["for any host", { body: ({ agent: { host: _any, ...agent } }) => ({ agent }) }, "200"],
    ["for another server", { body: () => ({ aud: "https://id.example.com" }) }, bad],
    ["more at the same time than registered", { body: wider({ max_live: 9 }) }, bad],
    ["longer than registered", { body: wider({ max_ttl: 901 }) }, bad],
    ["less than registered", { body: wider({ max_live: 4 }) }, "200"],
    ["a view we do not know", { body: (b) => ({ view: { ...b.view, d: d(7) } }) }, bad],
  ])("of changed words: %s → %#", async (_name, change, word) => {
    const scene = await makeScene();
    expect((await bring(scene.host, await presign(scene, change))).word).toBe(word);
    await scene.rig.close();
  });

  it("of any member with one character changed is refused", async () => {
    const scene = await makeScene();
    const { json } = await presign(scene);
    for (const name of ["request", "statement"]) {
      const octets = textOf(json[name]);
      for (let at = 3; at < octets.length; at += 31) {
        const other = octets[at] === "A" ? "B" : "A";
        const changed = `${octets.slice(0, at)}${other}${octets.slice(at + 1)}`;
        const answer = await bring(scene.host, { json: { ...json, [name]: changed } });
        expect([name, at, answer.status >= 400 && answer.status < 500]).toEqual([name, at, true]);
      }
    }
    const sig = await scene.owner.sign(new Uint8Array(3));
    expect((await bring(scene.host, { json: { ...json, sig } })).word).toBe("signature_invalid");
    expect(await grants(scene)).toEqual([]);
    expect((await bring(scene.host, { json })).word).toBe("200");
    await scene.rig.close();
  });

  it("is refused from another proxy, and with the anchor of another agent", async () => {
    const scene = await makeScene();
    const other = await enrolHost(scene.rig, "host-2");
    const made = await presign(scene);
    expect((await bring(other, made)).word).toBe("entry_not_served");
    const taken = { ...scene, host: Object.assign(scene.host, { anchor: scene.host.signer }) };
    expect((await bring(scene.host, await presign(taken))).word).toBe("key_reused");
    await scene.rig.close();
  });
});

function wider(
  change: Partial<CredentialStatement["grant"]>,
): (body: CredentialStatement) => object {
  return (body) => ({ grant: { ...body.grant, ...change } });
}

describe("exactly once", () => {
  it("the same octets again get the same answer, from the same proxy only", async () => {
    const scene = await makeScene();
    const made = await presign(scene);
    const first = await bring(scene.host, made);
    expect(first.body).toEqual({ cs: made.cs });
    const size = await scene.rig.logSize();
    expect((await bring(scene.host, made)).body).toEqual(first.body);
    expect(await scene.rig.logSize()).toBe(size);
    const other = await enrolHost(scene.rig, "host-2");
    expect((await bring(other, made)).word).toBe("replayed");
    expect(await grants(scene)).toHaveLength(1);
    await scene.rig.close();
  });

  it("another statement with the same jti, or another signature, is refused", async () => {
    const scene = await makeScene();
    const made = await presign(scene);
    await bring(scene.host, made);
    const again = await presign(scene, { body: () => ({ jti: made.body.jti }) });
    expect((await bring(scene.host, again)).word).toBe("replayed");
    const sig = await scene.owner.sign(new Uint8Array(3));
    expect((await bring(scene.host, { json: { ...made.json, sig } })).word).toBe("replayed");
    const { request } = (await presign(scene)).json;
    const moved = { ...made.json, request: textOf(request) };
    expect((await bring(scene.host, { json: moved })).word).toBe("replayed");
    await scene.rig.close();
  });

  it("of 20 posts at once, one makes the grant, and all hear of it", async () => {
    const scene = await makeScene();
    const made = await presign(scene);
    const answers = await Promise.all(Array.from({ length: 20 }, () => bring(scene.host, made)));
    expect(answers.map(({ word }) => word)).toEqual(Array.from({ length: 20 }, () => "200"));
    expect(await grants(scene)).toHaveLength(1);
    await scene.rig.close();
  });

  it("a stop that comes in between wins, and burns it", async () => {
    let scene: Scene | undefined;
    let cs = "";
    const act = async (): Promise<unknown> =>
      scene === undefined ? undefined : halt(scene, "grant", cs);
    scene = await makeScene({ wrap: before("approval.approved", act) });
    const made = await presign(scene);
    ({ cs } = made);
    expect((await bring(scene.host, made)).word).toBe("halted");
    expect(await grants(scene)).toEqual([]);
    await scene.rig.close();
  });

  it("a grant that was ended is not given again", async () => {
    const scene = await makeScene();
    const made = await presign(scene);
    await bring(scene.host, made);
    const id = await halt(scene, "agent", scene.host.agent);
    await scene.rig.call("admin", `DELETE /v1/halts/${id}`);
    expect((await bring(scene.host, made)).word).toBe("halted");
    await scene.rig.close();
  });

  it("a statement of the server's own is for the decision call, and no other is", async () => {
    const scene = await makeScene();
    const asked = await scene.host.ask();
    const id = textOf(asked.body["id"]);
    const bytes = await scene.owner.open(id);
    const sig = await scene.owner.sign(bytes);
    const request = (await scene.rig.world.store.ask(id))?.request ?? "";
    const json = { request, statement: base64url(bytes), sig };
    expect((await bring(scene.host, { json })).word).toBe("statement_invalid");
    const made = await presign(scene);
    const posted = {
      decision: "approve",
      statement: made.json["statement"],
      sig: made.json["sig"],
    };
    const decided = await scene.rig.call("admin", `POST /v1/owner/requests/${id}/decision`, {
      json: posted,
    });
    expect(decided.word).toBe("statement_invalid");
    await scene.rig.close();
  });
});

describe("what it gives", () => {
  it("a grant under which the covered path issues, and a credential that says so", async () => {
    const scene = await makeScene();
    const { rig, host } = scene;
    const made = await presign(scene);
    await bring(host, made);
    expect(
      (await host.post({ request: textOf(made.json["request"]), ...(await rest(scene)) })).word,
    ).toMatch(/request_invalid|nonce_unknown|evidence_invalid/);
    const issued = await host.ask({ cs: made.cs });
    expect(issued.word).toBe("200");
    const domain = {
      origin: "spiffe://example.org",
      bundle: await publishedBundle(rig.world),
      ownerPins: [],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const trust = witTrustOf(c, new Map([[domain.origin, domain]]));
    const wit = await verifyWit(c, textOf(issued.body["wit"]), trust, rig.now());
    expect(wit.owner).toMatchObject({ cs: made.cs, model: "agent", n: 1 });
    await rig.close();
  });

  it("nothing to another program: the owner is asked", async () => {
    const scene = await makeScene();
    const made = await presign(scene);
    await bring(scene.host, made);
    expect((await scene.host.ask({ cs: made.cs, script: 9 })).word).toBe("202");
    await scene.rig.close();
  });

  it("answers the open question of the same program, and leaves that of another", async () => {
    for (const [script, state] of [
      [2, "approved"],
      [9, "asked"],
    ] as const) {
      const scene = await makeScene();
      const asked = await scene.host.ask({ script });
      await bring(scene.host, await presign(scene));
      expect((await scene.rig.world.store.ask(textOf(asked.body["id"])))?.state).toBe(state);
      await scene.rig.close();
    }
  });

  it("stands in the log beside other approvals, and refusals do", async () => {
    const scene = await approvedScene();
    const made = await presign(scene);
    await bring(scene.host, made);
    await bring(scene.host, await presign(scene, { body: () => ({ req: d(7) }) }));
    const size = await scene.rig.logSize();
    const [approved, refused] = await scene.rig.world.store.logRows(size - 2, size);
    expect([approved?.type, refused?.type]).toEqual(["approval.approved", "credential.refused"]);
    const record = parseJson(approved?.record ?? "", { maxBytes: 4096, maxDepth: 4 });
    expect(record).toMatchObject({ cs: made.cs, model: "agent", proxy: scene.host.id });
    await scene.rig.close();
  });
});

/** E and N of another request of the same host. */
async function rest({ host }: Scene): Promise<{ evidence: string; endorsement: string }> {
  const { evidence, endorsement } = await host.make();
  return { evidence, endorsement };
}
