import { describe, expect, it } from "vitest";
import { faulty } from "../store/faulty.testing.ts";
import type { Loss } from "../store/faulty.testing.ts";
import type { Store } from "../store/store.ts";
import { approvedScene, askedScene, makeScene } from "./scene.testing.ts";

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
