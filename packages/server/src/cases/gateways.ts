import { gatewayId, Refusal } from "@countersign/core";
import type { Seconds } from "@countersign/core";
import type { GatewayRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { makeToken } from "./enrol.ts";
import { findOwner } from "./owners.ts";
import { proxyOf } from "./proxy-name.ts";

/** A gateway speaks for at most so many. */
export const MAX_GATEWAY_PROXIES = 1000;
export const MAX_GATEWAY_OWNERS = 16;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What an administrator says of a gateway: it has no say in it itself. */
export interface GatewayOrder {
  readonly name: string;
  /** Names or ids. */
  readonly owners: readonly string[];
  readonly proxies: readonly string[];
  readonly lifeSeconds: Seconds;
  /** Also where the name holds a live certificate. */
  readonly replace: boolean;
}

/**
 * Registers a gateway, with whom it signs for and whom it may speak for, and makes its join token.
 * @throws Refusal `malformed_request`, `not_found` for an owner that does not exist, `name_taken`
 */
export async function makeGatewayToken(w: World, order: GatewayOrder): Promise<string> {
  if (!NAME.test(order.name))
    throw new Refusal(
      "malformed_request",
      "a gateway's name is lower-case letters, digits and . _ -",
    );
  const owners = await Promise.all(order.owners.map((owner) => findOwner(w, owner)));
  const row: GatewayRow = {
    id: gatewayId(w.config.trustDomain, order.name),
    owners: owners.map(({ id }) => id),
    proxies: order.proxies.map((name) => proxyOf(w, name)),
    registeredAt: w.clock(),
  };
  return makeToken(w, {
    id: row.id,
    named: { gateway: order.name },
    lifeSeconds: order.lifeSeconds,
    replace: order.replace,
    changes: [{ put: "gateway", row }],
    record: { owners: [...row.owners], proxies: [...row.proxies] },
  });
}

/**
 * That a gateway may speak for this proxy now: registered for it, and not stopped.
 * @throws Refusal `gateway_not_allowed`, `halted`
 */
export async function checkSpeaksFor(w: World, gateway: string, proxy: string): Promise<void> {
  const [registered, stops] = await Promise.all([
    w.store.gateway(gateway),
    w.store.stops({ scope: "proxy", target: gateway, inForce: true }),
  ]);
  if (stops.length > 0) throw new Refusal("halted", "the gateway is stopped");
  if (registered?.proxies.includes(proxy) !== true)
    throw new Refusal("gateway_not_allowed", "the proxy is not registered for this gateway");
}

/** Whether an administrator has named this owner for the gateway. */
export async function signsFor(w: World, gateway: string, owner: string): Promise<boolean> {
  return (await w.store.gateway(gateway))?.owners.includes(owner) === true;
}
