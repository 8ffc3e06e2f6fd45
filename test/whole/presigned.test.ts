import { readdir, stat, writeFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromBase64url, parseJson, Refusal } from "../../packages/core/src/index.ts";
import type { CredentialStatement, Json } from "../../packages/core/src/index.ts";
import type { Kept } from "../../packages/proxy/src/presigned/files.ts";
import { Presigned } from "../../packages/proxy/src/presigned/presigned.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { signBeforehand as sign } from "./presign.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

/** The server is away, and the agent has asked in vain. */
async function away(between: Between = {}): Promise<Whole> {
  const whole = await makeWhole(between);
  whole.wire.cut();
  expect((await whole.credential(undefined, "trust me")).word).toBe("unreachable");
  return whole;
}

/** Signed for the program that runs, while the server is away. */
async function presigned(whole: Whole): Promise<Kept> {
  const material = await whole.presigned.material({ agent: "mailer" });
  return whole.presigned.keep(await sign(whole, material));
}

/** The server can be reached again, and what waits was brought. */
async function back(whole: Whole): Promise<Kept | undefined> {
  whole.wire.mend();
  let item: Kept | undefined;
  await whole.until(async () => {
    [item] = await whole.presigned.list();
    return item?.state !== "waiting";
  });
  await whole.heard();
  return item;
}

const claimsOf = (issued: Answered): Json =>
  parseJson(fromBase64url(textOf(issued.body["wit"]).split(".")[1] ?? ""), {
    maxBytes: 8192,
    maxDepth: 6,
  });
const asks = async ({ scene }: Whole): Promise<readonly unknown[]> =>
  scene.rig.world.store.asks({ state: "asked" });
const halt = async ({ scene }: Whole, scope: string, target: string): Promise<unknown> =>
  scene.rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "" } });

describe("signed while the server is away", () => {
  it("I-27: the agent gets its credential when the server is back, and nobody is asked", async () => {
    const whole = await away();
    const kept = await presigned(whole);
    expect(kept.state).toBe("waiting");
    expect((await whole.credential()).word).toBe("unreachable");
    expect(await back(whole)).toMatchObject({ state: "accepted", entry: ENTRY_ID });
    const issued = await whole.credential();
    expect(issued.word).toBe("200");
    const wit = claimsOf(issued);
    expect(wit).toMatchObject({ countersign_owner: { cs: kept.statement.cs, model: "agent" } });
    const [row] = await whole.scene.rig.world.store.grants();
    expect(row).toMatchObject({ cs: kept.statement.cs, model: "agent", issued: 1 });
    expect(await asks(whole)).toEqual([]);
    await whole.pass(450); // and it renews itself
    await whole.until(async () => (await whole.scene.rig.world.store.credentials()).length === 2);
    await whole.end();
  });

  it("shows what was measured, and the agent's words only inside R", async () => {
    const whole = await away();
    const material = await whole.presigned.material({ agent: "mailer" });
    expect(material.measurements.map(({ n }) => n)).toEqual(["binary", "script"]);
    expect(material.request.claims).toMatchObject({ note: "trust me", sub: ENTRY_ID });
    expect(JSON.stringify({ ...material, request: "" })).not.toContain("trust me");
    const again = await whole.presigned.material({ agent: "mailer" });
    expect(again.request.claims.nonce).not.toBe(material.request.claims.nonce);
    await whole.end();
  });

  it("waits on disk, for us alone, and outlives the proxy", async () => {
    const whole = await away();
    const { statement } = await presigned(whole);
    const folder = join(whole.folder, "presigned");
    const [file = "", ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    const anew = new Presigned(whole.w, whole.agents, whole.folder);
    whole.presigned.close();
    whole.wire.mend();
    anew.bring();
    await whole.until(async () => (await anew.list())[0]?.state === "accepted");
    expect((await anew.list())[0]?.statement.cs).toBe(statement.cs);
    anew.close();
    await whole.end();
  });

  it("a file that was changed is not taken for an approval", async () => {
    const whole = await away();
    await presigned(whole);
    const folder = join(whole.folder, "presigned");
    const path = join(folder, (await readdir(folder))[0] ?? "");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"statement":"ey', '"statement":"fz'));
    const anew = new Presigned(whole.w, whole.agents, whole.folder);
    await expect(anew.list()).rejects.toBeInstanceOf(Refusal);
    anew.close();
    await whole.end();
  });

  it.each<readonly [string, Partial<Record<"lostBefore" | "lostAfter", boolean>>]>([
    ["a call that never arrived", { lostBefore: true }],
    ["an answer that was lost", { lostAfter: true }],
  ])("%s is repaired by bringing it again, and one grant is made", async (_name, how) => {
    let calls = 0;
    const whole = await away({
      uplink: (plain) => ({
        ...plain,
        presigned: async (posted) => {
          calls += 1;
          if (calls > 2) return plain.presigned(posted);
          if (how.lostAfter === true) await plain.presigned(posted);
          throw new Refusal("unreachable", "lost");
        },
      }),
    });
    await presigned(whole);
    whole.wire.mend();
    await whole.until(async () => {
      whole.timers.advance(300_000);
      return (await whole.presigned.list())[0]?.state === "accepted";
    });
    expect(calls).toBe(3);
    expect(await whole.scene.rig.world.store.grants()).toHaveLength(1);
    await whole.end();
  });

  it("comes in while the agent is asking already: the question is not waited for", async () => {
    let isHidden = false;
    const whole = await away({
      state: (state) => (isHidden ? { ...state, approvals: [] } : state),
    });
    await presigned(whole);
    isHidden = true; // the state that shows it is still on its way
    expect((await back(whole))?.state).toBe("accepted");
    expect((await whole.credential()).word).toBe("202");
    isHidden = false;
    await whole.scene.put({ offline_proofs: false });
    await whole.until(async () => (await whole.status())["state"] === "held");
    await whole.end();
  });

  it("to a server that is there it is brought at once", async () => {
    const whole = await makeWhole();
    expect((await whole.credential()).word).toBe("202");
    await presigned(whole);
    await whole.until(async () => (await whole.status())["state"] === "held");
    expect(await asks(whole)).toEqual([]);
    await whole.end();
  });
});

describe("what happened meanwhile", () => {
  type Row = readonly [string, (whole: Whole, kept: Kept) => unknown, string];
  it.each<Row>([
    ["the agent was halted", (w, k) => halt(w, "agent", k.statement.body.agent.id), "halted"],
    ["the owner was halted", (w) => halt(w, "owner", w.scene.owner.id), "halted"],
    ["this approval was halted", (w, k) => halt(w, "grant", k.statement.cs), "halted"],
    [
      "the key was removed",
      ({ scene }) => scene.rig.call("admin", `DELETE /v1/owner/keys/${scene.owner.jkt}`),
      "key_not_enrolled",
    ],
    [
      "the registration was narrowed",
      ({ scene }) =>
        scene.put({ grant: { use: "standing", max_ttl: 60, max_live: 8, ceiling: [] } }),
      "approval_unsuitable",
    ],
    ["its day is over", ({ scene }) => scene.rig.advance(86_400), "approval_expired"],
    ["its week is over", ({ scene }) => scene.rig.advance(7 * 86_400), "approval_expired"],
  ])("%s → it is refused, and said so", async (_name, act, reason) => {
    const whole = await away();
    await act(whole, await presigned(whole));
    expect(await back(whole)).toMatchObject({ state: "refused", reason });
    expect(await whole.scene.rig.world.store.grants()).toEqual([]);
    expect((await whole.credential()).word).not.toBe("200");
    await whole.end();
  });

  it("the program changed: its owner is asked", async () => {
    const whole = await away();
    await presigned(whole);
    expect((await back(whole))?.state).toBe("accepted");
    whole.door.scripts.set(4712, 9);
    expect((await whole.credential(4712)).word).toBe("202");
    expect(await asks(whole)).toHaveLength(1);
    await whole.end();
  });

  it("a stop after it was given ends it, and it is not given again", async () => {
    const whole = await away();
    const { statement } = await presigned(whole);
    await back(whole);
    expect((await whole.credential()).word).toBe("200");
    await halt(whole, "grant", statement.cs);
    await whole.heard();
    expect((await whole.status())["state"]).toBe("halted");
    await whole.end();
  });
});

describe("what is not taken back", () => {
  type Change = (body: CredentialStatement) => object;
  it.each<readonly [string, Change, string]>([
    ["a denial", () => ({ decision: "deny" }), "approval_unsuitable"],
    ["another request", () => ({ req: `sha-256:${"A".repeat(43)}` }), "not_found"],
    ["another nonce", () => ({ nonce: "A".repeat(22) }), "approval_unsuitable"],
    [
      "another program",
      (b) => ({ agent: { ...b.agent, meas: b.agent.meas.slice(0, 1) } }),
      "approval_unsuitable",
    ],
    ["wider bounds", (b) => ({ grant: { ...b.grant, max_live: 9 } }), "approval_unsuitable"],
    [
      "another host",
      (b) => ({ agent: { ...b.agent, host: `${b.agent.host}9` } }),
      "approval_unsuitable",
    ],
    [
      "another owner",
      (b) => ({ owner: { ...b.owner, id: `${b.owner.id}9` } }),
      "approval_unsuitable",
    ],
  ])("%s → %#", async (_name, change, word) => {
    const whole = await away();
    const material = await whole.presigned.material({ agent: "mailer" });
    const signed = await sign(whole, material, change);
    await expect(whole.presigned.keep(signed)).rejects.toMatchObject({ code: word });
    expect(await whole.presigned.list()).toEqual([]);
    await whole.end();
  });

  it("the signature of another key, and the same approval twice", async () => {
    const whole = await away();
    const material = await whole.presigned.material({ agent: "mailer" });
    const signed = await sign(whole, material);
    const { sig } = await sign(whole, material, (b) => ({ exp: b.exp - 1 }));
    await expect(whole.presigned.keep({ ...signed, sig })).rejects.toMatchObject({
      code: "signature_invalid",
    });
    await whole.presigned.keep(signed);
    await expect(whole.presigned.keep(signed)).rejects.toMatchObject({ code: "not_found" });
    await whole.end();
  });

  it("nothing is handed out for a program that ended, or among several without its number", async () => {
    const whole = await away();
    whole.door.scripts.set(4712, 9);
    expect((await whole.credential(4712)).word).toBe("unreachable");
    const several = whole.presigned.material({ agent: "mailer" });
    await expect(several).rejects.toMatchObject({ code: "malformed_request" });
    await whole.end();
  });
});
