import { parseName, proxyId, Refusal } from "@countersign/core";
import type { World } from "../world.ts";

/** The id of a proxy of this trust domain, from its name or id. @throws Refusal `malformed_request` */
export function proxyOf(w: Pick<World, "config">, nameOrId: string): string {
  const { trustDomain } = w.config;
  if (!nameOrId.includes("://")) return proxyId(trustDomain, nameOrId);
  const name = parseName(nameOrId);
  if (name.kind !== "proxy" || name.td !== trustDomain)
    throw new Refusal("malformed_request", "not a proxy of this trust domain");
  return name.id.uri;
}
