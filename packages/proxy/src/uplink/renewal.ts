import { digestOf, Refusal, RENEWAL, seal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { ProxyWorld } from "../world.ts";
import type { Linked } from "./link.ts";

/**
 * Signs over the CSR of the next key with the present one: through a gateway, no handshake of ours reaches the server,
 * and the gateway could put a key of its own in the place of ours.
 * @throws Refusal `indeterminate` before the server was heard, as `nonce`
 */
export function renewalBy(
  w: Pick<ProxyWorld, "c" | "server">,
  { identity, uplink }: Pick<Linked, "identity" | "uplink">,
): (csr: Bytes) => Promise<string> {
  return async (csr) => {
    const view = w.server();
    if (view.state === undefined)
      throw new Refusal("indeterminate", "the server was not heard yet");
    const { nonce, now } = await uplink.nonce(view.seen);
    const claims = { aud: view.state.issuer, iat: now, nonce, csr: digestOf(w.c, csr) };
    return (await seal(w.c, RENEWAL, claims, identity.signer)).octets;
  };
}
