import { keysKnownTo, Refusal } from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { coSignerThumbprints } from "./owner-chain.ts";
import type { OwnerSession } from "./owner-sessions.ts";
import { logRow } from "./record.ts";

/** Who acts in a session, as the log names him. */
const byOf = ({ owner }: OwnerSession): string => `session of ${owner}`;

const isOut = ({ removedAt }: OwnerKeyRow): boolean => removedAt !== undefined;
const signs = ({ removedAt, suspendedAt }: OwnerKeyRow): boolean =>
  removedAt === undefined && suspendedAt === undefined;

async function ownKey(
  w: World,
  session: OwnerSession,
  jkt: string,
): Promise<{ readonly key: OwnerKeyRow; readonly keys: readonly OwnerKeyRow[] }> {
  const keys = await w.store.ownerKeys(session.owner);
  const key = keys.find((one) => one.jkt === jkt);
  if (key === undefined || isOut(key))
    throw new Refusal("not_found", "no such key of this owner", "Look at the list of your keys.");
  return { key, keys };
}

/**
 * Thumbprints of the keys that whoever holds the session's key has not spoken for, those among them that are suspended or
 * removed. A removed key's word counts for no key that signs still; it only says whose the ones that are gone were.
 */
export function strangeKeys(
  w: Pick<World, "c">,
  keys: readonly OwnerKeyRow[],
  jkt: string,
): ReadonlySet<string> {
  const spoken = keys.map((key) => ({
    key,
    of: { jkt: key.jkt, coSigners: coSignerThumbprints(w, key), knownBy: key.knownBy ?? [] },
  }));
  const isKnown = (key: OwnerKeyRow): boolean => {
    const asked = spoken.filter((one) => isOut(key) || signs(one.key) || one.key === key);
    return keysKnownTo(
      asked.map(({ of }) => of),
      jkt,
    ).has(key.jkt);
  };
  return new Set(keys.filter((key) => !isKnown(key)).map((key) => key.jkt));
}

/**
 * Takes one of the owner's own keys away: a stop, for which a session is enough (DESIGN 6). What it approved ends.
 * @throws Refusal `not_found`; `last_key`: no other one of his would sign; `stale`
 */
export async function removeOwnKey(w: World, session: OwnerSession, jkt: string): Promise<void> {
  const epoch = await w.store.epoch();
  const { keys } = await ownKey(w, session, jkt);
  if (!keys.some((other) => other.jkt !== jkt && signs(other))) throw new Refusal("last_key");
  const now = w.clock();
  const record = { v: 1, owner: session.owner, key: jkt, by: byOf(session), session: session.jkt };
  const committed = await w.store.commit({
    log: logRow(w, { type: "key.removed", t: now, actor: "owner", record }),
    changes: [
      { set: "ownerKey", jkt, fields: { removedAt: now } },
      { end: "grants", scope: "ownerKey", target: jkt, at: now, why: "key removed" },
      { bump: "bundleSequence" },
    ],
    // two removals at once must not take the last two keys
    expect: { epoch },
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
}

/**
 * The owner says that a key is his, which somebody else added. It gives the key nothing: it ends the question.
 * @throws Refusal `not_found`, `stale`
 */
export async function knowKey(w: World, session: OwnerSession, jkt: string): Promise<void> {
  const epoch = await w.store.epoch();
  const { key } = await ownKey(w, session, jkt);
  const { knownBy = [] } = key;
  if (key.jkt === session.jkt || knownBy.includes(session.jkt)) return;
  const record = { v: 1, owner: session.owner, key: jkt, by: byOf(session), session: session.jkt };
  const committed = await w.store.commit({
    // whoever signed in with a key that is no longer his may have said it
    log: logRow(w, { type: "key.known", t: w.clock(), actor: "owner", record }),
    changes: [{ set: "ownerKey", jkt, fields: { knownBy: [...knownBy, session.jkt] } }],
    expect: { epoch },
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
}
