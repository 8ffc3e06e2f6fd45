import { open, Refusal, REQUEST } from "@countersign/core";
import type { Ask, EnrolledKey, Entry, Json, Measurement } from "@countersign/core";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";

/** The measurements that were appraised when the request came in. */
export function measurementsOf(row: AskRow): readonly Measurement[] {
  const list: Json | undefined = row.facts["measurements"];
  return Array.isArray(list) ? (list as readonly Measurement[]) : []; // written by `commitAsk`
}

/** A question as core sees it. */
export function askOf(row: AskRow): Ask {
  return { ...row, measurements: measurementsOf(row) };
}

/** Whether a question, or a registration, is an owner's: his alone, or his among others. */
export function isOf({ owner, parties }: Pick<Entry, "owner" | "parties">, whom: string): boolean {
  return owner === whom || parties?.owners.includes(whom) === true;
}

/** What a record of the log says of a question: whose it is, or of which several. */
export function askedOf({ agent, entry, owner, parties, req }: AskRow): object {
  return { agent, entry, owner, ...(parties === undefined ? {} : { parties }), req };
}

/** An owner's key as core sees it. `sk-` keys carry an application; everything else here is software. */
export function enrolledOf(row: OwnerKeyRow): EnrolledKey {
  return {
    jkt: row.jkt,
    jwk: row.jwk,
    owner: row.owner,
    ownerKind: row.kind,
    isSoftware: row.app === undefined,
    basis: row.basis,
    ...(row.app === undefined ? {} : { app: row.app }),
    ...(row.removedAt === undefined ? {} : { removedAt: row.removedAt }),
    ...(row.suspendedAt === undefined ? {} : { suspended: true }),
  };
}

/** @throws Refusal `not_found` */
export async function findAsk(w: World, idOrReq: string): Promise<AskRow> {
  const row = await w.store.ask(idOrReq);
  if (row === undefined) throw new Refusal("not_found", "no such request");
  return row;
}

/** What the agent said, read from R, never from a copy. */
export async function noteOf(w: World, request: string): Promise<string | undefined> {
  return (await open(w.c, REQUEST, request)).claims.note;
}
