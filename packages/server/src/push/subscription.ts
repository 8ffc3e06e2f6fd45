import { base64url, fromBase64url, Members, Refusal } from "@countersign/core";
import type { Crypto, Json } from "@countersign/core";
import { readForeignUrl } from "@countersign/node";

/** What a browser gave out so that messages reach it (Push API 8). The endpoint is a secret: whoever has it can write to it. */
export interface PushSubscription {
  readonly endpoint: string;
  /** Uncompressed P-256 point, base64url. */
  readonly p256dh: string;
  /** 16 octets, base64url. */
  readonly auth: string;
}

const MAX_ENDPOINT_LENGTH = 1024;
const POINT_BYTES = 65;
const AUTH_BYTES = 16;

function endpointOf(members: Members): string {
  const text = members.text("endpoint", { maxLength: MAX_ENDPOINT_LENGTH });
  // one spelling an endpoint: it names its subscription
  if (readForeignUrl(text).href !== text)
    return members.fail("endpoint", "is not in its normal form");
  return text;
}

function octetsOf(members: Members, name: string, byteCount: number): Uint8Array {
  const text = members.text(name, { maxLength: 128, pattern: /^[A-Za-z0-9_-]+$/ });
  let octets: Uint8Array;
  try {
    octets = fromBase64url(text);
  } catch {
    return members.fail(name, "is no base64url");
  }
  return octets.length === byteCount ? octets : members.fail(name, `is not ${byteCount} octets`);
}

/**
 * Reads a subscription as a browser writes it: `{ endpoint, keys { p256dh, auth } }`.
 * @throws Refusal `malformed_request`; `address_refused`: no plain https URL; `invalid_key`: no point of P-256
 */
export function readPushSubscription(c: Crypto, value: Json | undefined): PushSubscription {
  const members = new Members(value, "malformed_request", "subscription");
  const endpoint = endpointOf(members);
  const keys = members.object("keys");
  const point = octetsOf(keys, "p256dh", POINT_BYTES);
  const auth = octetsOf(keys, "auth", AUTH_BYTES);
  keys.end();
  members.end();
  const [x, y] = [base64url(point.subarray(1, 33)), base64url(point.subarray(33))];
  if (point[0] !== 4 || !c.isValidKey({ kty: "EC", crv: "P-256", x, y }))
    throw new Refusal(
      "invalid_key",
      "p256dh is no point of P-256",
      "Turn notices on again in a browser that supports them.",
    );
  return { endpoint, p256dh: base64url(point), auth: base64url(auth) };
}
