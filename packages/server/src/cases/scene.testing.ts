import type { Digest, JsonObject } from "@countersign/core";
import { enrolHost, enrolOwner } from "../people.testing.ts";
import type { Host, Owner } from "../people.testing.ts";
import { entryOf, makeRig, textOf } from "../world.testing.ts";
import type { Store } from "../store/store.ts";
import type { Rig, RigOptions } from "../world.testing.ts";

/** A server with one host, one owner and one entry that binds them. */
export interface Scene {
  readonly rig: Rig;
  readonly host: Host;
  readonly owner: Owner;
  /** Puts another version of the entry. */
  put(change: JsonObject): Promise<string>;
}

export async function makeScene(options: RigOptions = {}, entry: JsonObject = {}): Promise<Scene> {
  const rig = await makeRig(options);
  const host = await enrolHost(rig);
  const owner = await enrolOwner(rig);
  const put = async (change: JsonObject): Promise<string> =>
    (await rig.call("admin", "POST /v1/entries", { json: entryOf({ owner: owner.id, ...change }) }))
      .word;
  const word = await put(entry);
  if (word !== "200") throw new Error(word);
  return { rig, host, owner, put };
}

/** The same, asked and approved. */
export async function approvedScene(
  options: RigOptions = {},
  entry: JsonObject = {},
): Promise<Scene & { readonly cs: Digest }> {
  const scene = await makeScene(options, entry);
  const { body, word } = await scene.host.ask();
  if (typeof body["id"] !== "string") throw new Error(word);
  return { ...scene, cs: await scene.owner.approve(body["id"]) };
}

/**
 * A store in which something happens just before the first decision of this type is written.
 * @param isArmed whether it may be this one; default any
 */
export function before(
  type: string,
  act: () => Promise<unknown>,
  isArmed: () => boolean = () => true,
): (store: Store) => Store {
  let isDone = false;
  return (store) =>
    new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name !== "commit")
          return (...given: unknown[]) => Reflect.apply(member, target, given) as unknown;
        return async (...given: Parameters<Store["commit"]>) => {
          if (!isDone && isArmed() && given[0].log?.type === type) {
            isDone = true;
            await act();
          }
          return target.commit(...given);
        };
      },
    });
}

/** A scene in which the owner is asked. */
export async function askedScene(
  options: RigOptions = {},
  entry: JsonObject = {},
): Promise<Scene & { readonly id: string }> {
  const scene = await makeScene(options, entry);
  return { ...scene, id: textOf((await scene.host.ask()).body["id"]) };
}
