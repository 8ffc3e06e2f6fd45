import { parseJson } from "@countersign/core";
import { generateSigner, silentLog } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { enrolOwner } from "../people.testing.ts";
import { enrolSecurityKey } from "../security-key.testing.ts";
import type { SecurityKey } from "../security-key.testing.ts";
import { textOf } from "../world.testing.ts";
import type { RigOptions } from "../world.testing.ts";
import { partiesOf } from "./quorum.testing.ts";
import { bring, presign } from "./presign.testing.ts";
import { askedScene, before } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

interface KeyScene extends Scene {
  /** The open question. */
  readonly id: string;
  readonly key: SecurityKey;
}

/** An open question, and a security key that was enrolled at this counter. */
async function keyScene(counter: number, options: RigOptions = {}): Promise<KeyScene> {
  const scene = await askedScene(options);
  return { ...scene, key: await enrolSecurityKey(scene.rig, counter) };
}

const wordOf = (made: Promise<unknown>): Promise<string> =>
  made.then(
    () => "200",
    (error: Error) => error.message,
  );

async function signedBy(key: SecurityKey, id: string, bytes: Uint8Array): Promise<void> {
  const { word } = await key.decide(id, bytes);
  if (word !== "200") throw new Error(word);
}

/** Everything that an owner's key signs. */
const USES: Readonly<Record<string, (scene: KeyScene) => Promise<string>>> = {
  "an approval": ({ key, id }) => wordOf(key.approve(id)),
  "an approval signed beforehand": async (scene) =>
    (await bring(scene.host, await presign({ ...scene, owner: scene.key }))).word,
  "one of several signatures": async ({ rig, put, owner, key, id }) => {
    const bob = await enrolOwner(rig, "bob");
    await put({ parties: partiesOf(2, owner, bob) });
    return wordOf(key.open(id).then(async (bytes) => signedBy(key, id, bytes)));
  },
  "the last of several signatures": async ({ rig, put, owner, key, id }) => {
    const bob = await enrolOwner(rig, "bob");
    await put({ parties: partiesOf(2, owner, bob) });
    return wordOf(
      key.open(id).then(async (bytes) => {
        await bob.decide(id, await bob.open(id));
        return signedBy(key, id, bytes);
      }),
    );
  },
  "a co-signature": ({ rig, key }) =>
    wordOf(enrolOwner(rig, "alice", generateSigner("Ed25519"), [key])),
};

const stateOf = async ({ rig, key }: KeyScene): Promise<readonly [number | undefined, boolean]> => {
  const row = await rig.world.store.ownerKey(key.jkt);
  return [row?.counter, row?.suspendedAt !== undefined];
};

const typesOf = async ({ rig }: Scene): Promise<readonly string[]> =>
  (await rig.world.store.logRows(0, 1000)).map(({ type }) => type);

const BAD = "counter_regressed";

describe.each(Object.entries(USES))("%s by a security key", (_use, act) => {
  it.each<readonly [stored: number, shown: number, word: string]>([
    [5, 6, "200"],
    [5, 500, "200"],
    [0, 1, "200"],
    [0, 0, "200"],
    [5, 5, BAD],
    [5, 4, BAD],
    [5, 0, BAD],
  ])("enrolled at %d, signing with %d → %s", async (stored, shown, word) => {
    const scene = await keyScene(stored);
    scene.key.counter = shown;
    expect(await act(scene)).toBe(word);
    const isBad = word === BAD;
    expect(await stateOf(scene)).toEqual([isBad ? stored : shown, isBad]);
    expect((await typesOf(scene)).includes("key.suspended")).toBe(isBad);
    await scene.rig.close();
  });

  it("is refused when the key is suspended, however far its counter has come", async () => {
    const scene = await suspended();
    scene.key.counter = 100;
    expect(await act(scene)).toBe("key_suspended");
    await scene.rig.close();
  });

  it("goes on from the highest counter once the key was resumed", async () => {
    const scene = await suspended();
    const { rig, key } = scene;
    const resume = `POST /v1/owner/keys/${key.jkt}/resume`;
    expect((await rig.call("admin", resume)).word).toBe("200");
    expect((await rig.call("admin", resume)).word).toBe("not_found");
    key.counter = 5;
    expect(await act(scene)).toBe(BAD);
    expect((await rig.call("admin", resume)).word).toBe("200");
    key.counter = 6;
    expect(await act(scene)).toBe("200");
    const types = (await typesOf(scene)).filter((type) => /suspended|resumed/.test(type));
    expect(types).toEqual(["key.suspended", "key.resumed", "key.suspended", "key.resumed"]);
    await rig.close();
  });

  it("of which the answer was lost may be sent again: it suspends nothing", async () => {
    const scene = await keyScene(5);
    const again = recorded(scene);
    scene.key.counter = 6;
    expect(await act(scene)).toBe("200");
    await again();
    expect(await stateOf(scene)).toEqual([6, false]);
    await scene.rig.close();
  });
});

/** A key that was enrolled at 5 and approved nothing with 5. */
async function suspended(options: RigOptions = {}): Promise<KeyScene> {
  const scene = await keyScene(5, options);
  scene.key.counter = 5;
  const { key, id } = scene;
  expect(await wordOf(key.approve(id))).toBe(BAD);
  return scene;
}

/** Keeps every call that posts a signature, to post them all again. */
function recorded(scene: KeyScene): () => Promise<void> {
  const { rig } = scene;
  const calls: Parameters<typeof rig.call>[] = [];
  const { call } = rig;
  rig.call = (...given) => {
    if (JSON.stringify(given[2]?.json ?? "").includes('"k":"sshsig"')) calls.push(given);
    return call(...given);
  };
  return async () => {
    for (const given of calls) {
      const { word } = await call(...given);
      expect(["200", "replayed", "already_decided", "already_signed"]).toContain(word);
    }
    expect(calls).not.toHaveLength(0);
  };
}

describe("a security key whose counter went back", () => {
  it("leaves a record that says what was seen, and no signature", async () => {
    const scene = await suspended();
    const { rig, key, owner } = scene;
    const row = (await rig.world.store.logRows(0, 1000)).at(-1);
    const record = parseJson(row?.record ?? "", { maxBytes: 4096, maxDepth: 4 });
    expect([row?.type, record]).toMatchObject([
      "key.suspended",
      { owner: owner.id, key: key.jkt, stored: 5, shown: 5, kind: "sshsig" },
    ]);
    expect(Object.keys(record as object).toSorted()).toEqual(
      ["v", "owner", "key", "kind", "stored", "shown", "cs"].toSorted(),
    );
    await rig.close();
  });

  it("is said in the server's output, once", async () => {
    const said: [string, object | undefined][] = [];
    const log = { ...silentLog, warn: (event: string, of?: object) => said.push([event, of]) };
    const { rig, key, owner } = await suspended({ log });
    const of = { owner: owner.id, jkt: key.jkt, stored: 5, shown: 5 };
    expect(said).toEqual([["key.suspended", of]]);
    await rig.close();
  });

  it("opens nothing more; the owner's other key does, and resuming is logged with who did it", async () => {
    const scene = await suspended();
    const { rig, key, owner, id } = scene;
    expect(await wordOf(key.open(id))).toBe("key_suspended");
    await rig.call("admin", `POST /v1/owner/keys/${key.jkt}/resume`);
    expect(await wordOf(key.open(id))).toBe("200");
    const row = (await rig.world.store.logRows(0, 1000)).at(-1);
    expect(row?.type).toBe("key.resumed");
    expect(parseJson(row?.record ?? "", { maxBytes: 4096, maxDepth: 4 })).toMatchObject({
      key: key.jkt,
      by: "admin socket",
    });
    await owner.approve(id);
    await rig.close();
  });

  it.each<readonly [string, (scene: KeyScene, bytes: Uint8Array) => Promise<unknown>, string]>([
    [
      "signed by somebody else",
      ({ key, id }, bytes) => key.decide(id, bytes, generateSigner("Ed25519")),
      "key_not_enrolled",
    ],
    [
      "over a question that was denied",
      async ({ key, id, owner }, bytes) => {
        await owner.deny(id);
        return key.decide(id, bytes);
      },
      "already_decided",
    ],
    [
      "over a question that is over",
      ({ rig, key, id }, bytes) => {
        rig.advance(3600);
        return key.decide(id, bytes);
      },
      "approval_expired",
    ],
  ])("is not suspended by a signature that makes nothing: %s", async (_name, act, word) => {
    const scene = await keyScene(5);
    const bytes = await scene.key.open(scene.id);
    scene.key.counter = 4;
    expect(await act(scene, bytes)).toMatchObject({ word });
    expect(await stateOf(scene)).toEqual([5, false]);
    await scene.rig.close();
  });

  it("cannot be resumed when it was removed, nor a key that is not suspended", async () => {
    const { rig, key, owner } = await suspended();
    await rig.call("admin", `DELETE /v1/owner/keys/${key.jkt}`);
    for (const jkt of [key.jkt, owner.jkt, "nobody"])
      expect((await rig.call("admin", `POST /v1/owner/keys/${jkt}/resume`)).word).toBe("not_found");
    await rig.close();
  });
});

describe("two signatures with one counter, at once", () => {
  /** Two questions, opened for one key. */
  async function twoAsked(options: RigOptions = {}) {
    const scene = await keyScene(5, options);
    await scene.put({ name: "other" });
    const { host, key, id } = scene;
    const [anchor] = [host.anchor];
    host.anchor = generateSigner();
    const other = await host.ask({ request: { sub: "spiffe://example.org/agent/other" } });
    host.anchor = anchor;
    const otherId = textOf(other.body["id"]);
    key.counter = 6;
    return { ...scene, otherId, mine: await key.open(id), others: await key.open(otherId) };
  }

  it("approve one thing: the other suspends the key", async () => {
    const scene = await twoAsked();
    const { rig, key, id, otherId, mine, others } = scene;
    const words = await Promise.all([key.decide(id, mine), key.decide(otherId, others)]);
    expect(words.map(({ word }) => word).toSorted()).toEqual(["200", BAD]);
    expect(await rig.world.store.grants()).toHaveLength(1);
    expect(await stateOf(scene)).toEqual([6, true]);
    await rig.close();
  });

  it("one of them between check and commit of the other: that one is judged anew", async () => {
    let act: () => Promise<unknown> = () => Promise.resolve();
    const scene = await twoAsked({ wrap: before("approval.approved", () => act()) });
    const { rig, key, id, otherId, mine, others } = scene;
    act = () => key.decide(otherId, others);
    expect((await key.decide(id, mine)).word).toBe(BAD);
    expect((await rig.world.store.grants()).map(({ agent }) => agent)).toMatchObject([
      /^spiffe:\/\/example.org\/agent\/other\//,
    ]);
    expect(await stateOf(scene)).toEqual([6, true]);
    await rig.close();
  });

  it("the very same one twenty times makes one grant, and suspends nothing", async () => {
    const scene = await twoAsked();
    const { rig, key, id, mine } = scene;
    const words = await Promise.all(Array.from({ length: 20 }, () => key.decide(id, mine)));
    expect(words.filter(({ word }) => word === "200")).toHaveLength(1);
    expect(await stateOf(scene)).toEqual([6, false]);
    await rig.close();
  });
});
