import { Refusal } from "@countersign/core";
import type { Actor } from "@countersign/core";
import type { InvitationEnder, InvitationRow } from "../store/invitation-row.ts";
import type { World } from "../world.ts";
import { invalid, stepOf, typedInvitation } from "./invitation-code.ts";
import { coSignerThumbprints } from "./owner-chain.ts";
import { logRow } from "./record.ts";

const MAX_TRIES = 3;

/** Why a key that was made with an invitation is in doubt. */
type Doubt = "link_used_twice" | "link_cancelled";

/**
 * The keys that rest on one alone: it, and those that nobody vouched for but it and those. Whoever came first with
 * somebody else's link may have made a second key before he was found out.
 * @returns the ones that rest on others first
 */
async function restingOn(w: World, jkt: string): Promise<readonly string[]> {
  const made = await w.store.ownerKey(jkt);
  if (made === undefined) return [];
  const resting = [jkt];
  const keys = (await w.store.ownerKeys(made.owner)).map((key) => ({
    jkt: key.jkt,
    by: coSignerThumbprints(w, key),
  }));
  for (let size = 0; size !== resting.length;) {
    size = resting.length;
    for (const key of keys)
      if (
        !resting.includes(key.jkt) &&
        key.by.length > 0 &&
        key.by.every((by) => resting.includes(by))
      )
        resting.unshift(key.jkt);
  }
  return resting;
}

/** Suspends the key that was made with an invitation, and what rests on it. */
async function suspendMade(w: World, row: InvitationRow, reason: Doubt): Promise<void> {
  for (const jkt of await restingOn(w, row.jkt ?? "")) await suspendKey(w, row, jkt, reason);
}

/** Suspends a key, and ends what it approved. One that is out already stays so. */
async function suspendKey(
  w: World,
  { id }: InvitationRow,
  jkt: string,
  reason: Doubt,
): Promise<void> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const epoch = await w.store.epoch();
    const key = await w.store.ownerKey(jkt);
    if (key === undefined || key.removedAt !== undefined || key.suspendedAt !== undefined) return;
    const now = w.clock();
    const { owner } = key;
    const record = { v: 1, owner, key: jkt, invitation: id };
    const committed = await w.store.commit({
      log: logRow(w, { type: "key.suspended", t: now, actor: "server", reason, record }),
      changes: [
        { set: "ownerKey", jkt, fields: { suspendedAt: now } },
        { end: "grants", scope: "ownerKey", target: jkt, at: now, why: `key suspended: ${reason}` },
      ],
      expect: { epoch },
      bumpEpoch: true,
    });
    if (committed === "used" || committed === "conflict") continue;
    w.log.warn("key.suspended", { owner, jkt, reason });
    return;
  }
  throw new Refusal("stale");
}

/** A code that comes a second time: somebody else may have it, so what was made with it, or waits, is in doubt. */
export async function usedTwice(w: World, row: InvitationRow): Promise<Refusal> {
  if (row.usedAt === undefined) return droppedOffer(w, row);
  await suspendMade(w, row, "link_used_twice");
  const at = new Date((row.usedAt ?? 0) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const key = (row.jkt ?? "").slice(0, 8);
  return new Refusal(
    "invitation_used",
    `by key ${key}`,
    `It was used at ${at} UTC. The key that was made with it, ${key}, is suspended now and approves nothing. Tell whoever gave you the link: he removes that key, or lets it sign again (countersign owner list).`,
  );
}

/** What waited for its co-signer waits no longer; where that one has signed meanwhile, the key is in doubt as any other. */
async function droppedOffer(w: World, row: InvitationRow): Promise<Refusal> {
  if (!(await endUnused(w, row, "twice"))) {
    const now = await w.store.invitation(row.hash);
    return now?.usedAt === undefined ? invalid() : usedTwice(w, now);
  }
  return new Refusal(
    "invitation_used",
    `by key ${(row.jkt ?? "").slice(0, 8)}`,
    "The key that waited for the terminal is dropped: none was enrolled. Tell whoever gave you the link, and have a new one made: countersign owner invite NAME --key FILE.",
  );
}

const ACTORS: Readonly<Record<InvitationEnder, Actor>> = {
  page: "owner",
  terminal: "admin",
  twice: "server",
};

/** Ends an invitation that has made no key, with what waits. @returns false where something became of it meanwhile */
export async function endUnused(
  w: World,
  row: InvitationRow,
  by: InvitationEnder,
): Promise<boolean> {
  const now = w.clock();
  const { hash, owner, id, jkt } = row;
  const record = { v: 1, owner, invitation: id, ...(jkt === undefined ? {} : { key: jkt }) };
  const doubt: { readonly reason?: Doubt } = by === "twice" ? { reason: "link_used_twice" } : {};
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "owner.invitation_cancelled",
      t: now,
      actor: ACTORS[by],
      ...doubt,
      record,
    }),
    changes: [{ set: "invitation", hash, fields: { cancelledAt: now, cancelledBy: by } }],
    once: [stepOf(row)],
  });
  return committed !== "used" && committed !== "conflict";
}

/**
 * Cancels a link: by whoever holds its code, who has seen that it is not as the terminal says. What waits with it is
 * dropped; what was made with it is suspended.
 * @throws Refusal `invitation_invalid`, `stale`
 */
export async function cancelInvitation(
  w: World,
  typed: string,
): Promise<{ readonly suspended?: string }> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const row = await typedInvitation(w, typed);
    if (row.usedAt !== undefined) return cancelUsed(w, row);
    if (await endUnused(w, row, "page")) return {};
  }
  throw new Refusal("stale");
}

async function cancelUsed(w: World, row: InvitationRow): Promise<{ readonly suspended?: string }> {
  await suspendMade(w, row, "link_cancelled");
  return row.jkt === undefined ? {} : { suspended: row.jkt };
}
