import { afterEach, describe, expect, it } from "vitest";
import {
  fromBase64url,
  LinkRefusal,
  presentedOf,
  readBundle,
  readTrustBundle,
  verify,
} from "../../packages/core/src/index.ts";
import type {
  Demand,
  Json,
  JsonObject,
  Presented,
  ProxyState,
  Trust,
  Verdict,
} from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { partiesOf } from "../../packages/server/src/cases/quorum.testing.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

/** An agent that takes several owners, and these. */
interface Together {
  readonly whole: Whole;
  readonly alice: Owner;
  readonly bob: Owner;
  readonly carol: Owner;
}

let ending: Whole | undefined;
afterEach(async () => {
  await ending?.end();
  ending = undefined;
});

async function together(m = 2, between: Between = {}, entry: JsonObject = {}): Promise<Together> {
  const whole = await makeWhole(between);
  ending = whole;
  const { rig, owner: alice, put } = whole.scene;
  const bob = await enrolOwner(rig, "bob");
  const carol = await enrolOwner(rig, "carol");
  expect(await put({ parties: partiesOf(m, alice, bob, carol), ...entry })).toBe("200");
  await whole.heard();
  return { whole, alice, bob, carol };
}

/** The agent asks, and each of these signs. @returns the words of the answers */
async function askAndSign({ whole }: Together, ...owners: readonly Owner[]): Promise<unknown[]> {
  await whole.credential();
  const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
  const states: unknown[] = [];
  for (const owner of owners) {
    const id = ask?.id ?? "";
    const { body, word } = await owner.decide(id, await owner.open(id));
    states.push(body["state"] ?? word);
  }
  await whole.heard();
  return states;
}

const stateOf = async ({ whole }: Together): Promise<Json | undefined> =>
  (await whole.status())["state"];
const isHeld = (of: Together) => async (): Promise<boolean> => (await stateOf(of)) === "held";

/** Approved by alice and bob, and held by the agent. */
async function held(m = 2, entry: JsonObject = {}): Promise<Together> {
  const of = await together(m, {}, entry);
  await askAndSign(of, ...[of.alice, of.bob, of.carol].slice(0, m));
  await of.whole.until(isHeld(of));
  return of;
}

/** What the agent holds, and the evidence as anybody may fetch it. */
async function shown({ whole }: Together): Promise<Presented> {
  const { body } = await whole.credential();
  const { rig } = whole.scene;
  const [row] = await rig.world.store.credentials();
  const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
  const approval = (await rig.call("public", `GET ${at}`)).body;
  const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
  return presentedOf(textOf(body["wit"]), undefined, readBundle({ approval, credential }));
}

/** What a relying party finds offline that pins the keys of these owners, with a trust bundle of its own. */
async function judge(
  { whole }: Together,
  presented: Presented,
  pinned: readonly Owner[],
  demand: Demand = { proof: "logged" },
): Promise<Verdict | string> {
  const { rig } = whole.scene;
  const published = await rig.call("public", "GET /bundle");
  const bundle = readTrustBundle(published.text, rig.now());
  const domain = {
    origin: bundle.trustDomain,
    bundle,
    ownerPins: pinned.map(({ jkt, id }) => ({ jkt, owner: id })),
    isInside: true,
    insecureAcceptServerEnrolment: false,
    insecureAcceptDevelopment: false,
  };
  const trust: Trust = new Map([[domain.origin, domain]]);
  try {
    return await verify(c, presented, trust, demand, rig.now());
  } catch (error) {
    if (error instanceof LinkRefusal) return `${error.link}: ${error.code}`;
    throw error;
  }
}

describe("an agent that takes two of three owners", () => {
  it("gets nothing by the first signature, and its credential by the second", async () => {
    const of = await together();
    expect(await askAndSign(of, of.bob)).toEqual(["signed"]);
    expect(await stateOf(of)).toBe("waiting");
    expect(await of.whole.scene.rig.world.store.credentials()).toEqual([]);
    expect(await askAndSign(of, of.alice)).toEqual(["approved"]);
    await of.whole.until(isHeld(of));
  });

  it("is verified offline by whoever pins two of them, and may demand two", async () => {
    const of = await held();
    const presented = await shown(of);
    const verdict = await judge(of, presented, [of.alice, of.bob], { proof: "logged", owners: 2 });
    expect(verdict).toMatchObject({
      proof: "logged",
      owner: {
        id: of.alice.id,
        oa: 2,
        parties: { m: 2, accepted: [{ id: of.alice.id }, { id: of.bob.id }] },
      },
    });
    const three = await judge(of, presented, [of.alice, of.bob], { proof: "logged", owners: 3 });
    expect(three).toBe("demand: quorum_unmet");
  });

  it("is claimed only for whoever pins one of them, and refused where more is demanded", async () => {
    const of = await held();
    const presented = await shown(of);
    const unaccepted = "owner-accepted: owner_key_unaccepted";
    for (const pinned of [[of.alice], [of.bob], [of.alice, of.carol]]) {
      expect(await judge(of, presented, pinned)).toBe(unaccepted);
      expect(await judge(of, presented, pinned, { proof: "claimed" })).toMatchObject({
        proof: "claimed",
        gap: { code: "owner_key_unaccepted" },
      });
    }
  });

  it("renews itself without any of them", async () => {
    const of = await held();
    const { store } = of.whole.scene.rig.world;
    for (let n = 2; n <= 4; n += 1) {
      await of.whole.pass(450);
      await of.whole.until(async () => (await store.credentials())[0]?.n === n);
    }
    expect(await store.asks()).toHaveLength(1);
    const verdict = await judge(of, await shown(of), [of.alice, of.bob]);
    expect(verdict).toMatchObject({ owner: { parties: { m: 2 } } });
  });

  it("is told that one of them said no, whoever has signed", async () => {
    const of = await together();
    const waiting = of.whole.call("POST /v1/credential?wait=300", {});
    const { store } = of.whole.scene.rig.world;
    await of.whole.until(async () => (await store.asks({ state: "asked" })).length === 1);
    await askAndSign(of, of.alice);
    const [ask] = await store.asks({ state: "asked" });
    await of.carol.deny(ask?.id ?? "");
    await of.whole.heard();
    expect((await waiting).word).toBe("approval_denied");
    expect(await store.grants()).toEqual([]);
  });

  it.each<readonly [string, (of: Together) => Promise<unknown>, string]>([
    ["the key of one who signed removed", ({ bob }) => removeKey(bob), "halted"],
    ["the key of one who did not removed", ({ carol }) => removeKey(carol), "200"],
    ["a halt of one who signed", (of) => haltOwner(of, of.bob), "halted"],
    ["a halt of one who did not", (of) => haltOwner(of, of.carol), "halted"],
  ])("feels at once: %s", async (_name, act, word) => {
    const of = await held();
    expect((await of.whole.proof()).word).toBe("200");
    const presented = await shown(of);
    await act(of);
    await of.whole.heard();
    expect((await of.whole.proof()).word).toBe(word);
    const isRemoved = _name.startsWith("the key of one who signed");
    const verdict = await judge(of, presented, [of.alice, of.bob]);
    expect(typeof verdict === "string" ? verdict : "ok").toBe(
      isRemoved ? "owner-accepted: owner_key_unaccepted" : "ok",
    );
  });

  it("begins anew when a key was removed while the others were asked", async () => {
    const of = await together();
    const second = await enrolOwner(of.whole.scene.rig, "bob");
    await askAndSign(of, of.alice);
    await removeKey(of.bob);
    const [ask] = await of.whole.scene.rig.world.store.asks({ state: "asked" });
    const id = ask?.id ?? "";
    const first = await second.decide(id, await second.open(id));
    expect(first.body).toMatchObject({ state: "signed", signed: 1 });
    await of.alice.approve(id);
    await of.whole.heard();
    await of.whole.until(isHeld(of));
    expect(await judge(of, await shown(of), [of.alice, second])).toMatchObject({
      owner: { id: of.bob.id },
    });
  });

  it("shows two signatures in a header, and refuses to show three", async () => {
    const aud = "https://mail.example.com/";
    const two = await held();
    const proof = await two.whole.call("POST /v1/proof", { aud, evidence: true });
    const { approval } = readBundle(fromBase64url(textOf(proof.body["evidence"])));
    expect(approval?.sts).toHaveLength(1);
    await two.whole.end();
    const three = await held(3);
    const refused = await three.whole.call("POST /v1/proof", { aud, evidence: true });
    expect(refused.word).toBe("too_large");
    const verdict = await judge(three, await shown(three), [three.alice, three.bob, three.carol]);
    expect(verdict).toMatchObject({ owner: { parties: { m: 3 } } });
  });

  it("shows them in the certificate, where the registration says so", async () => {
    const of = await held(2, { x509_evidence: "approval" });
    const { body } = await of.whole.credential();
    const { approval: _none, ...bare } = await shown(of);
    const pem = body["wic"] as readonly string[]; // as the door says it
    const chain = pem.map((one) =>
      Buffer.from(one.replaceAll(/-----[^-]+-----|\s/g, ""), "base64"),
    );
    const verdict = await judge(of, { ...bare, chain }, [of.alice, of.bob]);
    expect(verdict).toMatchObject({ owner: { parties: { m: 2 } } });
  });
});

async function removeKey({ rig, jkt }: Owner): Promise<void> {
  expect((await rig.call("admin", `DELETE /v1/owner/keys/${jkt}`)).word).toBe("200");
}

async function haltOwner({ whole }: Together, { id }: Owner): Promise<void> {
  const json = { scope: "owner", target: id, reason: "test" };
  expect((await whole.scene.rig.call("admin", "POST /v1/halts", { json })).word).toBe("200");
}

/** Changes the approvals that the server shows to the proxy. */
function showing(
  change: (part: ProxyState["approvals"][number]["approval"]) => object,
): Pick<Between, "state"> {
  return {
    state: (state) => ({
      ...state,
      approvals: state.approvals.map(
        (one) => ({ ...one, approval: change(one.approval) }) as ProxyState["approvals"][number], // what a hostile server shows
      ),
    }),
  };
}

describe("a proxy whose agent takes two of three owners", () => {
  it.each<readonly [string, Pick<Between, "state">]>([
    ["fewer signatures than it takes", showing(({ sts: _none, ...part }) => part)],
    ["the same signature twice", showing((part) => ({ ...part, sts: [part] }))],
    [
      "another's signature under his statement",
      showing((part) => ({
        ...part,
        sts: (part.sts ?? []).map((one) => ({ ...one, sig: part.sig })),
      })),
    ],
  ])("gets nothing when the server shows %s", async (_name, between) => {
    const of = await together(2, between);
    await askAndSign(of, of.alice, of.bob);
    await of.whole.credential();
    expect(await of.whole.scene.rig.world.store.grants()).toHaveLength(1);
    expect(await of.whole.scene.rig.world.store.credentials()).toEqual([]);
    expect(await stateOf(of)).toBe("waiting");
  });

  it("endorses no approval of one owner alone", async () => {
    // the registration that the proxy was told of takes two; the server asked one
    const of = await together(2, {
      state: (state) => ({
        ...state,
        entries: state.entries.map((entry) => ({ ...entry, parties: PARTIES(state) })),
      }),
    });
    await of.whole.scene.put({});
    await of.whole.heard();
    await askAndSign(of, of.alice);
    await of.whole.credential();
    expect(await of.whole.scene.rig.world.store.grants()).toHaveLength(1);
    expect(await of.whole.scene.rig.world.store.credentials()).toEqual([]);
  });
});

const PARTIES = ({ entries }: ProxyState): { m: number; owners: readonly string[] } => {
  const owner = entries[0]?.owner ?? "";
  return { m: 2, owners: [owner, `${owner}9`] };
};
