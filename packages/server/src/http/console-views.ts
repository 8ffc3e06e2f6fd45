import { base64url, fromUtf8, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { isAskBlocked } from "../cases/known.ts";
import { MAX_ENTRIES_A_PAGE, ownLog } from "../cases/owner-log.ts";
import type { OwnerSession } from "../cases/owner-sessions.ts";
import type { CredentialRow, EntryRow, GrantRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { keyView, ownerView } from "./owner-view.ts";

/** Who acts without a signature, as the log names him: where several owners may, which of them it was. */
export const actorOf = ({ owner }: OwnerSession): string => `session of ${owner}`;

/** Who is signed in, and with which keys he could sign. */
export async function meOf(w: World, { owner, jkt, until }: OwnerSession): Promise<JsonObject> {
  const row = await w.store.owner(owner);
  if (row === undefined) throw new Refusal("session_needed");
  const keys = await w.store.ownerKeys(owner);
  return { owner: ownerView(row), jkt, until, keys: keys.map((key) => keyView(w, key)) };
}

interface Around {
  readonly grants: readonly GrantRow[];
  readonly credentials: readonly CredentialRow[];
  readonly waiting: ReadonlySet<string>;
  readonly stopped: ReadonlySet<string>;
  /** Entries that do not ask before their owner lets them. */
  readonly blocked: ReadonlySet<string>;
}

function stateOf(entry: EntryRow, grant: GrantRow | undefined, around: Around): string {
  const { stopped, waiting } = around;
  const owners = entry.body.parties?.owners ?? [];
  if ([entry.id, entry.proxy, ...owners].some((id) => stopped.has(id))) return "stopped";
  if (waiting.has(entry.id)) return "waiting";
  return grant === undefined ? "idle" : "approved";
}

/** The last of these instants. */
export const latest = (times: readonly number[]): number | undefined =>
  times.length === 0 ? undefined : Math.max(...times);

function agentView(entry: EntryRow, around: Around): JsonObject & { readonly state: string } {
  const grant = around.grants.find((row) => row.entry === entry.id);
  const credential = latest(
    around.credentials.filter((row) => row.entry === entry.id).map((row) => row.exp),
  );
  return {
    entry: entry.id,
    proxy: entry.proxy,
    state: stateOf(entry, grant, around),
    ...(around.blocked.has(entry.id) ? { blocked: true } : {}),
    ...(grant === undefined
      ? {}
      : { cs: grant.cs, grant_until: grant.exp, issued: grant.issued, max_issue: grant.maxIssue }),
    ...(credential === undefined ? {} : { credential_until: credential }),
  };
}

/** Entries that do not ask before their owner lets them, whether he said so or denied them often. */
async function blockedOf(w: World, entries: readonly EntryRow[]): Promise<ReadonlySet<string>> {
  const now = w.clock();
  const blocked = new Set<string>();
  for (const { id: entry, proxy } of entries) {
    const rows = await w.store.known({ proxy, entry, agent: entry, now });
    if (isAskBlocked(rows)) blocked.add(entry);
  }
  return blocked;
}

/** Live credentials of an entry, by its installations: one read of all that live is cut off where a server has many. */
export async function liveOf(w: World, entry: string): Promise<readonly CredentialRow[]> {
  const liveAt = w.clock();
  const installations = await w.store.installations({ entry });
  const found = installations.map(({ agent }) => w.store.credentials({ agent, liveAt }));
  return (await Promise.all(found)).flat();
}

/** The owner's agents: those that wait first, stopped ones last. */
export async function agentsOf(w: World, owner: string): Promise<JsonObject> {
  const now = w.clock();
  const entries = await w.store.entries({ owner, removed: false });
  const asks = await w.store.asks({ owner, state: "asked" });
  const stops = await w.store.stops({ inForce: true });
  const isAllStopped = stops.some(
    ({ scope, target }) => scope === "domain" || (scope === "owner" && target === owner),
  );
  const credentials = (await Promise.all(entries.map(({ id }) => liveOf(w, id)))).flat();
  const around: Around = {
    blocked: await blockedOf(w, entries),
    grants: await w.store.grants({ owner, liveAt: now }),
    credentials,
    waiting: new Set(asks.filter((ask) => ask.deadline > now).map((ask) => ask.entry)),
    stopped: new Set(
      isAllStopped ? entries.map(({ id }) => id) : stops.map(({ target }) => target),
    ),
  };
  const order = ["waiting", "approved", "idle", "stopped"];
  const agents = entries
    .map((entry) => agentView(entry, around))
    .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return { now, agents };
}

/** A whole number from 1 on, as it was typed; nothing where it was not. */
function typedNumber(query: URLSearchParams, name: string, most: number): number | undefined {
  const typed = query.get(name);
  if (typed === null) return undefined;
  if (!/^[1-9][0-9]{0,14}$/.test(typed) || Number(typed) > most)
    throw new Refusal("malformed_request", `${name} is not a number that can be asked for`);
  return Number(typed);
}

/** The owner's entries of the log, with what a browser needs to check each by itself. */
export async function logOf(
  w: World,
  { owner }: OwnerSession,
  query: URLSearchParams,
): Promise<JsonObject> {
  const before = typedNumber(query, "before", Number.MAX_SAFE_INTEGER);
  const count = typedNumber(query, "count", MAX_ENTRIES_A_PAGE);
  const { entries, size, next } = await ownLog(w, owner, {
    ...(before === undefined ? {} : { before }),
    ...(count === undefined ? {} : { count }),
  });
  const { origin, vkey } = w.store.logName();
  return {
    now: w.clock(),
    size,
    log: { origin, vkey },
    entries: entries.map(({ row, proof }) => ({
      seq: row.seq,
      type: row.type,
      t: row.t,
      leaf: base64url(row.leaf),
      ...(row.record === undefined ? {} : { record: fromUtf8(row.record) }),
      salts: { ...row.salts },
      proof,
    })),
    ...(next === undefined ? {} : { next }),
  };
}
