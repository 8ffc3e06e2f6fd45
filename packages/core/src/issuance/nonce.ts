import type { Bytes, Random, Seconds } from "../crypto.ts";
import { base64url, concat, equalBytes, fromBase64url, utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

export const NONCE_LIFE_SECONDS = 120;
const TIME_BYTES = 6;
const RANDOM_BYTES = 18;
const MAC_BYTES = 16;

/** HMAC-SHA-256 under a key of this server. */
export type Mac = (data: Bytes) => Bytes;

function timeOctets(now: Seconds): Bytes {
  const out = new Uint8Array(TIME_BYTES);
  let rest = now;
  for (let i = TIME_BYTES - 1; i >= 0; i -= 1) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

const tag = (mac: Mac, head: Bytes, proxy: string): Bytes =>
  mac(concat(utf8("countersign-nonce/1\0"), head, utf8(proxy))).slice(0, MAC_BYTES);

/** Whom a nonce is for: a proxy, or a proxy through one gateway. No identifier holds a space. */
export function nonceHolder(proxy: string, gateway: string | undefined): string {
  return gateway === undefined ? proxy : `${proxy} ${gateway}`;
}

/**
 * A nonce `time ‖ random ‖ MAC` bound to one proxy, base64url (DESIGN 4): nothing is stored until it is spent.
 * @param proxy its id; through a gateway, `nonceHolder` of the two
 */
export function makeNonce(mac: Mac, random: Random, proxy: string, now: Seconds): string {
  const head = concat(timeOctets(now), random(RANDOM_BYTES));
  return base64url(concat(head, tag(mac, head, proxy)));
}

/**
 * Judges a nonce: made here, for this proxy, at most 120 s ago. Whether it was spent is for the commit.
 * @throws Refusal `nonce_unknown`, `nonce_expired`
 */
export function checkNonce(mac: Mac, nonce: string, proxy: string, now: Seconds): void {
  const octets = decode(nonce);
  if (octets.length !== TIME_BYTES + RANDOM_BYTES + MAC_BYTES) throw new Refusal("nonce_unknown");
  const head = octets.slice(0, TIME_BYTES + RANDOM_BYTES);
  if (!equalBytes(octets.slice(head.length), tag(mac, head, proxy)))
    throw new Refusal("nonce_unknown");
  const made = head.slice(0, TIME_BYTES).reduce((sum, octet) => sum * 256 + octet, 0);
  if (made > now + 1 || now - made > NONCE_LIFE_SECONDS) throw new Refusal("nonce_expired");
}

function decode(nonce: string): Bytes {
  try {
    return fromBase64url(nonce);
  } catch {
    throw new Refusal("nonce_unknown");
  }
}
