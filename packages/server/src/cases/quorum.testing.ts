import { readStatement } from "@countersign/core";
import type { CredentialStatement, JsonObject } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { enrolOwner } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { textOf } from "../world.testing.ts";
import type { Answered, Rig, RigOptions } from "../world.testing.ts";
import { makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

/** A scene whose entry takes several owners, of whom the scene's own is asked first. */
export interface Several extends Scene {
  readonly alice: Owner;
  readonly bob: Owner;
  readonly carol: Owner;
}

/** Several owners who are asked. */
export type Asked = Several & { readonly id: string };

/** What an owner was shown. */
export function credentialOf(bytes: Uint8Array): CredentialStatement {
  const { body } = readStatement(c, bytes);
  if (body.kind !== "credential") throw new TypeError("not of this kind");
  return body;
}

/** Stops something. */
export function halt(rig: Rig, scope: string, target: string): Promise<Answered> {
  return rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "test" } });
}

/** Takes an owner's key away. */
export function removeKeyOf({ rig, jkt }: Owner): Promise<Answered> {
  return rig.call("admin", `DELETE /v1/owner/keys/${jkt}`);
}

/** The wire form of parties. */
export function partiesOf(m: number, ...owners: readonly Owner[]): JsonObject {
  return { m, owners: owners.map(({ id }) => id).toSorted() };
}

/** An entry that takes two of three owners; nobody has asked. */
export async function severalScene(
  options: RigOptions = {},
  entry: JsonObject = {},
  m = 2,
): Promise<Several> {
  const scene = await makeScene(options);
  const alice = scene.owner;
  const bob = await enrolOwner(scene.rig, "bob");
  const carol = await enrolOwner(scene.rig, "carol");
  const word = await scene.put({ parties: partiesOf(m, alice, bob, carol), ...entry });
  if (word !== "200") throw new Error(word);
  return { ...scene, alice, bob, carol };
}

/** The same, asked. */
export async function askedOfSeveral(
  options: RigOptions = {},
  entry: JsonObject = {},
  m = 2,
): Promise<Asked> {
  const scene = await severalScene(options, entry, m);
  return { ...scene, id: textOf((await scene.host.ask()).body["id"]) };
}
