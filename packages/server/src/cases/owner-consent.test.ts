import { base64url, verifyWit, witTrustOf } from "@countersign/core";
import type { CredentialStatement, JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { d, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import { textOf } from "../world.testing.ts";
import {
  askThrough,
  bringThrough,
  EDGE,
  enrolEdge,
  mediate,
  mediatedScene,
  through,
} from "./mediate.testing.ts";
import type { MediatedScene } from "./mediate.testing.ts";
import { before } from "./scene.testing.ts";
import { ownTrust } from "./trust.ts";

const bad = "approval_unsuitable";
const form = "malformed_request";
const halt = async ({ rig }: MediatedScene, scope: string, target: string): Promise<void> => {
  await rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "test" } });
};
type Act = (scene: MediatedScene, cs: string) => unknown;

describe("the composite of an owner's gateway, at the server", () => {
  it("N-8: makes the grant and answers the question; the credential says how", async () => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    expect((await bringThrough(scene, made)).body).toEqual({ cs: made.cs });
    const { store } = scene.rig.world;
    expect((await store.asks())[0]).toMatchObject({ state: "approved", cs: made.cs });
    const nonce = textOf((await through(scene, scene.host, "POST /v1/nonce", {})).body["nonce"]);
    const posted = await scene.host.make({ nonce, cs: made.cs });
    const issued = await through(scene, scene.host, "POST /v1/credential-requests", posted);
    expect(issued.word).toBe("200");
    const trust = witTrustOf(c, await ownTrust(scene.rig.world, []));
    const wit = await verifyWit(c, textOf(issued.body["wit"]), trust, scene.rig.now());
    expect(wit.owner).toMatchObject({ model: "owner", kind: "policy", oa: 1, cs: made.cs });
    const rows = await store.logRows(0, 100);
    const approved = rows.find(({ type }) => type === "approval.approved");
    expect(JSON.parse(new TextDecoder().decode(approved?.record))).toMatchObject({
      model: "owner",
      gateway: EDGE,
      proxy: scene.host.id,
    });
  });

  // what happens between the question and the composite
  it.each<readonly [string, Act, string]>([
    ["nothing", () => undefined, "200"],
    ["299 seconds", ({ rig }) => rig.advance(299), "200"],
    ["its 300 seconds", ({ rig }) => rig.advance(300), "approval_expired"],
    ["the agent halted", (s) => halt(s, "agent", s.host.agent), "halted"],
    ["the owner halted", (s) => halt(s, "owner", s.owner.id), "halted"],
    ["the host halted", (s) => halt(s, "proxy", s.host.id), "halted"],
    ["the gateway halted", (s) => halt(s, "proxy", EDGE), "halted"],
    ["everything halted", (s) => halt(s, "domain", "example.org"), "halted"],
    ["this very statement halted", (s, cs) => halt(s, "grant", cs), "halted"],
    [
      "the key removed",
      ({ rig, owner }) => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
      "key_not_enrolled",
    ],
    ["the entry removed", ({ rig }) => rig.call("admin", "DELETE /v1/entries/mailer"), bad],
    [
      "the entry narrowed",
      ({ put }) => put({ grant: { use: "standing", max_ttl: 60, max_live: 8, ceiling: [] } }),
      bad,
    ],
    [
      "the owner denied",
      async ({ rig, owner }) => owner.deny((await rig.world.store.asks())[0]?.id ?? ""),
      "already_decided",
    ],
    ["the agent asked anew", (s) => askThrough(s, { script: 9 }), "approval_expired"],
    [
      "the gateway lost this owner",
      ({ rig }) => enrolOver(rig, { owners: [] }),
      "gateway_not_allowed",
    ],
    [
      "the gateway lost this proxy",
      ({ rig }) => enrolOver(rig, { proxies: [] }),
      "gateway_not_allowed",
    ],
  ])("after %s", async (_name, act, word) => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    await act(scene, made.cs);
    expect((await bringThrough(scene, made)).word).toBe(word);
  });

  it.each<readonly [string, (body: CredentialStatement) => object, string]>([
    ["for another server", () => ({ aud: "https://id.other.org" }), bad],
    ["for another request", () => ({ req: d(9) }), bad],
    [
      "for another host",
      ({ agent }) => ({ agent: { ...agent, host: "spiffe://example.org/proxy/b" } }),
      bad,
    ],
    [
      "for another program",
      ({ agent }) => ({
        agent: {
          ...agent,
          meas: [
            { n: "binary", d: d(9) },
            { n: "script", d: d(2) },
          ],
        },
      }),
      bad,
    ],
    ["for more", ({ grant }) => ({ grant: { ...grant, max_live: 9 } }), bad],
    ["that waits", ({ iat }) => ({ exp: iat + 3600 }), bad],
    ["that denies", () => ({ decision: "deny" }), bad],
  ])("refuses a statement %s", async (_name, change, word) => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene), { body: change });
    expect((await bringThrough(scene, made)).word).toBe(word);
    expect(await scene.rig.world.store.grants()).toEqual([]);
  });

  it("refuses the signature of another key, and another R under the same statement", async () => {
    const scene = await mediatedScene();
    const posted = await askThrough(scene);
    const forged = await mediate(scene, posted, { by: generateSigner("Ed25519") });
    expect((await bringThrough(scene, forged)).word).toBe("key_not_enrolled");
    const made = await mediate(scene, posted);
    const other = { ...made.json, request: (await scene.host.make()).request };
    expect((await bringThrough(scene, { json: other })).word).toBe(bad);
  });

  it("is taken from a gateway only, and for the proxy that asked", async () => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    expect((await scene.host.call("POST /v1/owner-consents", made.json)).word).toBe(
      "gateway_not_allowed",
    );
    const passedOn = await through(scene, scene.host, "POST /v1/owner-consents", made.json);
    expect(passedOn.word).toBe("gateway_not_allowed"); // it calls for its owner, not for a proxy
    const elsewhere = { name: "elsewhere", owners: ["engine"], proxies: ["host-2"] };
    const far = { ...scene, edge: await enrolEdge(scene.rig, elsewhere) };
    expect((await bringThrough(far, made)).word).toBe("gateway_not_allowed");
    const unbidden = await enrolEdge(scene.rig, { name: "unbidden" });
    expect((await bringThrough({ ...scene, edge: unbidden }, made)).word).toBe(
      "gateway_not_allowed",
    );
  });

  it("I-34: a person's key does not sign at a gateway", async () => {
    const scene = await mediatedScene();
    const owner = await enrolOwner(scene.rig, "bob");
    await scene.put({ owner: owner.id });
    const edge = await enrolEdge(scene.rig, { owners: ["bob"], replace: true });
    const person = { ...scene, owner, edge };
    const made = await mediate(person, await askThrough(person));
    expect((await bringThrough(person, made)).word).toBe(bad);
  });

  it("DESIGN 3: is no use of the proxy's certificate, which may be another by then", async () => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    await scene.host.renew();
    expect((await through(scene, scene.host, "POST /v1/nonce", {})).word).toBe("200");
    expect((await bringThrough(scene, made)).body).toEqual({ cs: made.cs });
    expect((await through(scene, scene.host, "POST /v1/nonce", {})).word).toBe("200");
  });

  it("a statement that the server made is for the decision call", async () => {
    const scene = await mediatedScene();
    const posted = await askThrough(scene);
    const [ask] = await scene.rig.world.store.asks();
    const bytes = await scene.owner.open(ask?.id ?? "");
    const sig = await scene.owner.sign(bytes);
    const json = { request: posted.request, statement: base64url(bytes), sig };
    expect((await bringThrough(scene, { json })).word).toBe("statement_invalid");
    expect((await scene.owner.decide(ask?.id ?? "", bytes)).word).toBe("200");
  });

  it("T23: counts once; the same octets again get the same answer, others are a replay", async () => {
    const scene = await mediatedScene();
    const posted = await askThrough(scene);
    const made = await mediate(scene, posted);
    expect((await bringThrough(scene, made)).body).toEqual({ cs: made.cs });
    expect((await bringThrough(scene, made)).body).toEqual({ cs: made.cs });
    const resigned = { ...made.json, sig: await scene.owner.sign(new Uint8Array(3)) };
    expect((await bringThrough(scene, { json: resigned })).word).toBe("replayed");
    const next = await mediate(scene, posted);
    expect((await bringThrough(scene, next)).word).toBe("already_decided");
    expect(await scene.rig.world.store.grants()).toHaveLength(1);
    await halt(scene, "grant", made.cs);
    expect((await bringThrough(scene, made)).word).toBe("halted");
  });

  it("a burnt jti makes no second grant", async () => {
    const scene = await mediatedScene();
    const first = await mediate(scene, await askThrough(scene));
    await bringThrough(scene, first);
    const posted = await askThrough(scene, { script: 9 });
    const again = await mediate(scene, posted, { body: () => ({ jti: first.body.jti }) });
    expect((await bringThrough(scene, again)).word).toBe("replayed");
  });

  it("twenty at once make one grant", async () => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    const all = await Promise.all(Array.from({ length: 20 }, () => bringThrough(scene, made)));
    expect(new Set(all.map(({ word }) => word))).toEqual(new Set(["200"]));
    expect(await scene.rig.world.store.grants()).toHaveLength(1);
  });

  it.each(["lost-before", "lost-after"] as const)(
    "a commit %s is repaired by sending it again",
    async (how) => {
      let isArmed = false;
      const scene = await mediatedScene({
        wrap: (store) => faulty(store, "commit", how, () => isArmed),
      });
      const made = await mediate(scene, await askThrough(scene));
      isArmed = true;
      expect((await bringThrough(scene, made)).status).toBeGreaterThanOrEqual(500);
      isArmed = false;
      expect((await bringThrough(scene, made)).body).toEqual({ cs: made.cs });
      expect(await scene.rig.world.store.grants()).toHaveLength(1);
    },
  );

  it("a halt that comes between decision and commit wins", async () => {
    let scene: MediatedScene | undefined;
    const wrap = before("approval.approved", async () =>
      scene === undefined ? undefined : halt(scene, "entry", ENTRY_ID),
    );
    scene = await mediatedScene({ wrap });
    const made = await mediate(scene, await askThrough(scene));
    expect((await bringThrough(scene, made)).word).toBe("halted");
    expect(await scene.rig.world.store.grants()).toEqual([]);
  });

  it.each<readonly [string, (json: JsonObject) => JsonObject, string]>([
    ["a member that nobody asked for", (json) => ({ ...json, owner: "me" }), form],
    ["no signature", ({ request = "", statement = "" }) => ({ request, statement }), form],
    [
      "a statement that is no base64url",
      (json) => ({ ...json, statement: "*" }),
      "malformed_token",
    ],
    ["a request that is a number", (json) => ({ ...json, request: 1 }), form],
    ["a signature of no known kind", (json) => ({ ...json, sig: { k: "pgp", s: "AA" } }), form],
  ])("refuses %s", async (_name, change, word) => {
    const scene = await mediatedScene();
    const made = await mediate(scene, await askThrough(scene));
    expect((await bringThrough(scene, { json: change(made.json) })).word).toBe(word);
  });
});

/** Says anew for whom the gateway speaks and signs. */
function enrolOver(rig: MediatedScene["rig"], change: JsonObject): Promise<unknown> {
  const order = { name: "edge", owners: ["engine"], proxies: ["host-1"], replace: true, ...change };
  return rig.call("admin", "POST /v1/gateway-tokens", { json: order });
}
