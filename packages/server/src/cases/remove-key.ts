import { Refusal } from "@countersign/core";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

/** What a removal leaves behind. */
export interface Removed {
  /** Keys of the owner that sign still. */
  readonly keysLeft: number;
  /** Registrations that name the owner: without a key nobody can approve anything of theirs. */
  readonly agents: number;
}

/** Takes a key away: an admin act, logged, felt by every relying party with a current trust bundle. */
export async function removeKey(w: World, jkt: string, by: string): Promise<Removed> {
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.removedAt !== undefined)
    throw new Refusal("not_found", "no such key");
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "key.removed",
      t: now,
      actor: "admin",
      record: { v: 1, owner: key.owner, key: jkt, by },
    }),
    changes: [
      { set: "ownerKey", jkt, fields: { removedAt: now } },
      { end: "grants", scope: "ownerKey", target: jkt, at: now, why: "key removed" },
      { bump: "bundleSequence" },
    ],
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
  const left = (await w.store.ownerKeys(key.owner)).filter((one) => one.removedAt === undefined);
  const entries = await w.store.entries({ owner: key.owner, removed: false });
  return { keysLeft: left.length, agents: entries.length };
}
