import type { Ask } from "../people.testing.ts";
import type { RigOptions } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { textOf } from "../world.testing.ts";
import { makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

export const DIGITS = "42";

/** A request of a run at whose terminal these digits stand. */
export const atTerminal = (digits: string = DIGITS): Ask => ({
  evidence: { run: { uid: 1001, since: 0, digits } },
});

/** A scene in which the owner is asked, and somebody sits at the terminal of the run. */
export async function digitsScene(
  options: RigOptions = {},
): Promise<Scene & { readonly id: string }> {
  const scene = await makeScene(options);
  return { ...scene, id: textOf((await scene.host.ask(atTerminal())).body["id"]) };
}

/** Opens a request for a key, with what was typed. */
export function openWith(
  { rig, owner }: Pick<Scene, "rig" | "owner">,
  id: string,
  match?: string,
  jkt: string = owner.jkt,
): Promise<Answered> {
  const path = `/v1/owner/requests/${id}`;
  return match === undefined
    ? rig.call("admin", `GET ${path}?jkt=${jkt}`)
    : rig.call("admin", `POST ${path}/statement`, { json: { jkt, match } });
}
