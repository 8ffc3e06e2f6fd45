import { parseCertificate, parseName, Refusal } from "@countersign/core";
import type { Bytes, Jwk } from "@countersign/core";
import type { GatewayWorld } from "../world.ts";

/** What is known of a connection: the caller's certificate, only if TLS verified it by the infrastructure's root. */
export interface GatewayContext {
  readonly certificate?: Bytes;
}

/** The proxy that calls. */
export interface Caller {
  readonly id: string;
  /** The key that its certificate holds: evidence is signed by it. */
  readonly key: Jwk;
  readonly certificate: Bytes;
}

/**
 * The proxy that calls, by its whole id: one of those that this gateway was set up for. Whether its certificate was
 * superseded the server knows, which is told of it at every call.
 * @throws Refusal `client_certificate_required`, `attester_unknown`, `expired`, `gateway_not_allowed`
 */
export function callerOf(w: GatewayWorld, context: GatewayContext): Caller {
  if (context.certificate === undefined) throw new Refusal("client_certificate_required");
  const { uris, key, notAfter } = parseCertificate(context.certificate);
  const [uri, second] = uris;
  if (uri === undefined || second !== undefined)
    throw new Refusal("attester_unknown", "not exactly one name");
  const name = parseName(uri);
  if (name.kind !== "proxy" || name.td !== w.trustDomain)
    throw new Refusal("attester_unknown", "not a proxy of this trust domain");
  if (w.clock() > notAfter) throw new Refusal("expired", "the proxy's certificate");
  if (!w.proxies.has(uri))
    throw new Refusal(
      "gateway_not_allowed",
      "not one of its proxies",
      "Name the proxy in this gateway's gateway.yaml, and where the gateway is registered at the server.",
    );
  return { id: uri, key, certificate: context.certificate };
}
