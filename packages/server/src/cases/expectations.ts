import { entryId, EXPECTATION_LIFE_SECONDS, proxyId, Refusal } from "@countersign/core";
import type { Entry } from "@countersign/core";
import type { AnnouncementRow, EntryRow, StarterRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

const MAX_STARTERS_PER_OWNER = 64;

/** Whether an owner is the entry's, or one of its several. */
export function isOwnerOf({ owner, parties }: Entry, who: string): boolean {
  return owner === who || parties?.owners.includes(who) === true;
}

/** What is another's does not exist for an owner. @param owner absent: whoever acts for every owner */
export async function findAgent(
  w: World,
  name: string,
  owner: string | undefined,
): Promise<EntryRow> {
  const row = await w.store.entry(name.includes("/") ? name : entryId(w.config.trustDomain, name));
  const isThere = row !== undefined && row.removedAt === undefined && row.body.binding === "owner";
  if (!isThere || (owner !== undefined && !isOwnerOf(row.body, owner)))
    throw new Refusal(
      "not_found",
      "no such agent with an owner",
      "See them: countersign agent list, or the Agents page.",
    );
  return row;
}

/**
 * An owner says that he starts an agent within the next ten minutes: the first question that comes of it is expected
 * (owner.md 1.7). It grants nothing. Said again, it counts anew.
 * @param host name of its host, to make sure; an entry is served by one
 * @param owner absent: whoever acts for every owner
 * @throws Refusal `not_found`
 */
export async function announceStart(
  w: World,
  of: { readonly agent: string; readonly host?: string; readonly owner?: string },
  by: string,
): Promise<AnnouncementRow> {
  const { id: entry, proxy, body } = await findAgent(w, of.agent, of.owner);
  if (of.host !== undefined && proxy !== proxyId(w.config.trustDomain, of.host))
    throw new Refusal(
      "not_found",
      "the agent is registered on another host",
      "See where it runs: countersign agent list, or the Agents page.",
    );
  const now = w.clock();
  const row: AnnouncementRow = {
    entry,
    proxy,
    owner: of.owner ?? body.owner ?? "",
    by: "owner",
    madeAt: now,
    exp: now + EXPECTATION_LIFE_SECONDS,
  };
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.announced",
      t: now,
      actor: "owner",
      record: { v: 1, entry, proxy, owner: row.owner, until: row.exp, by },
    }),
    changes: [{ put: "announcement", row }],
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("stale");
  return row;
}

const starterId = (owner: string, proxy: string, uid: number): string => `${owner} ${proxy} ${uid}`;

async function commitStarter(
  w: World,
  { id, owner, proxy, uid, since }: StarterRow,
  how: { readonly isListed: boolean; readonly by: string },
): Promise<void> {
  const { isListed, by } = how;
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.starters_changed",
      t: w.clock(),
      actor: "owner",
      record: { v: 1, owner, proxy, uid, listed: isListed, by },
    }),
    changes: [
      isListed
        ? { put: "starter", row: { id, owner, proxy, uid, since } }
        : { drop: "starter", id },
    ],
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("stale");
}

/**
 * An owner lists a user of a host as himself: what that user starts there with `countersign run` is expected, once in ten
 * minutes, as long as it is the program that he approved or a first one.
 * @throws Refusal `not_found` for a host that nobody enrolled, `rate_limited` above 64 of one owner
 */
export async function listStarter(
  w: World,
  of: { readonly owner: string; readonly host: string; readonly uid: number },
  by: string,
): Promise<StarterRow> {
  const proxy = proxyId(w.config.trustDomain, of.host);
  if ((await w.store.proxy(proxy)) === undefined)
    throw new Refusal("not_found", "no such host", "See them: countersign proxy list.");
  const { owner, uid } = of;
  const row = { id: starterId(owner, proxy, uid), owner, proxy, uid, since: w.clock() };
  if ((await w.store.starters(owner)).length >= MAX_STARTERS_PER_OWNER)
    throw new Refusal("rate_limited", "too many users are listed", "Take one away first.");
  await commitStarter(w, row, { isListed: true, by });
  return row;
}

/** Takes a user from the list. @throws Refusal `not_found` */
export async function unlistStarter(
  w: World,
  of: { readonly owner: string; readonly host: string; readonly uid: number },
  by: string,
): Promise<void> {
  const id = starterId(of.owner, proxyId(w.config.trustDomain, of.host), of.uid);
  const row = (await w.store.starters(of.owner)).find((one) => one.id === id);
  if (row === undefined) throw new Refusal("not_found", "no such user is listed");
  await commitStarter(w, row, { isListed: false, by });
}
