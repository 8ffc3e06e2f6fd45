import { fromBase64url, readStatement, writeStatement } from "@countersign/core";
import type { JsonObject, OwnerKind } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { enrolOwner } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import type { Loss } from "../store/faulty.testing.ts";
import type { Decision, Store } from "../store/store.ts";
import { textOf } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { atTerminal, DIGITS, digitsScene, openWith } from "./digits.testing.ts";
import { sweep } from "./expire.ts";
import { credentialOf, partiesOf, severalScene } from "./quorum.testing.ts";
import type { Several } from "./quorum.testing.ts";
import { approvedScene, askedScene, before } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

type Asked = Scene & { readonly id: string };
let scene: Asked;
beforeEach(async () => {
  scene = await digitsScene();
});
afterEach(() => scene.rig.close());

const open = (match?: string, jkt?: string): Promise<Answered> =>
  openWith(scene, scene.id, match, jkt);
const stateNow = async (): Promise<string | undefined> =>
  (await scene.rig.world.store.ask(scene.id))?.state;
const statementIn = ({ body }: Answered): Uint8Array => fromBase64url(textOf(body["jcs"]));

async function recordsOf(type: string): Promise<readonly JsonObject[]> {
  const size = await scene.rig.world.store.logSize();
  const rows = await scene.rig.world.store.logRowsOf([type], 0, size);
  return rows.map(({ record }) => JSON.parse(new TextDecoder().decode(record)) as JsonObject);
}

describe("a request of a run at whose terminal somebody sits (owner.md 1.7)", () => {
  it("is shown without a statement until its digits were typed, and can then be approved", async () => {
    const first = await open();
    expect(first.body).toMatchObject({
      state: "asked",
      digits: { tries_left: 2 },
      facts: { evidence: {} },
      started_by: { uid: 1001, since: 0 },
    });
    expect(first.body["request"]).toEqual(expect.any(String));
    expect(["jcs", "digest"].filter((name) => name in first.body)).toEqual([]);
    const right = await open(DIGITS);
    const { body } = readStatement(c, statementIn(right));
    expect(body.kind === "credential" && body.view.match).toBe(DIGITS);
    expect((await scene.owner.decide(scene.id, statementIn(right))).word).toBe("200");
  });

  it("is counted wrong once, says what is left, and is denied the second time", async () => {
    const wrong = await open("24");
    expect([wrong.word, textOf(wrong.body["next"])]).toEqual([
      "digits_mismatched",
      expect.stringContaining("After 1 more wrong try it is denied."),
    ]);
    expect((await open()).body["digits"]).toEqual({ tries_left: 1 });
    expect(await stateNow()).toBe("asked");
    const last = await open("41");
    expect([last.word, textOf(last.body["next"])]).toEqual([
      "digits_mismatched",
      expect.stringContaining("you have denied the request"),
    ]);
    expect(await stateNow()).toBe("denied");
    expect((await open(DIGITS)).word).toBe("already_decided");
    const view = await scene.rig.call("admin", `GET /v1/owner/requests/${scene.id}`);
    expect([view.body["state"], view.body["digits"]]).toEqual(["denied", undefined]);
    expect([view.body["blocked"], view.body["again_at"]]).toEqual([false, scene.rig.now() + 3600]);
    expect((await scene.host.ask(atTerminal())).word).toBe("approval_denied"); // it waits, as after any denial
  });

  it("logs each failure, and not what was typed", async () => {
    await open("24");
    await open("41");
    const { owner, rig } = scene;
    const about = { owner: owner.id, opened_for: owner.jkt, by: "admin socket" };
    expect(await recordsOf("approval.mismatched")).toMatchObject([{ ...about, failures: 1 }]);
    expect(await recordsOf("approval.denied")).toMatchObject([{ ...about, mismatched: true }]);
    const rows = await rig.world.store.logRows(0, 1000);
    const words = rows.map(({ record }) => new TextDecoder().decode(record)).join("\n");
    expect(words).not.toMatch(/"(24|41|42)"/);
  });

  it("blocks after three denials, and says who lets it ask again", async () => {
    for (const hours of [1, 2, 4]) {
      await open("24");
      const last = await open("24");
      expect(textOf(last.body["next"]).includes("countersign owner unblock")).toBe(hours === 4);
      scene.rig.advance(hours * 3600);
      if (hours < 4)
        scene = { ...scene, id: textOf((await scene.host.ask(atTerminal())).body["id"]) };
    }
  });

  it("takes the right digits again, for a text that is made anew", async () => {
    const first = statementIn(await open(DIGITS));
    await open("24");
    scene.rig.advance(301);
    const second = statementIn(await open(DIGITS));
    expect((await scene.owner.decide(scene.id, first)).word).toBe("approval_expired");
    expect((await scene.owner.decide(scene.id, second)).word).toBe("200");
  });

  type Row = readonly [string, () => Promise<Answered>, string];
  it.each<Row>([
    ["three digits", () => open("421"), "malformed_request"],
    ["no digits", () => open("ab"), "malformed_request"],
    ["nothing typed", () => open(""), "malformed_request"],
    ["a key that nobody enrolled", () => open(DIGITS, "A".repeat(43)), "key_not_enrolled"],
    [
      "an hour later",
      () => {
        scene.rig.advance(3600);
        return open("24");
      },
      "approval_expired",
    ],
  ])("refuses %s, and counts nothing", async (_name, act, word) => {
    expect((await act()).word).toBe(word);
    expect(await recordsOf("approval.mismatched")).toEqual([]);
  });

  it("has its digits no longer than it is open", async () => {
    const { store } = scene.rig.world;
    const { req } = (await store.ask(scene.id)) ?? {};
    if (req === undefined) throw new Error("not asked");
    await sweep(scene.rig.world);
    expect(await store.digits(req)).toEqual({ req, digits: DIGITS, failures: 0 });
    await scene.owner.deny(scene.id);
    expect((await open()).word).toBe("already_decided");
    await sweep(scene.rig.world);
    expect(await store.digits(req)).toBeUndefined();
  });
});

describe("a statement and the digits", () => {
  /** What the right digits opened, with another `view`. */
  async function signedWith(match: string | undefined): Promise<Answered> {
    const { body } = readStatement(c, statementIn(await open(DIGITS)));
    if (body.kind !== "credential") throw new TypeError("not of this kind");
    const { match: _typed, ...view } = body.view;
    const changed = { ...body, view: match === undefined ? view : { ...view, match } };
    return scene.owner.decide(scene.id, writeStatement(c, changed).bytes);
  }

  it.each([
    ["as they were typed", DIGITS, "200"],
    ["left out", undefined, "approval_unsuitable"],
    ["otherwise", "24", "approval_unsuitable"],
  ])("with them %s", async (_name, match, word) => {
    expect((await signedWith(match)).word).toBe(word);
  });

  it("with digits where none are asked for is refused", async () => {
    const plain = await askedScene();
    const { body } = readStatement(c, await plain.owner.open(plain.id));
    if (body.kind !== "credential") throw new TypeError("not of this kind");
    const view = { ...body.view, match: DIGITS };
    const { bytes } = writeStatement(c, { ...body, view });
    expect((await plain.owner.decide(plain.id, bytes)).word).toBe("approval_unsuitable");
    expect((await openWith(plain, plain.id, DIGITS)).word).toBe("malformed_request");
    await plain.rig.close();
  });

  it.each<[OwnerKind]>([["policy"], ["device"]])(
    "of a %s's key has none: it looks at no terminal",
    async (kind) => {
      const { rig, host, put } = scene;
      const engine = await enrolOwner(rig, "engine", generateSigner("Ed25519"), [], kind);
      await put({ owner: engine.id });
      const id = textOf((await host.ask(atTerminal("07"))).body["id"]);
      const { body } = readStatement(c, await engine.open(id));
      expect(body.kind === "credential" && body.view.match).toBeUndefined();
      expect((await openWith(scene, id, "07", engine.jkt)).word).toBe("malformed_request");
      expect(await engine.approve(id)).toMatch(/^sha-256:/);
    },
  );

  it("of another request are wrong: each has its own", async () => {
    const id = textOf((await scene.host.ask(atTerminal("07"))).body["id"]);
    expect((await open("07")).word).toBe("approval_expired"); // superseded
    expect((await openWith(scene, id, DIGITS)).word).toBe("digits_mismatched");
    expect((await openWith(scene, id, "07")).word).toBe("200");
  });

  it("of a renewal inside its grant ask nobody", async () => {
    const approved = await approvedScene();
    expect((await approved.host.ask({ cs: approved.cs, ...atTerminal() })).word).toBe("200");
    await approved.rig.close();
  });
});

describe("tries at once", () => {
  it("T20: of twenty wrong ones, one is counted and one denies", async () => {
    const words = await Promise.all(
      Array.from({ length: 20 }, async () => (await open("24")).word),
    );
    expect(words.filter((word) => word === "digits_mismatched")).toHaveLength(2);
    const others = new Set(words.filter((word) => word !== "digits_mismatched"));
    others.delete("already_decided");
    others.delete("stale");
    expect([...others]).toEqual([]);
    expect(await stateNow()).toBe("denied");
    expect(await recordsOf("approval.mismatched")).toHaveLength(1);
  });

  it("T20: of all hundred at once, no more than two are told that they are wrong", async () => {
    const all = Array.from({ length: 100 }, (_none, n) => String(n).padStart(2, "0"));
    const words = await Promise.all(all.map(async (match) => (await open(match)).word));
    expect(
      words.filter((word) => word === "digits_mismatched" || word === "200").length,
    ).toBeLessThanOrEqual(3);
    expect(words.filter((word) => word === "digits_mismatched")).toHaveLength(2);
    expect(await stateNow()).toBe("denied");
  });

  it.each<readonly [string, (raced: Asked) => Promise<unknown>, string, string]>([
    [
      "another wrong one comes first",
      (raced) => openWith(raced, raced.id, "41"),
      "digits_mismatched",
      "denied",
    ],
    ["it is denied first", ({ owner, id }) => owner.deny(id), "already_decided", "denied"],
    [
      "it is approved first",
      async ({ owner, id, ...raced }) =>
        owner.decide(id, statementIn(await openWith({ ...raced, owner }, id, DIGITS))),
      "already_decided",
      "approved",
    ],
    ["it is asked anew first", ({ host }) => host.ask(), "approval_expired", "superseded"],
  ])("a wrong one that is being written when %s", async (_name, act, word, state) => {
    let raced: Asked | undefined;
    const wrap = before("approval.mismatched", async () =>
      raced === undefined ? undefined : act(raced),
    );
    raced = await digitsScene({ wrap });
    expect((await openWith(raced, raced.id, "24")).word).toBe(word);
    expect((await raced.rig.world.store.ask(raced.id))?.state).toBe(state);
    await raced.rig.close();
  });
});

it("T20: right digits that come while the last wrong ones deny open nothing", async () => {
  let deny: (() => Promise<unknown>) | undefined;
  const raced = await digitsScene({
    wrap: (store) =>
      new Proxy(store, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== "function") return member;
          if (name !== "commit")
            return (...given: unknown[]) => Reflect.apply(member, target, given) as unknown;
          return async (decision: Decision) => {
            const act = decision.log === undefined ? deny : undefined;
            if (act !== undefined) deny = undefined;
            await act?.();
            return target.commit(decision);
          };
        },
      }),
  });
  deny = async () => {
    await openWith(raced, raced.id, "24");
    await openWith(raced, raced.id, "41");
  };
  expect((await openWith(raced, raced.id, DIGITS)).word).toBe("already_decided");
  await raced.rig.close();
});

describe.each<Loss>(["lost-before", "lost-after"])("the commit of a failure is %s", (loss) => {
  it("nobody hears whether it was counted, and it is counted at most once", async () => {
    let isLosing = false;
    const lossy = await digitsScene({
      wrap: (store) => {
        const failing = faulty(store, "commit", loss);
        return new Proxy(store, {
          get: (target, name) => {
            const member: unknown = Reflect.get(target, name, target);
            if (typeof member !== "function") return member;
            return (...given: unknown[]) =>
              isLosing && name === "commit"
                ? failing.commit(...(given as Parameters<Store["commit"]>))
                : (Reflect.apply(member, target, given) as unknown);
          },
        });
      },
    });
    isLosing = true;
    expect((await openWith(lossy, lossy.id, "24")).word).toBe("indeterminate");
    isLosing = false;
    const left = loss === "lost-before" ? 2 : 1;
    expect((await openWith(lossy, lossy.id)).body["digits"]).toEqual({ tries_left: left });
    expect((await openWith(lossy, lossy.id, DIGITS)).word).toBe("200");
    await lossy.rig.close();
  });
});

describe("several owners who are asked by a run at whose terminal somebody sits", () => {
  async function asked(change: (several: Several) => Promise<unknown> = async () => undefined) {
    const several = await severalScene();
    await change(several);
    const id = textOf((await several.host.ask(atTerminal())).body["id"]);
    return { ...several, id };
  }
  const typing = (of: Several & { readonly id: string }, owner: Owner, match?: string) =>
    openWith(of, of.id, match, owner.jkt);

  it("each type the digits, and sign the same", async () => {
    const several = await asked();
    const { alice, bob, id } = several;
    expect("jcs" in (await typing(several, alice)).body).toBe(false);
    const first = statementIn(await typing(several, alice, DIGITS));
    expect("jcs" in (await typing(several, bob)).body).toBe(false);
    const second = statementIn(await typing(several, bob, DIGITS));
    expect([first, second].map((octets) => credentialOf(octets).view.match)).toEqual([
      DIGITS,
      DIGITS,
    ]);
    expect((await alice.decide(id, first)).body).toMatchObject({ state: "signed" });
    expect((await bob.decide(id, second)).body).toMatchObject({ state: "approved" });
    await several.rig.close();
  });

  it("share the tries: the second wrong one denies, whoever typed it, and drops what was signed", async () => {
    const several = await asked();
    const { alice, bob, id, rig } = several;
    expect((await typing(several, bob, "24")).word).toBe("digits_mismatched");
    await alice.decide(id, statementIn(await typing(several, alice, DIGITS)));
    const [req] = (await rig.world.store.asks({ state: "asked" })).map((row) => row.req);
    if (req === undefined) throw new Error("nobody asks");
    expect(await rig.world.store.signatures({ req })).toHaveLength(1);
    expect((await typing(several, bob, "41")).word).toBe("digits_mismatched");
    expect((await rig.world.store.ask(id))?.state).toBe("denied");
    expect(await rig.world.store.signatures({ req })).toEqual([]);
    await several.rig.close();
  });

  it("beside a machine sign a text without them, and the persons have typed them all the same", async () => {
    let engine: Owner | undefined;
    const several = await asked(async ({ rig, alice, put }) => {
      engine = await enrolOwner(rig, "engine", generateSigner("Ed25519"), [], "policy");
      await put({ parties: partiesOf(2, alice, engine) });
    });
    const { alice, id } = several;
    if (engine === undefined) throw new Error("no engine");
    const first = statementIn(await typing(several, engine));
    expect((await engine.decide(id, first)).body).toMatchObject({ state: "signed" });
    expect("jcs" in (await typing(several, alice)).body).toBe(false);
    const second = statementIn(await typing(several, alice, DIGITS));
    expect(credentialOf(second).view).toEqual(credentialOf(first).view);
    expect((await alice.decide(id, second)).body).toMatchObject({ state: "approved" });
    await several.rig.close();
  });
});
