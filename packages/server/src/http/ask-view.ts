import { base64url, triesLeft } from "@countersign/core";
import type { ApprovalDiff, JsonObject } from "@countersign/core";
import type { AskRow } from "../store/rows.ts";
import type { Denied } from "../cases/approve.ts";
import type { DigitsWanted, OpenedRequest } from "../cases/open-request.ts";
import type { World } from "../world.ts";

/** Who must sign, and who of them has; nothing where it takes one owner. */
export async function partiesView({ store }: World, row: AskRow): Promise<JsonObject> {
  if (row.parties === undefined) return {};
  const { m, owners } = row.parties;
  const names = new Map((await store.owners()).map(({ id, name }) => [id, name]));
  const signed = (await store.signatures({ req: row.req })).map(({ owner }) => owner);
  const list = owners.map((id) => ({ id, name: names.get(id) ?? id, signed: signed.includes(id) }));
  return { parties: { m, owners: list } };
}

/** That digits are asked for, and how often they may still be typed; never which. Nothing once it is over. */
export async function digitsView({ store }: World, { req, state }: AskRow): Promise<JsonObject> {
  const known = state === "asked" ? await store.digits(req) : undefined;
  return known === undefined ? {} : { digits: { tries_left: triesLeft(known) } };
}

/** When the agent of a denied question asks again: at an instant, at once, or not before its owner lets it. */
export function deniedView({ againAt, isBlocked }: Denied): JsonObject {
  const again = isBlocked || againAt === undefined ? {} : { again_at: againAt };
  return { blocked: isBlocked, ...again };
}

/** What differs from what the owner approved last. */
export function diffView({ approvedAt, changes, same }: ApprovalDiff): JsonObject {
  return { approved_at: approvedAt, changes: changes.map((term) => ({ ...term })), same };
}

/** A question as owners are shown it in lists. */
export function askView(row: AskRow): JsonObject {
  const { req, id, entry, agent, proxy, owner, reasons, expected, createdAt, deadline, state } =
    row;
  const { run, decidedAt, decidedBy } = row;
  return {
    req,
    id,
    entry,
    agent,
    proxy,
    owner,
    reasons: reasons.map((reason) => ({ ...reason })),
    expected,
    ...(run === undefined ? {} : { started_by: { uid: run.uid, since: run.since } }),
    created_at: createdAt,
    deadline,
    state,
    ...(decidedAt === undefined ? {} : { decided_at: decidedAt }),
    ...(decidedBy === undefined ? {} : { decided_by: decidedBy }),
  };
}

/** The octets to be signed, unless digits have to be typed first. */
export function statementView(opened: OpenedRequest | DigitsWanted): JsonObject {
  if ("draft" in opened) return {};
  const { bytes, cs } = opened.statement;
  return { jcs: base64url(bytes), digest: cs };
}
