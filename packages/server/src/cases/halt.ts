import { Refusal } from "@countersign/core";
import type { Digest, StopScope } from "@countersign/core";
import type { StopRow } from "../store/rows.ts";
import type { Change } from "../store/store.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

export const STOP_ID_BYTES = 9;

/** Whose what is stopped is, as far as one agent or approval is named: so its owners hear of it, and see it in their log. */
async function whose(w: World, scope: StopScope, target: string): Promise<object> {
  if (scope === "grant") {
    const grant = await w.store.grant(target as Digest); // what is no digest names no grant
    if (grant === undefined) return {};
    const { entry, owner, parties } = grant;
    return { entry, owner, ...(parties === undefined ? {} : { parties: { owners: parties } }) };
  }
  if (scope !== "entry" && scope !== "agent") return {};
  const entry = scope === "entry" ? target : target.slice(0, target.lastIndexOf("/"));
  const body = (await w.store.entry(entry))?.body;
  if (body?.owner === undefined) return {};
  const { owner, parties } = body;
  return { entry, owner, ...(parties === undefined ? {} : { parties }) };
}

/**
 * Stops everything in a scope: its grants end and nothing is issued until the stop is lifted, in one commit that
 * moves the epoch (DESIGN 8). Halting what does not exist is allowed: it is cheap, and the name may appear later.
 */
export async function halt(
  w: World,
  order: {
    readonly scope: StopScope;
    readonly target: string;
    readonly reason: string;
    readonly by: string;
  },
): Promise<StopRow> {
  const now = w.clock();
  const stop: StopRow = {
    id: typedId(w, STOP_ID_BYTES),
    scope: order.scope,
    target: order.target,
    since: now,
    by: order.by,
    reason: order.reason,
  };
  const of = await whose(w, order.scope, order.target);
  const changes: readonly Change[] = [
    { put: "stop", row: stop },
    {
      end: "grants",
      scope: order.scope,
      target: order.target,
      at: now,
      why: `halted: ${order.scope}`,
    },
  ];
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "halt.set",
      t: now,
      actor: "admin",
      reason: order.scope,
      record: { v: 1, ...stop, ...of },
    }),
    changes,
    bumpEpoch: true,
  });
  if (committed === "conflict" || committed === "used")
    throw new Refusal("indeterminate", "the stop could not be written");
  return stop;
}

/** Lifts a stop. It gives nothing: an owner-bound credential then needs a new signature. @throws Refusal `not_found` */
export async function lift(w: World, id: string, by: string): Promise<void> {
  const now = w.clock();
  const stop = (await w.store.stops({ inForce: true })).find((row) => row.id === id);
  if (stop === undefined) throw new Refusal("not_found", "no such stop in force");
  const of = await whose(w, stop.scope, stop.target);
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "halt.lifted",
      t: now,
      actor: "admin",
      record: { v: 1, id, scope: stop.scope, target: stop.target, by, ...of },
    }),
    changes: [{ set: "stop", id, fields: { liftedAt: now } }],
    bumpEpoch: true,
  });
  if (committed === "conflict" || committed === "used")
    throw new Refusal("not_found", "the stop was lifted already");
}
