import { BlockList, isIP } from "node:net";
import { Refusal } from "@countersign/core";
import { problemResponse } from "@countersign/node";
import type { Handler, Log } from "@countersign/node";
import type { PublicContext } from "./stop-codes.ts";

const HEADER = "x-forwarded-for";
/** More of one's own in a row than anybody has. */
const MAX_HOPS = 16;
/** A shorter prefix is no network of somebody's proxies: half of the world could say who it is. */
const SHORTEST_PREFIX = { 4: 8, 6: 7 } as const;

const invalid = (network: string): Refusal =>
  new Refusal(
    "configuration_invalid",
    `forwarded_by: ${JSON.stringify(network)} is no address or network`,
    "Name the proxies in front of the server, each by its address or as ADDRESS/LENGTH, for example 10.1.0.0/24.",
  );

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** An address as the list knows it: IPv4 as itself, and no zone. */
const plainOf = (address: string): string =>
  address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/s, "");

/**
 * Addresses of the operator's own proxies.
 * @param networks each an address, or ADDRESS/LENGTH
 * @throws Refusal `configuration_invalid`
 */
export function trustedProxies(networks: readonly string[]): BlockList {
  const trusted = new BlockList();
  for (const network of networks) {
    const [, text = "", length] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const version = isIP(text);
    if (version !== 4 && version !== 6) throw invalid(network);
    const most = version === 4 ? 32 : 128;
    const prefix = length === undefined ? most : Number(length);
    if (prefix > most || prefix < SHORTEST_PREFIX[version]) throw invalid(network);
    trusted.addSubnet(text, prefix, familyOf(text));
  }
  return trusted;
}

/** The address in one hop; some proxies add the port. */
function addressIn(hop: string): string | undefined {
  const [, bracketed, four] = /^\[([^\]]+)\](?::\d{1,5})?$|^([0-9.]+):\d{1,5}$/.exec(hop) ?? [];
  const address = plainOf(bracketed ?? four ?? hop);
  return isIP(address) === 0 ? undefined : address;
}

/**
 * Who calls: the peer, or, where that is a trusted proxy, the last hop before the trusted ones. What stands to the left
 * of that hop was written by whoever calls, and what comes from nobody trusted is not read at all.
 * @param header `X-Forwarded-For`, of several lines one after the other
 * @throws Refusal `malformed_request` where a trusted proxy passed on something that is no address
 */
export function callerOf(
  trusted: BlockList,
  peer: string | undefined,
  header: string | null,
): string | undefined {
  const isTrusted = (address: string): boolean => trusted.check(address, familyOf(address));
  let caller = peer === undefined ? undefined : plainOf(peer);
  if (caller === undefined || isIP(caller) === 0 || !isTrusted(caller) || header === null)
    return peer;
  const hops = header.split(",").slice(-MAX_HOPS).toReversed();
  for (const hop of hops) {
    caller = addressIn(hop.trim());
    if (caller === undefined)
      throw new Refusal("malformed_request", "X-Forwarded-For names no address");
    if (!isTrusted(caller)) return caller;
  }
  return caller; // the proxies themselves
}

/** An application that is told who calls, through the operator's own proxies. */
export function behindProxies(
  networks: readonly string[],
  app: Handler<PublicContext>,
  log: Log,
): Handler<PublicContext> {
  const trusted = trustedProxies(networks);
  if (networks.length === 0) return app;
  return async (request, context) => {
    try {
      const address = callerOf(trusted, context.address, request.headers.get(HEADER));
      return await app(request, address === undefined ? {} : { address });
    } catch (error) {
      return problemResponse(error, log);
    }
  };
}
