import { Members, Refusal } from "@countersign/core";
import type { Digest, Json, JsonObject, Seconds } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import { isOf } from "../cases/asked.ts";
import { halt } from "../cases/halt.ts";
import type { OwnerSession } from "../cases/owner-sessions.ts";
import type { Heeded } from "../feed/heeded.ts";
import type { EntryRow, GrantRow, StopRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { actorOf, latest, liveOf } from "./console-views.ts";
import type { Signed } from "./own-keys.ts";

const MAX_BODY_BYTES = 4096;
const SCOPES = ["owner", "entry", "grant"] as const;

/** Whether a grant is an owner's: his alone, or his among others. */
const isSignedBy = ({ owner, parties }: GrantRow, whom: string): boolean =>
  owner === whom || parties?.includes(whom) === true;

async function checkOwn(
  w: World,
  { owner }: OwnerSession,
  scope: (typeof SCOPES)[number],
  target: string,
): Promise<void> {
  if (scope === "entry") {
    const entry = await w.store.entry(target);
    if (entry === undefined || !isOf(entry.body, owner))
      throw new Refusal("not_found", "no such agent");
  }
  if (scope === "grant") {
    const grant = await w.store.grant(target as Digest); // what is no digest names no grant
    if (grant === undefined || !isSignedBy(grant, owner))
      throw new Refusal("not_found", "no such approval");
  }
}

/** Stops everything of this owner's, one of his agents, or one approval: a session is enough (DESIGN 6). */
async function haltOf(
  w: World,
  session: OwnerSession,
  posted: Json | undefined,
): Promise<JsonObject> {
  const members = new Members(posted, "malformed_request", "halt");
  const scope = members.choice("scope", SCOPES);
  const target =
    scope === "owner" ? session.owner : members.text("target", { maxLength: 512, minLength: 1 });
  members.end();
  await checkOwn(w, session, scope, target);
  const stop = await halt(w, {
    scope,
    target,
    reason: "stopped by its owner",
    by: actorOf(session),
  });
  return { id: stop.id, scope: stop.scope, target: stop.target, since: stop.since };
}

/** The owner's agents that a stop of his holds. */
async function held(
  w: World,
  { owner }: OwnerSession,
  stop: StopRow,
): Promise<readonly EntryRow[]> {
  const entries = await w.store.entries({ owner, removed: false });
  if (stop.scope === "entry") return entries.filter(({ id }) => id === stop.target);
  if (stop.scope !== "grant") return entries;
  const grant = await w.store.grant(stop.target as Digest); // a stop of a grant names one
  return entries.filter(({ id }) => id === grant?.entry);
}

async function isOwn(w: World, session: OwnerSession, stop: StopRow): Promise<boolean> {
  if (stop.scope === "owner") return stop.target === session.owner;
  if (stop.scope !== "entry" && stop.scope !== "grant") return false;
  return (await held(w, session, stop)).length > 0;
}

/** What a host did with a stop, and until when the credentials last that it may not have dropped. */
async function hostView(
  w: World,
  heeded: Heeded,
  { stop, proxy, entries }: StopOnHost,
): Promise<JsonObject> {
  const confirmedAt = heeded.at(proxy, stop.id);
  const live = (await Promise.all(entries.map(({ id }) => liveOf(w, id)))).flat();
  const until: Seconds | undefined = latest(live.map(({ exp }) => exp));
  return {
    proxy,
    agents: entries.map(({ id }) => id),
    ...(confirmedAt === undefined ? {} : { confirmed_at: confirmedAt }),
    ...(until === undefined ? {} : { credentials_until: until }),
  };
}

interface StopOnHost {
  readonly stop: StopRow;
  readonly proxy: string;
  readonly entries: readonly EntryRow[];
}

/**
 * A stop of the owner's, and which hosts have confirmed it.
 * @throws Refusal `not_found` also for another's
 */
async function stopOf(
  w: World,
  heeded: Heeded,
  session: OwnerSession,
  id: string,
): Promise<JsonObject> {
  const stop = (await w.store.stops({ inForce: true })).find((row) => row.id === id);
  if (stop === undefined || !(await isOwn(w, session, stop)))
    throw new Refusal("not_found", "no such stop in force");
  const entries = await held(w, session, stop);
  const proxies = [...new Set(entries.map(({ proxy }) => proxy))];
  const hosts = proxies.map((proxy) =>
    hostView(w, heeded, { stop, proxy, entries: entries.filter((row) => row.proxy === proxy) }),
  );
  const { scope, target, since } = stop;
  return { now: w.clock(), id, scope, target, since, hosts: await Promise.all(hosts) };
}

/** Stopping under a session, and looking at what came of it. */
export function stopRoutes(w: World, heeded: Heeded): Readonly<Record<string, Signed>> {
  return {
    "POST /v1/owner/halt": async (session, request) =>
      json(await haltOf(w, session, await readJsonBody(request, MAX_BODY_BYTES))),
    "GET /v1/owner/stops/:id": async (session, _request, { id }) =>
      json(await stopOf(w, heeded, session, id ?? "")),
  };
}
