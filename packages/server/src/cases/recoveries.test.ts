import { base64url, fromBase64url } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { generateSigner } from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { enrolOwner, Owner } from "../people.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import { textOf } from "../world.testing.ts";
import type { Answered, Rig, RigOptions } from "../world.testing.ts";
import { enableRecoveries } from "./recoveries.ts";
import { approvedScene, before } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const DAY = 86_400;

/** An owner who lost the key, a new one that nobody knows, and two other persons. */
interface Loss extends Scene {
  readonly fresh: Owner;
  readonly bob: Owner;
  readonly carol: Owner;
}

async function makeLoss(options: RigOptions = {}): Promise<Loss> {
  const scene = await approvedScene(options);
  const { rig, owner } = scene;
  const bob = await enrolOwner(rig, "bob");
  const carol = await enrolOwner(rig, "carol");
  const fresh = new Owner(rig, owner.id, generateSigner("Ed25519"));
  return { ...scene, fresh, bob, carol };
}

async function offer(rig: Rig, { signer }: Owner, name = "alice"): Promise<string> {
  const json = { name, kind: "person", jwk: signer.key };
  const { body, word } = await rig.call("admin", "POST /v1/owner/keys/options", { json });
  if (typeof body["jcs"] !== "string") throw new Error(word);
  return body["jcs"];
}

interface Posting {
  readonly by?: Owner;
  readonly coSigners?: readonly Owner[];
  readonly statement?: string;
}

async function recover({ rig, fresh }: Loss, posting: Posting = {}): Promise<Answered> {
  const statement = posting.statement ?? (await offer(rig, fresh));
  const bytes = fromBase64url(statement);
  const co = [];
  for (const one of posting.coSigners ?? []) co.push({ jkt: one.jkt, sig: await one.sign(bytes) });
  const json = {
    statement,
    sig: await (posting.by ?? fresh).sign(bytes),
    comment: "new",
    ...(co.length === 0 ? {} : { co_signatures: co }),
  };
  return rig.call("admin", "POST /v1/owner/recoveries", { json });
}

const idOf = ({ body }: Answered): string => textOf((body["recovery"] as JsonObject)["id"]); // as the server says it
const cancel = ({ rig }: Scene, id: string, json: JsonObject = {}): Promise<Answered> =>
  rig.call("admin", `POST /v1/owner/recoveries/${id}/cancel`, { json });
const typesOf = async ({ rig }: Scene): Promise<readonly string[]> =>
  (await rig.world.store.logRows(0, 1000)).map(({ type }) => type).slice(-3);

describe("an owner who lost every key", () => {
  let loss: Loss;
  beforeEach(async () => {
    loss = await makeLoss();
  });
  afterEach(() => loss.rig.close());

  const keys = async (): Promise<readonly string[]> =>
    (await loss.rig.world.store.ownerKeys(loss.owner.id))
      .filter(({ removedAt }) => removedAt === undefined)
      .map(({ jkt }) => jkt);
  const live = async (): Promise<number> =>
    (await loss.rig.world.store.grants({ liveAt: loss.rig.now() })).length;

  it("comes back at once by the signatures of two other persons", async () => {
    const { rig, owner, bob, carol, fresh, host } = loss;
    const answer = await recover(loss, { coSigners: [bob, carol] });
    expect(answer.body).toMatchObject({ state: "recovered", key: { jkt: fresh.jkt } });
    expect(await keys()).toEqual([fresh.jkt]);
    expect(await rig.world.store.removedOwnerKeys()).toEqual([owner.jkt]);
    const [ended] = await rig.world.store.grants();
    expect(ended).toMatchObject({ endedWhy: "key lost", endedAt: rig.now() });
    const row = (await rig.world.store.logRows(0, 1000)).at(-1);
    expect(JSON.parse(new TextDecoder().decode(row?.leaf))).toMatchObject({
      type: "key.recovered",
      actor: "owner",
    });
    const asked = await host.ask();
    await expect(owner.open(textOf(asked.body["id"]))).rejects.toThrow("key_not_enrolled");
    await fresh.approve(textOf(asked.body["id"]));
    const grants = await rig.world.store.grants({ liveAt: rig.now() });
    expect(grants.map(({ chain }) => chain)).toEqual([[fresh.jkt]]);
  });

  it("comes back after a day on an administrator's word, and until then the new key signs nothing", async () => {
    const { rig, owner, fresh, host } = loss;
    const answer = await recover(loss);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      state: "announced",
      recovery: { owner: owner.id, jkt: fresh.jkt, enabled_at: rig.now() + DAY },
    });
    expect(await typesOf(loss)).toContain("key.recovery_announced");
    const asked = await host.ask({ script: 3 });
    const opened = await rig.call(
      "admin",
      `GET /v1/owner/requests/${textOf(asked.body["id"])}?jkt=${fresh.jkt}`,
    );
    expect(opened.word).toBe("key_not_enrolled");
    expect(opened.body["next"]).toMatch(/^The key is enabled at 2027-01-16 08:00 UTC/);
    rig.advance(DAY - 1);
    expect(await enableRecoveries(rig.world)).toBe(0);
    expect(await keys()).toEqual([owner.jkt]);
    rig.advance(1);
    expect(await enableRecoveries(rig.world)).toBe(1);
    expect(await enableRecoveries(rig.world)).toBe(0);
    expect(await keys()).toEqual([fresh.jkt]);
    expect(await live()).toBe(0);
    expect(await typesOf(loss)).toContain("key.recovered");
    const again = await host.ask({ script: 4 });
    await fresh.approve(textOf(again.body["id"]));
    expect(await live()).toBe(1);
  });

  it.each<readonly [string, (loss: Loss) => Promise<Posting>, string]>([
    ["one other person", async ({ bob }) => ({ coSigners: [bob] }), "co_signers_insufficient"],
    [
      "two keys of one other person",
      async ({ rig, bob }) => ({
        coSigners: [bob, await enrolOwner(rig, "bob", generateSigner("Ed25519"), [bob])],
      }),
      "co_signers_insufficient",
    ],
    [
      "another person and the lost key",
      async ({ bob, owner }) => ({ coSigners: [bob, owner] }),
      "key_not_enrolled",
    ],
    [
      "another person and a program",
      async ({ rig, bob }) => ({
        coSigners: [bob, await enrolOwner(rig, "rules", generateSigner(), [], "policy")],
      }),
      "key_not_enrolled",
    ],
    [
      "another person, and one whose key was removed",
      async ({ rig, bob, carol }) => {
        await rig.call("admin", `DELETE /v1/owner/keys/${carol.jkt}`);
        return { coSigners: [bob, carol] };
      },
      "key_not_enrolled",
    ],
    [
      "another person, and one whose key is suspended",
      async ({ rig, bob, carol }) => {
        const fields = { suspendedAt: rig.now() };
        await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt: carol.jkt, fields }] });
        return { coSigners: [bob, carol] };
      },
      "key_suspended",
    ],
    ["one person twice", async ({ bob }) => ({ coSigners: [bob, bob] }), "signature_invalid"],
    [
      "the signature of somebody else for the new key",
      async ({ bob, carol }) => ({ by: bob, coSigners: [bob, carol] }),
      "key_not_enrolled", // an SSH signature names its key
    ],
    [
      "a statement for one who never had a key",
      async ({ rig, fresh, bob, carol }) => ({
        statement: await offer(rig, fresh, "dave"),
        coSigners: [bob, carol],
      }),
      "not_found",
    ],
    [
      "a statement that is over",
      async ({ rig, fresh, bob, carol }) => {
        const statement = await offer(rig, fresh);
        rig.advance(3600);
        return { statement, coSigners: [bob, carol] };
      },
      "approval_expired",
    ],
    ["no statement of the server", async () => ({ statement: "AAAA" }), "statement_invalid"],
  ])("does not come back by %s", async (_what, posting, word) => {
    expect((await recover(loss, await posting(loss))).word).toBe(word);
    expect(await keys()).not.toContain(loss.fresh.jkt);
    expect(await live()).toBe(1);
  });

  it("comes back once by one statement", async () => {
    const { rig, fresh, bob, carol } = loss;
    const statement = await offer(rig, fresh);
    const posting = { statement, coSigners: [bob, carol] };
    expect((await recover(loss, posting)).word).toBe("200");
    expect((await recover(loss, posting)).word).toBe("replayed");
  });

  it("has one recovery at a time, which two persons outvote", async () => {
    const { rig, bob, carol } = loss;
    await recover(loss);
    const other = { ...loss, fresh: new Owner(rig, loss.owner.id, generateSigner("Ed25519")) };
    expect((await recover(other)).word).toBe("recovery_pending");
    expect((await recover(other, { coSigners: [bob, carol] })).word).toBe("200");
    const [pending] = await rig.world.store.recoveries({ owner: loss.owner.id });
    expect(pending?.state).toBe("cancelled");
    rig.advance(DAY);
    expect(await enableRecoveries(rig.world)).toBe(0);
    expect(await keys()).toEqual([other.fresh.jkt]);
  });

  it("hears of it in every stream", async () => {
    const { rig } = loss;
    const request = new Request("https://server.test/v1/owner/events?owner=alice");
    const stream = (await rig.admin(request, {})).body?.getReader();
    const id = idOf(await recover(loss));
    await cancel(loss, id);
    let text = "";
    while (!text.includes("event: key.recovery_cancelled"))
      text += new TextDecoder().decode((await stream?.read())?.value);
    expect(text).toContain("event: key.recovery_announced");
    expect(text).toContain(`"enabled_at":${rig.now() + DAY}`);
  });

  it("is not announced while the server holds, and nothing is enabled", async () => {
    const { rig } = loss;
    await recover(loss);
    rig.advance(DAY);
    const store = new Proxy(rig.world.store, {
      get: (target, name) =>
        name === "hold" ? () => "behind" : (Reflect.get(target, name, target) as unknown),
    });
    expect(await enableRecoveries({ ...rig.world, store })).toBe(0);
  });
});

describe("a recovery that is announced", () => {
  let loss: Loss;
  let id: string;
  beforeEach(async () => {
    loss = await makeLoss();
    id = idOf(await recover(loss));
  });
  afterEach(() => loss.rig.close());

  /** The denial of an announced recovery, signed by one of the keys. */
  async function denial(by: Owner, of = id): Promise<JsonObject> {
    const at = `GET /v1/owner/recoveries/${of}/cancellation?jkt=${by.jkt}`;
    const { body, word } = await loss.rig.call("admin", at);
    if (typeof body["jcs"] !== "string") throw new Error(word);
    return { statement: body["jcs"], sig: await by.sign(fromBase64url(body["jcs"])) };
  }
  const code = async (owner = "alice"): Promise<string> => {
    const json = { owner };
    const { body } = await loss.rig.call("admin", "POST /v1/owner/stop-codes", { json });
    return textOf((body["codes"] as readonly string[])[0]); // as the server says it
  };

  it.each<readonly [string, () => Promise<Answered>, string]>([
    ["an administrator", () => cancel(loss, id), "admin"],
    ["a key of the owner", async () => cancel(loss, id, await denial(loss.owner)), "owner"],
    [
      "a printed code",
      async () =>
        loss.rig.call("public", "POST /v1/stop-codes/use", {
          json: { code: await code(), do: "cancel_recovery" },
        }),
      "owner",
    ],
  ])("is cancelled by %s, and stays so", async (_who, act, actor) => {
    const { rig, owner } = loss;
    expect((await act()).word).toBe("200");
    rig.advance(DAY);
    expect(await enableRecoveries(rig.world)).toBe(0);
    const row = (await rig.world.store.logRows(0, 1000)).at(-1);
    expect(JSON.parse(new TextDecoder().decode(row?.leaf))).toMatchObject({
      type: "key.recovery_cancelled",
      actor,
    });
    expect((await cancel(loss, id)).word).toBe("already_decided");
    expect((await rig.world.store.ownerKey(owner.jkt))?.removedAt).toBeUndefined();
    expect((await rig.call("admin", "GET /v1/owner/recoveries?owner=alice")).body).toMatchObject({
      recoveries: [{ id, state: "cancelled" }],
    });
    // the same key may be announced again
    expect((await recover(loss)).status).toBe(202);
  });

  it.each<readonly [string, () => Promise<JsonObject>, string]>([
    [
      "a signature over the announced statement itself",
      async () => {
        const row = await loss.rig.world.store.recovery(id);
        const bytes = row?.statement ?? new Uint8Array();
        return { statement: base64url(bytes), sig: await loss.owner.sign(bytes) };
      },
      "statement_invalid",
    ],
    [
      "the signature of another key",
      async () => {
        const { statement } = await denial(loss.owner);
        const bytes = fromBase64url(textOf(statement));
        return { statement: statement ?? "", sig: await loss.bob.sign(bytes) };
      },
      "key_not_enrolled",
    ],
    [
      "the signature of the new key",
      async () => {
        const { statement } = await denial(loss.owner);
        const bytes = fromBase64url(textOf(statement));
        return { statement: statement ?? "", sig: await loss.fresh.sign(bytes) };
      },
      "key_not_enrolled",
    ],
    [
      "a denial that is over",
      async () => {
        const signed = await denial(loss.owner);
        loss.rig.advance(300);
        return signed;
      },
      "approval_expired",
    ],
    [
      "a key that was removed since",
      async () => {
        const signed = await denial(loss.owner);
        await loss.rig.call("admin", `DELETE /v1/owner/keys/${loss.owner.jkt}`);
        return signed;
      },
      "key_not_enrolled",
    ],
    ["half of it", async () => ({ sig: {} }), "malformed_request"],
    ["an unknown member", async () => ({ why: "mine" }), "malformed_request"],
  ])("is not cancelled by %s", async (_what, json, word) => {
    expect((await cancel(loss, id, await json())).word).toBe(word);
    expect((await loss.rig.world.store.recovery(id))?.state).toBe("announced");
  });

  it.each(["bob", "fresh"] as const)("is opened for no key of %s", async (who) => {
    await expect(denial(loss[who])).rejects.toThrow("key_not_enrolled");
  });

  it("is not cancelled by the denial of another one", async () => {
    const json = { name: "bob", kind: "person", jwk: generateSigner("Ed25519").key };
    expect((await loss.rig.call("admin", "POST /v1/owner/keys/options", { json })).word).toBe(
      "200",
    );
    const bobs = { ...loss, fresh: new Owner(loss.rig, loss.bob.id, generateSigner("Ed25519")) };
    const statement = await offer(loss.rig, bobs.fresh, "bob");
    const other = idOf(await recover(bobs, { statement }));
    const signed = await denial(loss.bob, other);
    expect((await cancel(loss, id, signed)).word).toBe("statement_invalid");
    expect((await cancel(loss, other, signed)).word).toBe("200");
  });

  it("is not there under another name", async () => {
    expect((await cancel(loss, "nope")).word).toBe("not_found");
  });

  it("is cancelled by no code of another owner", async () => {
    const json = { code: await code("bob"), do: "cancel_recovery" };
    expect((await loss.rig.call("public", "POST /v1/stop-codes/use", { json })).word).toBe(
      "not_found",
    );
    expect((await loss.rig.world.store.recovery(id))?.state).toBe("announced");
  });
});

describe("cancelled and enabled at once", () => {
  async function decided(wrap: RigOptions["wrap"]): Promise<Loss & { readonly id: string }> {
    const loss = await makeLoss(wrap === undefined ? {} : { wrap });
    const id = idOf(await recover(loss));
    loss.rig.advance(DAY);
    return { ...loss, id };
  }
  const outcome = async ({
    rig,
    owner,
    fresh,
    id,
  }: Loss & { readonly id: string }): Promise<string> => {
    const state = (await rig.world.store.recovery(id))?.state ?? "none";
    const isIn = (await rig.world.store.ownerKey(fresh.jkt)) !== undefined;
    const isOut = (await rig.world.store.ownerKey(owner.jkt))?.removedAt !== undefined;
    return `${state} ${isIn ? "new" : ""} ${isOut ? "lost" : ""}`.trim();
  };

  it("whoever commits first has it: both at once", async () => {
    const loss = await decided(undefined);
    const [enabled, cancelled] = await Promise.all([
      enableRecoveries(loss.rig.world),
      cancel(loss, loss.id),
    ]);
    const wanted = enabled === 1 ? "recovered new lost" : "cancelled";
    expect(cancelled.word).toBe(enabled === 1 ? "already_decided" : "200");
    expect(await outcome(loss)).toBe(wanted);
    await loss.rig.close();
  });

  it("cancelled just before it is written: nothing is enabled", async () => {
    let loss: (Loss & { readonly id: string }) | undefined;
    loss = await decided(
      before(
        "key.recovered",
        async () => loss && expect((await cancel(loss, loss.id)).word).toBe("200"),
      ),
    );
    expect(await enableRecoveries(loss.rig.world)).toBe(0);
    expect(await outcome(loss)).toBe("cancelled");
    await loss.rig.close();
  });

  it("enabled just before the cancelling is written: that comes too late", async () => {
    let loss: (Loss & { readonly id: string }) | undefined;
    loss = await decided(
      before(
        "key.recovery_cancelled",
        async () => loss && expect(await enableRecoveries(loss.rig.world)).toBe(1),
      ),
    );
    expect((await cancel(loss, loss.id)).word).toBe("already_decided");
    expect(await outcome(loss)).toBe("recovered new lost");
    await loss.rig.close();
  });

  it("with something else decided in between it is enabled all the same", async () => {
    let loss: (Loss & { readonly id: string }) | undefined;
    const halt = { scope: "entry", target: "spiffe://example.org/agent/other", reason: "" };
    loss = await decided(
      before("key.recovered", async () =>
        loss?.rig.call("admin", "POST /v1/halts", { json: halt }),
      ),
    );
    expect(await enableRecoveries(loss.rig.world)).toBe(1);
    expect(await outcome(loss)).toBe("recovered new lost");
    await loss.rig.close();
  });

  it.each(["lost-before", "lost-after"] as const)(
    "and the answer is %s: the next round does the rest",
    async (how) => {
      let isFailing = false;
      const loss = await decided((store) => faulty(store, "commit", how, () => isFailing));
      isFailing = true;
      await expect(enableRecoveries(loss.rig.world)).rejects.toThrow();
      isFailing = false;
      await enableRecoveries(loss.rig.world);
      expect(await outcome(loss)).toBe("recovered new lost");
      await loss.rig.close();
    },
  );

  it("two persons' signatures while a co-signer is removed count for nothing", async () => {
    let loss: Loss | undefined;
    loss = await makeLoss({
      wrap: before("key.recovered", async () =>
        loss?.rig.call("admin", `DELETE /v1/owner/keys/${loss.carol.jkt}`),
      ),
    });
    const { bob, carol } = loss;
    expect((await recover(loss, { coSigners: [bob, carol] })).word).toBe("key_not_enrolled");
    expect(await loss.rig.world.store.ownerKey(loss.fresh.jkt)).toBeUndefined();
    await loss.rig.close();
  });
});

it("ends a link for a first key that was open: the owner has a key", async () => {
  const loss = await makeLoss({ config: { console_port: 8444 } });
  const { rig, owner, bob, carol } = loss;
  await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
  const made = await rig.call("admin", "POST /v1/owner/invitations", { json: { name: "alice" } });
  const id = textOf(made.body["id"]);
  expect(await rig.world.store.invitation(id)).toBeDefined();
  expect((await recover(loss, { coSigners: [bob, carol] })).word).toBe("200");
  expect(await rig.world.store.invitation(id)).toBeUndefined();
  await rig.close();
});
