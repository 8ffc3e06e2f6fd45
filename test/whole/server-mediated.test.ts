// Server-mediated approval (owner.md 1.6, DESIGN 6): what lies between asking and the answer.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { base64url, fromBase64url, readStatement } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { expireAsks } from "../../packages/server/src/cases/expire.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

describe("server-mediated approval", () => {
  let whole: Whole;
  let owner: Owner;
  beforeEach(async () => {
    whole = await makeWhole();
    ({ owner } = whole.scene);
  });
  afterEach(() => whole.end());

  const asked = async (): Promise<string> =>
    (await whole.scene.rig.world.store.asks({ state: "asked" }))[0]?.id ?? "nobody asks";
  const issued = async (): Promise<number> =>
    (await whole.scene.rig.world.store.credentials()).length;
  const held = (): Promise<void> =>
    whole.until(async () => (await whole.status())["state"] === "held");
  /** Posts a signed statement as anybody could who can reach the server. */
  const post = async (id: string, bytes: Uint8Array, sig: object): Promise<Answered> =>
    whole.scene.rig.call("admin", `POST /v1/owner/requests/${id}/decision`, {
      json: { decision: "approve", statement: base64url(bytes), sig },
    });

  it("the answer is pushed: who waits at the door gets the credential without asking again", async () => {
    const waiting = whole.call("POST /v1/credential?wait=300", {});
    await whole.until(async () => (await asked()) !== "nobody asks");
    await whole.approve();
    const { word, body } = await waiting;
    expect(word).toBe("200");
    expect(textOf(body["wit"])).not.toBe("");
    // one question, one credential: the proxy asked for it by itself, with fresh evidence
    expect(await whole.scene.rig.world.store.asks()).toHaveLength(1);
    expect(await issued()).toBe(1);
  });

  it("an owner with two keys: either one approves what was opened for it", async () => {
    const second = await enrolOwner(whole.scene.rig, "alice", generateSigner(), [owner]);
    await whole.credential();
    await second.approve(await asked());
    await whole.heard();
    await held();
    whole.door.scripts.set(9, 3);
    await whole.credential(9);
    await owner.approve(await asked());
    const signers = (await whole.scene.rig.world.store.grants()).map(({ ownerJkt }) => ownerJkt);
    expect(new Set(signers)).toEqual(new Set([owner.jkt, second.jkt]));
  });

  it("opened for one key and signed with the other: refused, and the question stays", async () => {
    const second = await enrolOwner(whole.scene.rig, "alice", generateSigner(), [owner]);
    await whole.credential();
    const id = await asked();
    const bytes = await owner.open(id);
    expect((await post(id, bytes, await second.sign(bytes))).word).toBe("key_not_enrolled");
    // also where the statement is made to name the key that signed
    const { body } = readStatement(c, bytes);
    const changed = { ...body, owner: { ...body.owner, jkt: second.jkt } };
    const other = new TextEncoder().encode(JSON.stringify(changed));
    expect((await post(id, other, await second.sign(other))).word).toBe("statement_invalid");
    expect(await asked()).toBe(id);
    await owner.approve(id);
    await held();
  });

  it("approved on another host: a valid signature alone decides, whoever posts it", async () => {
    await whole.credential();
    const id = await asked();
    const printed = await owner.open(id, owner.jkt, "&elsewhere=1");
    const { body } = readStatement(c, printed);
    expect(body.exp - body.iat).toBe(3600);
    await whole.pass(3000); // an hour to carry it there and back
    const sig = await owner.sign(fromBase64url(base64url(printed)));
    const bob = await enrolOwner(whole.scene.rig, "bob");
    expect((await post(id, printed, await bob.sign(printed))).word).toBe("key_not_enrolled");
    expect((await post(id, printed, sig)).word).toBe("200");
    await whole.heard();
    await held();
    const record = (await whole.scene.rig.world.store.logRows(0, 1000)).find(
      ({ type }) => type === "approval.approved",
    );
    expect(new TextDecoder().decode(record?.record)).toContain(owner.jkt);
  });

  it.each<readonly [string, number, string]>([
    ["the statement's five minutes are over", 300, "approval_expired"],
    ["the question's deadline has passed", 3600, "approval_expired"],
  ])("opened in time and signed too late: %s", async (_what, seconds, word) => {
    await whole.credential();
    const id = await asked();
    const bytes = await owner.open(id);
    whole.scene.rig.advance(seconds);
    expect((await post(id, bytes, await owner.sign(bytes))).word).toBe(word);
    expect(await whole.scene.rig.world.store.grants()).toEqual([]);
  });

  it("the deadline passes while it is open: no statement outlives it, and the agent hears that it is over", async () => {
    const waiting = whole.call("POST /v1/credential?wait=300", {});
    await whole.until(async () => (await asked()) !== "nobody asks");
    const id = await asked();
    whole.scene.rig.advance(3500);
    const bytes = await owner.open(id, owner.jkt, "&elsewhere=1");
    expect(readStatement(c, bytes).body.exp).toBe(whole.scene.rig.now() + 100);
    whole.scene.rig.advance(100);
    expect(await expireAsks(whole.scene.rig.world)).toBe(1);
    await whole.heard();
    expect((await waiting).word).toBe("approval_expired");
    expect((await post(id, bytes, await owner.sign(bytes))).word).toBe("approval_expired");
    expect((await whole.credential()).word).toBe("202");
  });

  it("a question is superseded while it is open: what was signed for it is worth nothing", async () => {
    await whole.credential();
    const old = await asked();
    const bytes = await owner.open(old);
    whole.door.scripts.set(9, 3);
    await whole.credential(9);
    const newer = await asked();
    expect(newer).not.toBe(old);
    expect((await post(old, bytes, await owner.sign(bytes))).word).toBe("approval_expired");
    expect((await post(newer, bytes, await owner.sign(bytes))).word).toBe("statement_invalid");
    await expect(owner.open(old)).rejects.toThrow("approval_expired");
    await owner.approve(newer);
    expect(await whole.scene.rig.world.store.grants()).toHaveLength(1);
  });

  it("denied three times, an hour and then two apart, the agent asks no more until the owner lets it", async () => {
    for (const hours of [1, 2]) {
      await whole.credential();
      await owner.deny(await asked());
      await whole.heard();
      expect((await whole.credential()).word).toBe("approval_denied");
      await whole.pass(hours * 3600);
    }
    await whole.credential();
    expect((await owner.deny(await asked())).body).toMatchObject({ blocked: true });
    await whole.pass(86_400);
    const refused = await whole.credential();
    expect(refused.word).toBe("approval_denied");
    expect(refused.body["next"]).toMatch(/countersign owner unblock/);
    await whole.scene.rig.call("admin", "POST /v1/owner/agents/mailer/unblock");
    await whole.pass(1);
    expect((await whole.credential()).word).toBe("202");
    await owner.approve(await asked());
    await held();
  });
});
