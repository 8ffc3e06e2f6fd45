import { describe, expect, it } from "vitest";
import { generateSigner } from "@countersign/node";
import { base64url, thumbprint } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { enrolOwner, Owner } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import { addKey, offerKey } from "./owners.ts";
import { chainOf, enrolmentOf } from "./owner-chain.ts";
import { before, makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const signer = (): ReturnType<typeof generateSigner> => generateSigner("Ed25519");

interface CoSigning {
  readonly name?: string;
  /** Who co-signs in whose name; default the owner's first key. */
  readonly by?: readonly { readonly jkt: string; readonly sign: Owner["sign"] }[];
  readonly before?: () => Promise<unknown>;
  readonly times?: number;
}

/** Adds a key to alice, co-signed. @returns the word of the last answer */
async function add({ rig, owner }: Scene, how: CoSigning = {}): Promise<string> {
  const added = signer();
  const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
    json: { name: how.name ?? "alice", kind: "person", jwk: added.key },
  });
  const statement = textOf(offered.body["jcs"]);
  const bytes = new Uint8Array(Buffer.from(statement, "base64url"));
  const co_signatures: JsonObject[] = [];
  for (const { jkt, sign } of how.by ?? [{ jkt: owner.jkt, sign: (b) => owner.sign(b) }])
    co_signatures.push({ jkt, sig: await sign(bytes) });
  const sig = await new Owner(rig, owner.id, added).sign(bytes);
  await how.before?.();
  let word = "";
  for (let i = 0; i < (how.times ?? 1); i += 1) {
    const json = { statement: base64url(bytes), sig, comment: "", co_signatures };
    word = (await rig.call("admin", "POST /v1/owner/keys", { json })).word;
  }
  return word;
}

describe("a further key of an owner, co-signed by one that he has", () => {
  type Row = readonly [string, string, (scene: Scene) => CoSigning | Promise<CoSigning>];
  const rows: readonly Row[] = [
    ["by his first key", "200", () => ({})],
    [
      "by a key of another owner",
      "key_not_enrolled",
      async ({ rig }) => {
        const bob = await enrolOwner(rig, "bob");
        return { by: [{ jkt: bob.jkt, sign: (bytes) => bob.sign(bytes) }] };
      },
    ],
    [
      "by a key that nobody enrolled",
      "key_not_enrolled",
      ({ rig, owner }) => {
        const stranger = new Owner(rig, owner.id, signer());
        return { by: [{ jkt: stranger.jkt, sign: (bytes) => stranger.sign(bytes) }] };
      },
    ],
    [
      "in the name of his first key, by another",
      "key_not_enrolled",
      ({ owner }) => ({
        by: [{ jkt: owner.jkt, sign: (bytes) => owner.sign(bytes, signer()) }],
      }),
    ],
    [
      "by a key that was removed",
      "key_not_enrolled",
      ({ rig, owner }) => ({
        before: () => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`),
      }),
    ],
    [
      "by a key that is suspended",
      "key_suspended",
      ({ rig, owner }) => ({
        before: () =>
          rig.world.store.commit({
            changes: [{ set: "ownerKey", jkt: owner.jkt, fields: { suspendedAt: rig.now() } }],
          }),
      }),
    ],
    [
      "twice by the same key",
      "signature_invalid",
      ({ owner }) => {
        const by = { jkt: owner.jkt, sign: (bytes: Uint8Array) => owner.sign(bytes) };
        return { by: [by, by] };
      },
    ],
    [
      "by four",
      "malformed_request",
      ({ owner }) => {
        const by = { jkt: owner.jkt, sign: (bytes: Uint8Array) => owner.sign(bytes) };
        return { by: [by, by, by, by] };
      },
    ],
    ["a second time", "replayed", () => ({ times: 2 })],
  ];
  it.each(rows)("%s → %s", async (_name, word, how) => {
    const scene = await makeScene();
    expect(await add(scene, await how(scene))).toBe(word);
    await scene.rig.close();
  });

  it("is not added when the co-signer is removed between check and commit", async () => {
    const scene = await makeScene();
    const { rig, owner } = scene;
    const added = signer();
    const offer = { name: "alice", kind: "person", jwk: added.key } as const;
    const { bytes } = (await offerKey(rig.world, offer)).statement;
    const act = () => rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
    const store = before("key.added", act)(rig.world.store);
    const posted = {
      statement: base64url(bytes),
      sig: await new Owner(rig, owner.id, added).sign(bytes),
      comment: "",
      coSignatures: [{ jkt: owner.jkt, sig: await owner.sign(bytes) }],
    };
    const adding = addKey({ ...rig.world, store }, posted);
    await expect(adding).rejects.toMatchObject({ code: "stale" });
    expect(await rig.world.store.ownerKey(thumbprint(rig.world.c, added.key))).toBeUndefined();
    await rig.close();
  });

  it("keeps every signature, and says who vouches for each key", async () => {
    const scene = await makeScene();
    const { rig, owner } = scene;
    const second = await enrolOwner(rig, "alice", signer(), [owner]);
    const row = await rig.world.store.ownerKey(second.jkt);
    expect(row?.sigs).toHaveLength(2);
    const { body } = await rig.call("admin", "GET /v1/owners");
    const [alice] = body["owners"] as { keys: { jkt: string; co_signers: string[] }[] }[]; // as the server says it
    const vouching = alice?.keys.map(({ jkt, co_signers }) => [jkt, co_signers]);
    expect(vouching).toHaveLength(2);
    expect(vouching).toEqual(
      expect.arrayContaining([
        [owner.jkt, []],
        [second.jkt, [owner.jkt]],
      ]),
    );
    await rig.close();
  });
});

describe("the chain that goes with an approval", () => {
  it("is the three newest steps, and has its proofs when a co-signer was removed", async () => {
    const scene = await makeScene();
    const { rig } = scene;
    const keys = [scene.owner];
    for (let i = 0; i < 4; i += 1)
      keys.push(await enrolOwner(rig, "alice", signer(), keys.slice(-1)));
    const [first, second, third, fourth, fifth] = keys.map(({ jkt }) => jkt);
    const chain = async (jkt = ""): Promise<readonly string[] | undefined> => {
      const row = await rig.world.store.ownerKey(jkt);
      return row === undefined ? undefined : chainOf(rig.world, row);
    };
    expect(await chain(first)).toBeUndefined();
    expect(await chain(second)).toEqual([second]);
    const whole = (await chain(fifth)) ?? [];
    expect(whole).toEqual([third, fourth, fifth]);
    const proved = async (): Promise<readonly boolean[]> =>
      (await enrolmentOf(rig.world, whole)).map(({ logged }) => logged !== undefined);
    expect(await proved()).toEqual([false, false, false]);
    await rig.call("admin", `DELETE /v1/owner/keys/${third ?? ""}`);
    expect(await proved()).toEqual([false, true, false]);
    await rig.close();
  });
});
