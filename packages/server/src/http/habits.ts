import { HABITS_SECONDS, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json } from "@countersign/node";
import { habitsOfOwner } from "../cases/habits.ts";
import type { OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";

/** How an owner decides, for himself and for whoever looks after the server. */
export async function habits(w: World, owner: OwnerRow | undefined): Promise<Response> {
  if (owner === undefined) throw new Refusal("not_found", "no such owner");
  const found = await habitsOfOwner(w, owner);
  const view: JsonObject = {
    owner: owner.id,
    since: w.clock() - HABITS_SECONDS,
    decided: found.decided,
    approved: found.approved,
    expired: found.expired,
    unseen: found.unseen,
    by_machine: found.byMachine,
    timed: found.timed,
    ...(found.medianSeconds === undefined
      ? {}
      : { median_seconds: Math.floor(found.medianSeconds) }),
    signs: [...found.signs],
  };
  return json(view);
}
