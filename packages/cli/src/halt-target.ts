import {
  entryId,
  isDigest,
  isHash,
  parseName,
  parseOwnerId,
  proxyId,
  Refusal,
} from "@countersign/core";
import type { Json, JsonObject, StopScope } from "@countersign/core";
import { text } from "./sockets.ts";

/** What a person may name to stop it. */
export const WHATS = ["agent", "entry", "grant", "owner", "proxy"] as const;
export type What = (typeof WHATS)[number];

/** What is known at the server, for turning names into ids. */
export interface Known {
  readonly trustDomain: string;
  readonly entries: readonly JsonObject[];
  readonly owners: readonly JsonObject[];
  readonly proxies: readonly JsonObject[];
}

export interface Target {
  readonly scope: StopScope;
  readonly target: string;
}

function unknown(what: string, name: string, known: readonly string[]): never {
  throw new Refusal(
    "not_found",
    `no ${what} ${name}`,
    known.length === 0
      ? `Give the whole id: nothing of that kind is known by name.`
      : `Known: ${known.slice(0, 20).join(", ")}. What is not known can be stopped by its whole id.`,
  );
}

const lastSegment = (id: string): string => id.split("/").at(-1) ?? id;

/** A name that must be known, so that a slip of the keyboard does not look like a stop; whole ids always pass. */
function named(what: string, name: string, id: string, known: readonly JsonObject[]): string {
  const ids = known.map((row) => text(row, "id"));
  return ids.includes(id) ? id : unknown(what, name, ids.map(lastSegment));
}

/** An agent id stops that installation; an entry's id or name stops every installation of it. */
function agentTarget(name: string, known: Known): Target {
  if (!name.includes("://"))
    return {
      scope: "entry",
      target: named("agent", name, entryId(known.trustDomain, name), known.entries),
    };
  const parsed = parseName(name);
  if (parsed.kind === "agent") return { scope: "agent", target: name };
  if (parsed.kind === "entry") return { scope: "entry", target: name };
  throw new Refusal("malformed_request", `${name} is no agent`, "Name an agent or its entry.");
}

function ownerTarget(name: string, owners: readonly JsonObject[]): string {
  if (name.startsWith("urn:")) return parseOwnerId(name).id;
  const found = owners.find((owner) => owner["name"] === name);
  if (found === undefined)
    return unknown(
      "owner",
      name,
      owners.map((owner) => text(owner, "name")),
    );
  return text(found, "id");
}

function grantTarget(name: string): string {
  const digest = isHash(name) ? `sha-256:${name}` : name;
  if (!isDigest(digest))
    throw new Refusal(
      "malformed_request",
      "not the digest of a statement",
      "Give it as sha-256:…; countersign log show names it.",
    );
  return digest;
}

/**
 * Scope and id of what is to be stopped. `agent NAME` means the entry: every installation stops.
 * @throws Refusal `not_found` for names that nobody knows, `malformed_request`, `invalid_identifier`
 */
export function resolveTarget(what: What, name: string, known: Known): Target {
  switch (what) {
    case "agent":
    case "entry":
      return agentTarget(name, known);
    case "grant":
      return { scope: "grant", target: grantTarget(name) };
    case "owner":
      return { scope: "owner", target: ownerTarget(name, known.owners) };
    case "proxy": {
      if (name.includes("://")) return { scope: "proxy", target: parseName(name).id.uri };
      const id = proxyId(known.trustDomain, name);
      return { scope: "proxy", target: named("proxy", name, id, known.proxies) };
    }
  }
}

/** Every owner whom a grant names. */
function names({ owner, owners }: JsonObject): readonly Json[] {
  return Array.isArray(owners) ? (owners as readonly Json[]) : [owner ?? null]; // a list, as was seen just now
}

/** Live credentials that a stop concerns: relying parties that look at expiry only accept them until they end. */
export function concerned(
  { scope, target }: Target,
  live: {
    readonly credentials: readonly JsonObject[];
    readonly grants: readonly JsonObject[];
    readonly entries: readonly JsonObject[];
  },
): readonly JsonObject[] {
  const isOfEntry = (credential: JsonObject, entry: string): boolean =>
    text(credential, "agent").startsWith(`${entry}/`);
  const isConcerned = (credential: JsonObject): boolean => {
    switch (scope) {
      case "agent":
        return credential["agent"] === target;
      case "entry":
        return isOfEntry(credential, target);
      case "grant":
        return credential["cs"] === target;
      case "owner":
        return live.grants.some(
          (grant) => grant["cs"] === credential["cs"] && names(grant).includes(target),
        );
      case "proxy":
        return live.entries.some(
          (entry) => entry["proxy"] === target && isOfEntry(credential, text(entry, "id")),
        );
      case "domain":
        return true;
    }
  };
  return live.credentials.filter(isConcerned);
}
