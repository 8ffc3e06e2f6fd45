import { generateSigner } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { enrolHost, enrolOwner, ENTRY_ID } from "../people.testing.ts";
import { entryOf } from "../world.testing.ts";
import { askedScene, before } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

/**
 * Between the text that an owner reads and the grant that his signature makes, anything may happen. Each is let happen
 * twice: while the passkey's dialog is open, and between the server's decision and its commit.
 */
type Asked = Scene & { readonly id: string };
type Meanwhile = readonly [name: string, act: (scene: Asked) => Promise<unknown>, word: string];

const CEILING = [
  { type: "http_api", locations: ["https://mail.example.com/"], actions: ["read"] },
] as const;
const key = (scene: Asked, fields: object): Promise<unknown> =>
  scene.rig.world.store.commit({
    changes: [{ set: "ownerKey", jkt: scene.owner.jkt, fields }],
    bumpEpoch: true,
  });
const halt = ({ rig }: Asked, scope: string, target: string): Promise<unknown> =>
  rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "test" } });

const ROWS: readonly Meanwhile[] = [
  [
    "the agent asks anew, with another program",
    ({ host }) => host.ask({ script: 3 }),
    "approval_expired",
  ],
  [
    "the ceiling is narrowed",
    (scene) =>
      scene.put({ grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling: [...CEILING] } }),
    "approval_unsuitable",
  ],
  [
    "credentials are to last less long",
    (scene) => scene.put({ grant: { use: "standing", max_ttl: 300, max_live: 8, ceiling: [] } }),
    "approval_unsuitable",
  ],
  [
    "the agent gets another owner",
    async (scene) => scene.put({ owner: (await enrolOwner(scene.rig, "bob")).id }),
    "approval_unsuitable",
  ],
  [
    "the agent needs an owner no more",
    ({ rig }) =>
      rig.call("admin", "POST /v1/entries", {
        json: { ...entryOf({}), binding: "none", owner: undefined },
      }),
    "approval_unsuitable",
  ],
  [
    "the agent moves to another host",
    async (scene) => {
      const other = await enrolHost(scene.rig, "host-2");
      return scene.put({ proxy: other.id });
    },
    "approval_unsuitable",
  ],
  [
    "the agent is removed",
    ({ rig }) => rig.call("admin", "DELETE /v1/entries/mailer"),
    "approval_unsuitable",
  ],
  [
    "the key is suspended",
    (scene) => key(scene, { suspendedAt: scene.rig.now() }),
    "key_suspended",
  ],
  [
    "the key is removed",
    ({ rig, owner }) => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
    "key_not_enrolled",
  ],
  ["the agent is stopped", (scene) => halt(scene, "entry", ENTRY_ID), "halted"],
  ["the host is stopped", (scene) => halt(scene, "proxy", scene.host.id), "halted"],
  ["everything of the owner is stopped", (scene) => halt(scene, "owner", scene.owner.id), "halted"],
  ["it is denied on another device", ({ owner, id }) => owner.deny(id), "already_decided"],
  [
    "it is blocked on another device",
    ({ rig, id }) => rig.call("admin", `POST /v1/owner/requests/${id}/block`, { json: {} }),
    "already_decided",
  ],
];

describe("what happens while an owner signs", () => {
  it.each(ROWS)(
    "%s: his dialog was open, and nothing is granted → $2",
    async (_name, act, word) => {
      const scene = await askedScene();
      const bytes = await scene.owner.open(scene.id);
      await act(scene);
      expect((await scene.owner.decide(scene.id, bytes)).word).toBe(word);
      expect(await scene.rig.world.store.grants()).toEqual([]);
      await scene.rig.close();
    },
  );

  it.each(ROWS)("%s, just before the commit: nothing is granted", async (_name, act) => {
    let meanwhile: () => Promise<unknown> = () => Promise.resolve();
    const wrap = before("approval.approved", () => meanwhile());
    const scene = await askedScene({ wrap });
    const bytes = await scene.owner.open(scene.id);
    meanwhile = () => act(scene);
    const { status } = await scene.owner.decide(scene.id, bytes);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(await scene.rig.world.store.grants()).toEqual([]);
    await scene.rig.close();
  });

  it("is approved by two of his devices at once, and one of them makes the grant", async () => {
    const scene = await askedScene();
    const other = await enrolOwner(scene.rig, "alice", generateSigner());
    const one = await scene.owner.open(scene.id);
    const two = await other.open(scene.id);
    const words = await Promise.all([
      scene.owner.decide(scene.id, one),
      other.decide(scene.id, two),
    ]).then((answers) => answers.map(({ word }) => word));
    expect(words.toSorted()).toEqual(["200", "already_decided"]);
    expect(await scene.rig.world.store.grants()).toHaveLength(1);
    await scene.rig.close();
  });

  it("is approved and denied at once: one of both holds", async () => {
    const scene = await askedScene();
    const bytes = await scene.owner.open(scene.id);
    const [approved, denied] = await Promise.all([
      scene.owner.decide(scene.id, bytes),
      scene.rig.call("admin", `POST /v1/owner/requests/${scene.id}/decision`, {
        json: { decision: "deny" },
      }),
    ]);
    expect([approved.word, denied.word].toSorted()).toEqual(["200", "already_decided"]);
    const grants = await scene.rig.world.store.grants();
    expect(grants).toHaveLength(approved.word === "200" ? 1 : 0);
    await scene.rig.close();
  });

  it("is not opened for a host that the agent has left", async () => {
    const scene = await askedScene();
    const other = await enrolHost(scene.rig, "host-2");
    expect(await scene.put({ proxy: other.id })).toBe("200");
    await expect(scene.owner.open(scene.id)).rejects.toThrow("approval_unsuitable");
    await scene.rig.close();
  });

  it("is signed by a browser whose clock is wrong: the server's alone counts", async () => {
    const scene = await askedScene();
    const bytes = await scene.owner.open(scene.id);
    scene.rig.advance(300);
    expect((await scene.owner.decide(scene.id, bytes)).word).toBe("approval_expired");
    expect(await scene.rig.world.store.grants()).toEqual([]);
    await scene.rig.close();
  });
});
