import type { Digest, Signer } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { enrolHost } from "../people.testing.ts";
import { enrolSecurityKey } from "../security-key.testing.ts";
import { faulty } from "../store/faulty.testing.ts";
import type { Loss } from "../store/faulty.testing.ts";
import type { Store } from "../store/store.ts";
import { keysOf, seededRandom, textOf } from "../world.testing.ts";
import type { RigOptions } from "../world.testing.ts";
import { bring, presign } from "./presign.testing.ts";
import { askedOfSeveral } from "./quorum.testing.ts";
import { approvedScene, askedScene, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

/** The commit of the first decision of this type is lost. */
function losing(type: string, loss: Loss): (store: Store) => Store {
  return (store) => {
    const failing = faulty(store, "commit", loss);
    let isDone = false;
    return new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          const [decision] = given as Parameters<Store["commit"]>;
          if (name !== "commit" || isDone || decision.log?.type !== type)
            return Reflect.apply(member, target, given) as unknown;
          isDone = true;
          return failing.commit(decision);
        };
      },
    });
  };
}

const LOSSES: readonly Loss[] = ["lost-before", "lost-after"];

describe.each(LOSSES)("a commit is %s", (loss) => {
  it("while asking: the same R is asked once", async () => {
    const { rig, host } = await makeScene({ wrap: losing("approval.asked", loss) });
    const posted = await host.make();
    expect((await host.post(posted)).word).toBe("indeterminate");
    expect((await host.post(posted)).word).toBe("202");
    expect(await rig.world.store.asks()).toHaveLength(1);
    await rig.close();
  });

  it("while issuing: the same R is issued upon once, and gets its credential", async () => {
    const { rig, host, cs } = await approvedScene({ wrap: losing("credential.issued", loss) });
    const posted = await host.make({ cs });
    expect((await host.post(posted)).word).toBe("indeterminate");
    const again = await host.post(posted);
    expect([again.word, again.body["n"]]).toEqual(["200", 1]);
    expect(await rig.world.store.credentials()).toHaveLength(1);
    expect((await host.ask({ cs })).body["n"]).toBe(2);
    await rig.close();
  });

  it("while taking an approval that was signed beforehand: one grant, and the same answer", async () => {
    const scene = await makeScene({ wrap: losing("approval.approved", loss) });
    const made = await presign(scene);
    expect((await bring(scene.host, made)).word).toBe("indeterminate");
    expect((await bring(scene.host, made)).body).toEqual({ cs: made.cs });
    expect(await scene.rig.world.store.grants()).toHaveLength(1);
    await scene.rig.close();
  });

  it("while approving: one grant, and the second post knows", async () => {
    const { rig, owner, id } = await askedScene({ wrap: losing("approval.approved", loss) });
    const bytes = await owner.open(id);
    expect((await owner.decide(id, bytes)).word).toBe("indeterminate");
    expect((await owner.decide(id, bytes)).word).toBe(
      loss === "lost-before" ? "200" : "already_decided",
    );
    expect(await rig.world.store.grants()).toHaveLength(1);
    await rig.close();
  });

  it("while a security key approves: its counter moves with the grant, and asking again suspends nothing", async () => {
    const { rig, id } = await askedScene({ wrap: losing("approval.approved", loss) });
    const key = await enrolSecurityKey(rig, 5);
    const bytes = await key.open(id);
    key.counter = 6;
    expect((await key.decide(id, bytes)).word).toBe("indeterminate");
    const isLost = loss === "lost-before";
    expect((await rig.world.store.ownerKey(key.jkt))?.counter).toBe(isLost ? 5 : 6);
    expect((await key.decide(id, bytes)).word).toBe(isLost ? "200" : "already_decided");
    expect(await rig.world.store.ownerKey(key.jkt)).toMatchObject({ counter: 6 });
    expect((await rig.world.store.ownerKey(key.jkt))?.suspendedAt).toBeUndefined();
    await rig.close();
  });

  it("while suspending a key: it is suspended once, and the second post knows", async () => {
    const { rig, id } = await askedScene({ wrap: losing("key.suspended", loss) });
    const key = await enrolSecurityKey(rig, 5);
    const bytes = await key.open(id);
    key.counter = 4;
    expect((await key.decide(id, bytes)).word).toBe("indeterminate");
    expect((await key.decide(id, bytes)).word).toBe(
      loss === "lost-before" ? "counter_regressed" : "key_suspended",
    );
    expect((await rig.world.store.ownerKey(key.jkt))?.suspendedAt).toBeDefined();
    await rig.close();
  });

  it("while resuming a key: it signs again, or can be resumed again", async () => {
    const { rig, id } = await askedScene({ wrap: losing("key.resumed", loss) });
    const key = await enrolSecurityKey(rig, 5);
    await key.decide(id, await key.open(id));
    const resume = async (): Promise<string> =>
      (await rig.call("admin", `POST /v1/owner/keys/${key.jkt}/resume`)).word;
    expect(await resume()).toBe("indeterminate");
    expect(await resume()).toBe(loss === "lost-before" ? "200" : "not_found");
    key.counter = 6;
    await key.approve(id);
    await rig.close();
  });

  it("while keeping one of several signatures: it counts once, and the next one makes the grant", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral({ wrap: losing("approval.signed", loss) });
    const bytes = await alice.open(id);
    expect((await alice.decide(id, bytes)).word).toBe("indeterminate");
    const again = await alice.decide(id, bytes);
    expect(again.word).toBe(loss === "lost-before" ? "200" : "already_signed");
    expect(await rig.world.store.grants()).toEqual([]);
    await bob.approve(id);
    expect(await rig.world.store.grants()).toHaveLength(1);
    await rig.close();
  });

  it("while keeping the last of several signatures: one grant, and the second post knows", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral({
      wrap: losing("approval.approved", loss),
    });
    await alice.decide(id, await alice.open(id));
    const bytes = await bob.open(id);
    expect((await bob.decide(id, bytes)).word).toBe("indeterminate");
    const again = await bob.decide(id, bytes);
    expect(again.word).toBe(loss === "lost-before" ? "200" : "already_decided");
    expect(await rig.world.store.grants()).toHaveLength(1);
    await rig.close();
  });

  it("while halting: halting again is never wrong", async () => {
    const { rig, host, cs } = await approvedScene({ wrap: losing("halt.set", loss) });
    const order = { json: { scope: "agent", target: host.agent, reason: "" } };
    expect((await rig.call("admin", "POST /v1/halts", order)).word).toBe("indeterminate");
    expect((await rig.call("admin", "POST /v1/halts", order)).word).toBe("200");
    expect((await host.ask({ cs })).word).toBe("halted");
    await rig.close();
  });

  it("while enrolling: the token is used or it is not, and a second use says so", async () => {
    const { rig } = await makeScene({ wrap: losing("credential.refused", loss) });
    const failing = await makeScene({ wrap: losing("proxy.enrolled", loss) }).catch(
      (error: Error) => error.message,
    );
    expect(failing).toContain("indeterminate");
    await rig.close();
  });

  it("while renewing a host: it renews again", async () => {
    const { rig, host } = await makeScene({ wrap: losing("proxy.renewed", loss) });
    expect(await host.renew()).toBe("indeterminate");
    expect(await host.renew()).toBe("200");
    expect((await host.ask()).word).toBe("202");
    await rig.close();
  });

  it("while logging a refusal: the caller learns the reason all the same", async () => {
    const { rig, host } = await makeScene({ wrap: losing("credential.refused", loss) });
    expect((await host.ask({ request: { aud: "https://id.example.com" } })).word).toBe(
      "request_invalid",
    );
    await rig.close();
  });
});

type Act = (scene: Scene & { readonly id: string; readonly cs: Digest }) => Promise<string>;
const issue: Act = async ({ host, cs }) => (await host.ask({ cs })).word;
const call: Act = async ({ host }) => (await host.call("POST /v1/nonce", {})).word;
const ask: Act = async ({ host }) => (await host.ask({ script: 9 })).word;
const renew: Act = ({ host }) => host.renew();
const enrolAnother: Act = async ({ rig }) =>
  enrolHost(rig, "host-2").then(
    () => "200",
    (error: Error) => error.message.replace("not enrolled: ", ""),
  );
const open: Act = async ({ owner, id }) =>
  owner.open(id).then(
    () => "200",
    (error: Error) => error.message,
  );
const halt: Act = async ({ rig }) =>
  (
    await rig.call("admin", "POST /v1/halts", {
      json: { scope: "domain", target: "example.org", reason: "" },
    })
  ).word;

/** A scene with an approved agent and an open question of another program. */
async function busyScene(options: RigOptions): Promise<Scene & { id: string; cs: Digest }> {
  const scene = await approvedScene(options);
  return { ...scene, id: textOf((await scene.host.ask({ script: 8 })).body["id"]) };
}

describe("a read is lost", () => {
  it.each<readonly [keyof Store, string, Act, string]>([
    ["certificate", "a proxy calls", call, "200"],
    ["proxy", "a proxy calls", call, "200"],
    ["outcome", "issuing", issue, "200"],
    ["onceSeen", "issuing", issue, "200"],
    ["keyOwner", "issuing", issue, "200"],
    ["known", "issuing", issue, "200"],
    ["known", "asking", ask, "202"],
    ["stops", "a host renews itself", renew, "200"],
    ["joinToken", "enrolling", enrolAnother, "200"],
    ["ask", "an owner opens a request", open, "200"],
    ["ownerKey", "an owner opens a request", open, "200"],
  ])(
    "%s, while %s: indeterminate, nothing changes, and the next try is as if it had not been",
    async (method, _while, act, word) => {
      let isFailing = false;
      const wrap = (store: Store): Store => faulty(store, method, "lost-before", () => isFailing);
      const scene = await busyScene({ wrap });
      const before = await scene.rig.logSize();
      isFailing = true;
      expect(await act(scene)).toBe("indeterminate");
      isFailing = false;
      // the token of an enrolment is made before it, and a refusal is a row for itself
      const types = (await scene.rig.world.store.logRows(before, before + 9)).map(
        ({ type }) => type,
      );
      expect(
        types.filter((type) => !["credential.refused", "admin.join_token"].includes(type)),
      ).toEqual([]);
      expect(await act(scene)).toBe(word);
      await scene.rig.close();
    },
  );
});

describe.each(LOSSES)("a signature is %s", (loss) => {
  type Which = "agents" | "infrastructure" | "wit";

  /** Keys of which one fails while the test says so. */
  const failing =
    (which: Which, isFailing: () => boolean): NonNullable<RigOptions["keys"]> =>
    async (config) => {
      const made = await keysOf(seededRandom("keys"), config.logOrigin);
      const broken = (signer: Signer): Signer => faulty(signer, "sign", loss, isFailing);
      const { keys } = made;
      const wit = keys.wit.map((one) => ({ ...one, signer: broken(one.signer) }));
      const ca = which === "wit" ? keys.agents : keys[which];
      const replaced =
        which === "wit" ? { wit } : { [which]: { ...ca, signer: broken(ca.signer) } };
      return { ...made, keys: { ...keys, ...replaced } };
    };

  it.each<readonly [Which, string, Act]>([
    ["wit", "issuing", issue],
    ["agents", "issuing", issue],
    ["infrastructure", "enrolling", enrolAnother],
    ["infrastructure", "a host renews itself", renew],
  ])(
    "of %s, while %s: nothing is written, halts work, and the next try does it once",
    async (which, _while, act) => {
      let isFailing = false;
      const scene = await busyScene({ keys: failing(which, () => isFailing) });
      const { rig } = scene;
      const counts = async (): Promise<readonly number[]> => [
        (await rig.world.store.credentials()).length,
        (await rig.world.store.proxies()).length,
      ];
      const before = await counts();
      isFailing = true;
      expect(await act(scene)).toBe("indeterminate");
      expect(await counts()).toEqual(before);
      isFailing = false;
      expect(await act(scene)).toBe("200");
      const [credentials = 0, proxies = 0] = before;
      const after =
        act === issue
          ? [credentials + 1, proxies]
          : act === renew
            ? before
            : [credentials, proxies + 1];
      expect(await counts()).toEqual(after);
      isFailing = true;
      expect(await halt(scene)).toBe("200");
      await rig.close();
    },
  );
});

describe("while the server holds", () => {
  it("nothing is issued or enrolled; halts work", async () => {
    let reason: string | undefined;
    const wrap = (store: Store): Store =>
      new Proxy(store, {
        get: (target, name) => {
          if (name === "hold") return () => reason;
          const member: unknown = Reflect.get(target, name, target);
          if (name === "known")
            return async (query: Parameters<Store["known"]>[0]) => ({
              ...(await target.known(query)),
              ...(reason === undefined ? {} : { hold: reason }),
            });
          return typeof member === "function" ? (member.bind(target) as unknown) : member;
        },
      });
    const { rig, host, cs } = await approvedScene({ wrap });
    reason = "behind";
    expect((await host.ask({ cs })).word).toBe("hold");
    expect((await rig.call("public", "GET /readyz")).status).toBe(503);
    expect((await rig.call("public", "GET /healthz")).status).toBe(200);
    expect((await rig.call("admin", "GET /v1/status")).body["hold"]).toBe("behind");
    expect(
      (
        await rig.call("admin", "POST /v1/halts", {
          json: { scope: "agent", target: host.agent, reason: "" },
        })
      ).word,
    ).toBe("200");
    await rig.close();
  });

  it("a proxy that has seen more than there is makes it hold", async () => {
    const { rig, host, cs } = await approvedScene();
    const seen = { seq: 1, checkpoint: "garbage" };
    expect((await host.call("POST /v1/nonce", { seen })).word).toBe("200");
    const other = await makeScene();
    const checkpoint = (await other.rig.call("public", "GET /log/checkpoint")).text;
    expect((await host.call("POST /v1/nonce", { seen: { seq: 9, checkpoint } })).word).toBe("200");
    expect((await host.ask({ cs })).word).toBe("200"); // neither was signed by this log
    await rig.close();
  });
});
