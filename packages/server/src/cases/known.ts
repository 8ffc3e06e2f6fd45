import { readStatement } from "@countersign/core";
import type { Grant, Known, Seconds } from "@countersign/core";
import type { GrantRow } from "../store/rows.ts";
import type { KnownRows } from "../store/store.ts";
import type { World } from "../world.ts";
import { rememberingOf } from "./verified.ts";

const FIRST_WAIT_SECONDS = 3600;
const LONGEST_WAIT_SECONDS = 86_400;

/** A grant as core sees it. The statement was verified when it was stored; its octets are read, never trusted as parsed. */
export function grantOf(w: World, row: GrantRow): Grant {
  const preSigned = row.model === "agent";
  const { body } = readStatement(rememberingOf(w), row.statement, { preSigned });
  if (body.kind !== "credential")
    throw new TypeError("a grant rests on a statement of kind credential");
  return {
    cs: row.cs,
    statement: body,
    ownerKey: row.key.jwk,
    ownerKind: row.ownerKind,
    basis: row.basis,
    assurance: row.assurance,
    model: row.model,
    ...(row.endedAt === undefined ? {} : { endedAt: row.endedAt }),
  };
}

/** Denials after which only the owner lets the entry ask again. */
const BLOCKING_DENIALS = 3;

/** Whether only an owner lets the entry ask again. */
export function isAskBlocked({ denials, isBlocked }: KnownRows): boolean {
  const denied = denials.filter(({ state }) => state === "denied").length;
  return isBlocked || denied >= BLOCKING_DENIALS;
}

/** After a denial the entry waits an hour, doubling to a day (owner.md 1.7); an unanswered question counts half. */
function askBlockedUntil(rows: KnownRows): number | undefined {
  const weight = rows.denials.reduce(
    (sum, denial) => sum + (denial.state === "denied" ? 1 : 0.5),
    0,
  );
  const last = rows.denials.find((denial) => denial.state === "denied");
  if (last === undefined) return undefined;
  return (
    last.at +
    Math.min(FIRST_WAIT_SECONDS * 2 ** Math.max(0, Math.floor(weight) - 1), LONGEST_WAIT_SECONDS)
  );
}

/** Questions beside the entry's own, which a new one supersedes: it must not be the one too many. */
function pendingBeside({ openAsk, entry, pending }: KnownRows, now: Seconds): Known["pending"] {
  const owner = entry?.body.owner;
  if (openAsk === undefined || openAsk.owner !== owner || openAsk.deadline <= now) return pending;
  const isHere = openAsk.proxy === entry?.body.proxy;
  return {
    ofOwner: pending.ofOwner - 1,
    ofOwnerExpected: pending.ofOwnerExpected - (openAsk.expected ? 1 : 0),
    ofOwnerAtProxy: pending.ofOwnerAtProxy - (isHere ? 1 : 0),
  };
}

/** What core decides from. */
export function knownOf(w: World, rows: KnownRows): Known {
  const blocked = askBlockedUntil(rows);
  const grant = rows.grant === undefined ? undefined : grantOf(w, rows.grant);
  return {
    ...(rows.entry === undefined ? {} : { entry: rows.entry.body }),
    ...(grant === undefined ? {} : { grant }),
    issued: rows.issued,
    live: rows.live,
    stops: rows.stops.map(({ id, scope, target, since }) => ({ id, scope, target, since })),
    epoch: rows.epoch,
    ...(rows.hold === undefined ? {} : { hold: rows.hold }),
    pending: pendingBeside(rows, w.clock()),
    ...(rows.announcement === undefined ? {} : { announcement: rows.announcement }),
    listedUids: rows.listedUids,
    ...(blocked === undefined ? {} : { askBlockedUntil: blocked }),
    ...(isAskBlocked(rows) ? { isAskBlocked: true } : {}),
    approvedMeasurements: rows.liveGrants.flatMap(
      (row) => (row.cs === grant?.cs ? grant : grantOf(w, row)).statement.agent.meas,
    ),
  };
}
