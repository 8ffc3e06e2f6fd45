import { base64url, readStatement, writeStatement } from "@countersign/core";
import type { CredentialStatement, JsonObject } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { textOf } from "../world.testing.ts";
import { d, enrolOwner, ENTRY_ID, Owner } from "../people.testing.ts";
import { askedScene, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

/** The statement with one thing changed, as a hostile renderer would have it signed. */
function changed(bytes: Uint8Array, change: (body: CredentialStatement) => object): Uint8Array {
  const { body } = readStatement(c, bytes);
  if (body.kind !== "credential") throw new TypeError("not of this kind");
  return writeStatement(c, { ...body, ...change(body) }).bytes;
}

const halt = (scope: string, target: string) => ({ json: { scope, target, reason: "test" } });
type Act = (scene: Scene & { readonly id: string; readonly bytes: Uint8Array }) => unknown;
const nothing: Act = () => undefined;

// each row: what happens between the opening and the posting of the signature
const BETWEEN: readonly (readonly [string, Act, string])[] = [
  ["nothing", nothing, "200"],
  ["four minutes", ({ rig }) => rig.advance(240), "200"],
  ["five minutes", ({ rig }) => rig.advance(300), "approval_expired"],
  ["an hour", ({ rig }) => rig.advance(3600), "approval_expired"],
  ["approved", ({ owner, id, bytes }) => owner.decide(id, bytes), "already_decided"],
  ["denied", ({ owner, id }) => owner.deny(id), "already_decided"],
  ["asked anew", ({ host }) => host.ask(), "approval_expired"],
  [
    "the agent halted",
    ({ rig, host }) => rig.call("admin", "POST /v1/halts", halt("agent", host.agent)),
    "halted",
  ],
  [
    "the entry halted",
    ({ rig }) => rig.call("admin", "POST /v1/halts", halt("entry", ENTRY_ID)),
    "halted",
  ],
  [
    "the owner halted",
    ({ rig, owner }) => rig.call("admin", "POST /v1/halts", halt("owner", owner.id)),
    "halted",
  ],
  [
    "the host halted",
    ({ rig, host }) => rig.call("admin", "POST /v1/halts", halt("proxy", host.id)),
    "halted",
  ],
  [
    "everything halted",
    ({ rig }) => rig.call("admin", "POST /v1/halts", halt("domain", "example.org")),
    "halted",
  ],
  [
    "this very statement halted",
    ({ rig, bytes }) =>
      rig.call("admin", "POST /v1/halts", halt("grant", readStatement(c, bytes).cs)),
    "halted",
  ],
  [
    "somebody else halted",
    ({ rig }) => rig.call("admin", "POST /v1/halts", halt("entry", "x")),
    "200",
  ],
  [
    "the key removed",
    ({ rig, owner }) => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
    "key_not_enrolled",
  ],
  [
    "the entry removed",
    ({ rig }) => rig.call("admin", "DELETE /v1/entries/mailer"),
    "approval_unsuitable",
  ],
  [
    "the entry narrowed",
    ({ put }) => put({ grant: { use: "standing", max_ttl: 60, max_live: 8, ceiling: [] } }),
    "approval_unsuitable",
  ],
  [
    "the entry of another owner",
    async ({ rig, put }) => put({ owner: (await enrolOwner(rig, "bob")).id }),
    "approval_unsuitable",
  ],
  ["the entry changed in what is not signed", ({ put }) => put({ offline_proofs: false }), "200"],
];

describe("an approval at the server", () => {
  it.each(BETWEEN)("after %s → %#", async (_name, act, word) => {
    const scene = await askedScene();
    const bytes = await scene.owner.open(scene.id);
    await act({ ...scene, bytes });
    expect((await scene.owner.decide(scene.id, bytes)).word).toBe(word);
    await scene.rig.close();
  });

  it.each<readonly [string, Act]>([
    [
      "the agent",
      ({ rig, host }) => rig.call("admin", "POST /v1/halts", halt("agent", host.agent)),
    ],
    ["its owner", ({ rig, owner }) => rig.call("admin", "POST /v1/halts", halt("owner", owner.id))],
    ["its host", ({ rig, host }) => rig.call("admin", "POST /v1/halts", halt("proxy", host.id))],
  ])("after a halt of %s, nothing is made to be signed", async (_name, act) => {
    const scene = await askedScene();
    await act({ ...scene, bytes: new Uint8Array() });
    await expect(scene.owner.open(scene.id)).rejects.toThrow(/^halted$/);
    await scene.rig.close();
  });

  it("a registration whose approval nobody could sign is refused when it is made", async () => {
    const grant = { use: "standing", max_ttl: 900, max_live: 60_000, ceiling: [] };
    const { rig, put } = await makeScene();
    expect(await put({ grant })).toBe("malformed_request");
    expect(await put({ grant: { ...grant, max_issue: 10_000_000 } })).toBe("200");
    await rig.close();
  });

  it("while the server holds, nothing is made to be signed and no grant is made", async () => {
    const { rig, owner, id } = await askedScene();
    const bytes = await owner.open(id);
    rig.advance(-61); // the newest leaf is of the question
    await expect(owner.open(id)).rejects.toThrow(/^hold$/);
    expect((await owner.decide(id, bytes)).word).toBe("hold");
    expect(await rig.world.store.grants()).toEqual([]);
    await rig.close();
  });

  // what the owner signs in place of what was made for him; `jti` stays
  it.each<readonly [string, (body: CredentialStatement) => object, string]>([
    ["nothing", () => ({}), "200"],
    ["T24: a denial", () => ({ decision: "deny" }), "approval_unsuitable"],
    ["another statement's jti", () => ({ jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A" }), "statement_invalid"],
    ["another request", () => ({ req: d(7) }), "approval_unsuitable"],
    [
      "another anchor",
      (b) => ({ agent: { ...b.agent, jkt: d(7).slice(8) } }),
      "approval_unsuitable",
    ],
    [
      "other measurements",
      (b) => ({ agent: { ...b.agent, meas: [{ n: "binary", d: d(7) }] } }),
      "approval_unsuitable",
    ],
    ["another server", () => ({ aud: "https://id.example.com" }), "approval_unsuitable"],
    ["a wider grant", (b) => ({ grant: { ...b.grant, max_live: 9 } }), "approval_unsuitable"],
    ["a narrower grant", (b) => ({ grant: { ...b.grant, max_live: 4 } }), "200"],
    ["a view we do not know", (b) => ({ view: { ...b.view, d: d(7) } }), "approval_unsuitable"],
  ])("of changed bytes: %s → %#", async (_name, change, word) => {
    const { rig, owner, id } = await askedScene();
    const bytes = changed(await owner.open(id), change);
    expect((await owner.decide(id, bytes)).word).toBe(word);
    await rig.close();
  });

  it.each<readonly [string, (scene: Scene & { id: string }) => Promise<string>, string]>([
    [
      "signed by a stranger",
      async ({ owner, id }) =>
        (await owner.decide(id, await owner.open(id), generateSigner("Ed25519"))).word,
      "key_not_enrolled",
    ],
    [
      "I-29: by another owner's key, who opened it himself",
      async ({ rig, id }) => {
        const bob = await enrolOwner(rig, "bob");
        return bob.open(id).then(
          () => "200",
          (error: Error) => error.message,
        );
      },
      "key_not_enrolled",
    ],
    [
      "the statement of another request",
      async ({ rig, host, owner, put, id }) => {
        const bytes = await owner.open(id);
        await put({ name: "other" });
        host.anchor = generateSigner();
        const other = await host.ask({ request: { sub: "spiffe://example.org/agent/other" } });
        void rig;
        return (await owner.decide(textOf(other.body["id"]), bytes)).word;
      },
      "statement_invalid",
    ],
    [
      "by the owner's second key, for the first one's statement",
      async ({ rig, owner, id }) => {
        const second = await enrolOwner(rig, "alice");
        return (await owner.decide(id, await owner.open(id), second.signer)).word;
      },
      "key_not_enrolled",
    ],
    [
      "by the owner's second key, opened for it",
      async ({ rig, owner, id }) => {
        const second = await enrolOwner(rig, "alice");
        expect(second.id).toBe(owner.id);
        return (await second.decide(id, await second.open(id))).word;
      },
      "200",
    ],
    [
      "for an hour elsewhere",
      async ({ rig, owner, id }) => {
        const bytes = await owner.open(id, owner.jkt, "&elsewhere=1");
        rig.advance(3599);
        return (await owner.decide(id, bytes)).word;
      },
      "200",
    ],
    [
      "of a request that is none",
      async ({ owner }) =>
        owner.open("nobody").then(
          () => "200",
          (error: Error) => error.message,
        ),
      "not_found",
    ],
  ])("%s → %#", async (_name, act, word) => {
    const scene = await askedScene();
    expect(await act(scene)).toBe(word);
    await scene.rig.close();
  });

  it("T23: of 20 posts at once, one makes the grant", async () => {
    const { rig, owner, id } = await askedScene();
    const bytes = await owner.open(id);
    const words = await Promise.all(Array.from({ length: 20 }, () => owner.decide(id, bytes)));
    const others = words.map(({ word }) => word).filter((word) => word !== "200");
    expect(others).toHaveLength(19);
    expect(others.filter((word) => word !== "already_decided" && word !== "replayed")).toEqual([]);
    expect((await rig.call("admin", "GET /v1/grants")).body["grants"]).toHaveLength(1);
    await rig.close();
  });

  it("gives a software key 24 hours", async () => {
    const { rig, owner, id } = await askedScene();
    const { body } = readStatement(c, await owner.open(id));
    expect(body.kind === "credential" && body.grant.exp - body.grant.nbf).toBe(86_400);
    await rig.close();
  });

  it("I-38: denial and expiry are logged; the agent's words are erased in time", async () => {
    const { rig, owner, id, host } = await askedScene();
    await owner.deny(id);
    rig.advance(3600);
    await host.ask();
    rig.advance(3600);
    const { expireAsks, sweep } = await import("./expire.ts");
    expect(await expireAsks(rig.world)).toBe(1);
    expect(await expireAsks(rig.world)).toBe(0);
    const rows = (await rig.call("admin", "GET /v1/log")).body["rows"] as readonly JsonObject[]; // as the admin says it
    const types = rows.map((row) => row["type"]);
    expect(types.slice(-4)).toEqual([
      "approval.asked",
      "approval.denied",
      "approval.asked",
      "approval.expired",
    ]);
    rig.advance(31 * 86_400);
    await sweep(rig.world);
    expect((await rig.world.store.ask(id))?.request).toBeUndefined();
    await rig.close();
  });
});

describe("enrolling an owner's key", () => {
  it.each<readonly [string, (scene: Scene) => Promise<string>, string]>([
    ["twice", ({ rig, owner }) => wordOf(enrolOwner(rig, "bob", owner.signer)), "key_reused"],
    [
      "I-4: the host's key",
      ({ rig, host }) => wordOf(enrolOwner(rig, "bob", host.signer)),
      "key_reused",
    ],
    ["a name that is none", ({ rig }) => wordOf(enrolOwner(rig, "Bob!")), "malformed_request"],
    [
      "signed by another key",
      ({ rig }) => enrolWith(rig, { by: generateSigner("Ed25519") }),
      "key_not_enrolled",
    ],
    ["an hour later", ({ rig }) => enrolWith(rig, { after: 3600 }), "approval_expired"],
    ["a second earlier", ({ rig }) => enrolWith(rig, { after: 3599 }), "200"],
    ["twice with one statement", ({ rig }) => enrolWith(rig, { times: 2 }), "replayed"],
  ])("%s → %#", async (_name, act, wanted) => {
    const scene = await makeScene();
    expect(await act(scene)).toBe(wanted);
    await scene.rig.close();
  });
});

async function wordOf(made: Promise<unknown>): Promise<string> {
  return made.then(
    () => "200",
    (error: Error) => error.message,
  );
}

async function enrolWith(
  rig: Scene["rig"],
  how: {
    readonly by?: ReturnType<typeof generateSigner>;
    readonly after?: number;
    readonly times?: number;
  },
): Promise<string> {
  const signer = generateSigner("Ed25519");
  const { body } = await rig.call("admin", "POST /v1/owner/keys/options", {
    json: { name: "bob", kind: "person", jwk: signer.key },
  });
  const bytes = Buffer.from(textOf(body["jcs"]), "base64url");
  const sig = await new Owner(rig, "", signer).sign(bytes, how.by ?? signer);
  rig.advance(how.after ?? 0);
  let last = "";
  for (let i = 0; i < (how.times ?? 1); i += 1)
    last = (
      await rig.call("admin", "POST /v1/owner/keys", {
        json: { statement: base64url(bytes), sig, comment: "" },
      })
    ).word;
  return last;
}
