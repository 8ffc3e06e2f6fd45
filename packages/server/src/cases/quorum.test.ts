import { readStatement, writeStatement } from "@countersign/core";
import type { CredentialStatement, Digest, JsonObject } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { d, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";
import { expireAsks } from "./expire.ts";
import { bring, presign } from "./presign.testing.ts";
import {
  askedOfSeveral,
  credentialOf,
  halt,
  partiesOf,
  removeKeyOf,
  severalScene,
} from "./quorum.testing.ts";
import type { Asked, Several } from "./quorum.testing.ts";

const VIEW_OF_ONE: Digest = "sha-256:IoP2qumV7ZscHkQXrTEL73WL8sTpBZ18p2GzIfsmr4s";

const typesOf = async (rig: Rig): Promise<readonly unknown[]> =>
  ((await rig.call("admin", "GET /v1/log")).body["rows"] as readonly JsonObject[]) // as the admin says it
    .map((row) => row["type"]);
const grantsOf = async (rig: Rig): Promise<number> =>
  ((await rig.call("admin", "GET /v1/grants")).body["grants"] as readonly unknown[]).length; // as above
/** The word of an opening that may be refused. */
const opening = (made: Promise<unknown>): Promise<string> =>
  made.then(
    () => "200",
    (error: Error) => error.message,
  );

type Act = (scene: Asked) => unknown;

// each row: what happens after alice has signed and bob has opened, before his signature comes
const BETWEEN: readonly (readonly [string, Act, string])[] = [
  ["nothing", () => undefined, "200"],
  ["fifty-nine minutes", ({ rig }) => rig.advance(3599), "200"],
  ["an hour", ({ rig }) => rig.advance(3600), "approval_expired"],
  ["carol said no", ({ carol, id }) => carol.deny(id), "already_decided"],
  [
    "carol signed",
    async ({ carol, id }) => carol.decide(id, await carol.open(id)),
    "already_decided",
  ],
  ["asked anew", ({ host }) => host.ask(), "approval_expired"],
  ["bob's key removed", ({ bob }) => removeKeyOf(bob), "key_not_enrolled"],
  ["alice's key removed", ({ alice }) => removeKeyOf(alice), "stale"],
  ["carol's key removed", ({ carol }) => removeKeyOf(carol), "stale"],
  ["a key added for carol", ({ rig }) => enrolOwner(rig, "carol"), "stale"],
  ["a key added for somebody else", ({ rig }) => enrolOwner(rig, "dave"), "200"],
  [
    "one more demanded",
    ({ put, alice, bob, carol }) => put({ parties: partiesOf(3, alice, bob, carol) }),
    "stale",
  ],
  [
    "bob no longer asked",
    ({ put, alice, carol }) => put({ parties: partiesOf(2, alice, carol) }),
    "key_not_enrolled",
  ],
  ["one owner enough", ({ put }) => put({}), "key_not_enrolled"],
  [
    "asked of bob first",
    ({ put, alice, bob, carol }) =>
      put({ owner: bob.id, parties: partiesOf(2, alice, bob, carol) }),
    "approval_unsuitable",
  ],
  [
    "the entry narrowed",
    ({ put, alice, bob, carol }) =>
      put({
        parties: partiesOf(2, alice, bob, carol),
        grant: { use: "standing", max_ttl: 60, max_live: 8, ceiling: [] },
      }),
    "approval_unsuitable",
  ],
  [
    "the entry removed",
    ({ rig }) => rig.call("admin", "DELETE /v1/entries/mailer"),
    "key_not_enrolled",
  ],
  ["alice halted", ({ rig, alice }) => halt(rig, "owner", alice.id), "halted"],
  ["bob halted", ({ rig, bob }) => halt(rig, "owner", bob.id), "halted"],
  ["carol halted", ({ rig, carol }) => halt(rig, "owner", carol.id), "halted"],
  ["the entry halted", ({ rig }) => halt(rig, "entry", ENTRY_ID), "halted"],
  [
    "what alice signed halted",
    async ({ rig }) => {
      const [row] = await rig.world.store.asks();
      const [signed] = await rig.world.store.signatures({ req: row?.req ?? d(0) });
      return halt(rig, "grant", signed?.cs ?? "");
    },
    "halted",
  ],
];

describe("what takes two of three owners", () => {
  it("is granted by the second who signs, not by the first", async () => {
    const { rig, host, alice, bob, carol, id } = await askedOfSeveral();
    const first = await bob.decide(id, await bob.open(id));
    expect(first.body).toEqual({
      state: "signed",
      agent: host.agent,
      signed: 1,
      needed: 2,
      missing: [
        { id: alice.id, name: "alice" },
        { id: carol.id, name: "carol" },
      ].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    });
    expect(await grantsOf(rig)).toBe(0);
    expect((await rig.world.store.ask(id))?.state).toBe("asked");
    const bytes = await alice.open(id);
    const second = await alice.decide(id, bytes);
    expect(second.body).toMatchObject({ state: "approved", agent: host.agent });
    const [grant] = await rig.world.store.grants();
    expect(grant).toMatchObject({ cs: second.body["cs"], owner: bob.id, ownerJkt: bob.jkt });
    expect(grant?.cs).not.toBe(readStatement(c, bytes).cs);
    expect((await typesOf(rig)).slice(-3)).toEqual([
      "approval.asked",
      "approval.signed",
      "approval.approved",
    ]);
    await rig.close();
  });

  it("shows each of them the same, but for who signs and the number", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    const first = credentialOf(await alice.open(id));
    rig.advance(60);
    const { owner, jti, ...others } = credentialOf(await bob.open(id));
    expect([owner.id, jti === first.jti]).toEqual([bob.id, false]);
    expect({ ...others, owner: first.owner, jti: first.jti }).toEqual(first);
    await rig.close();
  });

  it("stands in the requests of each of them, with who has signed", async () => {
    const { rig, alice, bob, carol, id } = await askedOfSeveral();
    await enrolOwner(rig, "dave");
    await bob.decide(id, await bob.open(id));
    const of = async (name: string): Promise<readonly JsonObject[]> =>
      (await rig.call("admin", `GET /v1/owner/requests?owner=${name}`)).body[
        "requests"
      ] as readonly JsonObject[]; // as the admin says it
    const owners = [
      { id: alice.id, name: "alice", signed: false },
      { id: bob.id, name: "bob", signed: true },
      { id: carol.id, name: "carol", signed: false },
    ].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const name of ["alice", "bob", "carol"])
      expect(await of(name)).toMatchObject([{ id, parties: { m: 2, owners } }]);
    expect(await of("dave")).toEqual([]);
    await rig.close();
  });

  it.each(BETWEEN)("by bob's signature after %s → %#", async (_name, act, word) => {
    const scene = await askedOfSeveral();
    const { alice, bob, rig, id } = scene;
    await alice.decide(id, await alice.open(id));
    const bytes = await bob.open(id);
    await act(scene);
    expect((await bob.decide(id, bytes)).word).toBe(word);
    const isGranted = word === "200" || _name === "carol signed";
    expect(await rig.world.store.grants()).toHaveLength(isGranted ? 1 : 0);
    await rig.close();
  });

  it.each<readonly [string, (body: CredentialStatement) => Partial<CredentialStatement>, string]>([
    ["nothing", () => ({}), "200"],
    ["a narrower grant", (b) => ({ grant: { ...b.grant, max_live: 4 } }), "stale"],
    ["another nonce", () => ({ nonce: "A".repeat(22) }), "stale"],
    ["another second", (b) => ({ iat: b.iat + 1 }), "stale"],
    [
      "the view for one owner",
      ({ grant: { parties: _none, ...grant }, view }) => ({
        grant,
        view: { ...view, tpl: "credential/1", d: VIEW_OF_ONE },
      }),
      "stale",
    ],
    ["a denial", () => ({ decision: "deny" }), "approval_unsuitable"],
  ])("not by other octets than he was shown: %s → %#", async (_name, change, word) => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    await alice.decide(id, await alice.open(id));
    const body = credentialOf(await bob.open(id));
    const { bytes } = writeStatement(c, { ...body, ...change(body) });
    expect((await bob.decide(id, bytes)).word).toBe(word);
    await rig.close();
  });

  it.each<readonly [string, (scene: Asked, bytes: Uint8Array) => Promise<string>, string]>([
    ["opens it", ({ alice, id }) => opening(alice.open(id)), "already_signed"],
    [
      "opens it for another key of his",
      async ({ rig, alice, id }) => {
        const [, second] = await rig.world.store.ownerKeys(alice.id);
        return opening(alice.open(id, second?.jkt));
      },
      "already_signed",
    ],
    [
      "posts it",
      async ({ alice, id }, bytes) => (await alice.decide(id, bytes)).word,
      "already_signed",
    ],
  ])("not by one of them who signs twice: %s", async (_name, act, word) => {
    const scene = await severalScene();
    await enrolOwner(scene.rig, "alice");
    const id = textOf((await scene.host.ask()).body["id"]);
    const bytes = await scene.alice.open(id);
    await scene.alice.decide(id, bytes);
    expect(await act({ ...scene, id }, bytes)).toBe(word);
    expect(await grantsOf(scene.rig)).toBe(0);
    await scene.rig.close();
  });

  it("not by two keys of one owner, both opened before either signed", async () => {
    const scene = await severalScene();
    const second = await enrolOwner(scene.rig, "alice");
    const id = textOf((await scene.host.ask()).body["id"]);
    const [one, two] = [await scene.alice.open(id), await second.open(id)];
    const words = await Promise.all([scene.alice.decide(id, one), second.decide(id, two)]);
    expect(words.map(({ word }) => word).toSorted()).toEqual(["200", "already_signed"]);
    expect(await grantsOf(scene.rig)).toBe(0);
    await scene.rig.close();
  });

  it("not by an owner who is none of them, nor with another's key", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    const dave = await enrolOwner(rig, "dave");
    expect(await opening(dave.open(id))).toBe("key_not_enrolled");
    await alice.decide(id, await alice.open(id));
    expect((await bob.decide(id, await bob.open(id), dave.signer)).word).toBe("key_not_enrolled");
    expect((await bob.decide(id, await bob.open(id), alice.signer)).word).toBe("key_not_enrolled");
    await rig.close();
  });

  it("is begun anew when something else holds: what was signed before is void", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    await alice.decide(id, await alice.open(id));
    const old = await bob.open(id);
    await enrolOwner(rig, "carol");
    const bytes = await bob.open(id);
    expect((await bob.decide(id, old)).word).toBe("stale");
    expect((await bob.decide(id, bytes)).body).toMatchObject({ state: "signed", signed: 1 });
    expect((await alice.decide(id, await alice.open(id))).body).toMatchObject({
      state: "approved",
    });
    const [grant] = await rig.world.store.grants();
    expect(grant?.owner).toBe(bob.id);
    await rig.close();
  });

  it("is dropped when its time is over, or somebody asks anew", async () => {
    const { rig, host, alice, id } = await askedOfSeveral();
    await alice.decide(id, await alice.open(id));
    const { req = d(0) } = (await rig.world.store.ask(id)) ?? {};
    await host.ask();
    expect(await rig.world.store.signatures({ req })).toEqual([]);
    const [again] = await rig.world.store.asks({ state: "asked" });
    await alice.decide(again?.id ?? "", await alice.open(again?.id ?? ""));
    rig.advance(3600);
    await expireAsks(rig.world);
    expect(await rig.world.store.signatures({ req: again?.req ?? d(0) })).toEqual([]);
    await rig.close();
  });

  it.each<readonly [string, (scene: Several) => Promise<string>, string]>([
    [
      "an owner who is not enrolled",
      ({ put, alice }) => put({ parties: { m: 2, owners: [alice.id, `${alice.id}9`].toSorted() } }),
      "not_found",
    ],
    [
      "more than there are",
      ({ put, alice, bob }) => put({ parties: partiesOf(3, alice, bob) }),
      "malformed_request",
    ],
  ])("is refused when it is registered: %s", async (_name, act, word) => {
    const scene = await severalScene();
    expect(await act(scene)).toBe(word);
    await scene.rig.close();
  });

  it("cannot be opened while fewer of them have a key than must sign", async () => {
    const { rig, alice, bob, carol, id } = await askedOfSeveral();
    await removeKeyOf(bob);
    await alice.open(id);
    await removeKeyOf(carol);
    expect(await opening(alice.open(id))).toBe("key_not_enrolled");
    await rig.close();
  });

  it("cannot be signed beforehand", async () => {
    const scene = await severalScene();
    await scene.put({});
    const made = await presign(scene);
    await scene.put({ parties: partiesOf(2, scene.alice, scene.bob) });
    expect((await bring(scene.host, made)).word).toBe("approval_unsuitable");
    expect(await scene.rig.world.store.grants()).toEqual([]);
    await scene.rig.close();
  });

  it("makes no grant that a certificate could not carry", async () => {
    const scene = await severalScene({}, { x509_evidence: "approval" });
    const more = await Promise.all(
      ["dave", "erin", "frank"].map((name) => enrolOwner(scene.rig, name)),
    );
    const all = [scene.alice, scene.bob, scene.carol, ...more];
    await scene.put({ x509_evidence: "approval", parties: partiesOf(6, ...all) });
    const id = textOf((await scene.host.ask()).body["id"]);
    const words: string[] = [];
    for (const owner of all) words.push((await owner.decide(id, await owner.open(id))).word);
    expect(words).toEqual(["200", "200", "200", "200", "200", "too_large"]);
    expect(await grantsOf(scene.rig)).toBe(0);
    await scene.rig.close();
  });
});
