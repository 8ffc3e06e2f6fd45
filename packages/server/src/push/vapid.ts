import { base64url, fromBase64url, Refusal, utf8 } from "@countersign/core";
import type { Bytes, Seconds, Signer } from "@countersign/core";

/** RFC 8292 2 allows 24 hours; half of that leaves room for clocks that differ. */
const LIFE_SECONDS: Seconds = 12 * 3600;

/** Who sends, as push services know him (RFC 8292). */
export interface Vapid {
  readonly signer: Signer;
  /** Whom a push service may write to: a `mailto:` or `https:` URL, from the configuration. */
  readonly contact: string;
}

/** The public key as an uncompressed point: what a browser ties its subscription to. @throws Refusal `signer_unsuitable` */
export function applicationServerKey({ key }: Signer): Bytes {
  if (key.kty !== "EC" || key.crv !== "P-256")
    throw new Refusal("signer_unsuitable", "the key of push messages is not a P-256 key");
  return new Uint8Array([4, ...fromBase64url(key.x), ...fromBase64url(key.y)]);
}

/**
 * The `Authorization` of one message: an ES256 token for the origin of its endpoint, and for no other (RFC 8292 2, 3).
 * @param endpoint of the subscription
 */
export async function vapidAuthorization(
  { signer, contact }: Vapid,
  endpoint: string,
  now: Seconds,
): Promise<string> {
  const claims = { aud: new URL(endpoint).origin, exp: now + LIFE_SECONDS, sub: contact };
  const part = (value: object): string => base64url(utf8(JSON.stringify(value)));
  const signed = `${part({ typ: "JWT", alg: "ES256" })}.${part(claims)}`;
  const signature = base64url(await signer.sign(utf8(signed)));
  return `vapid t=${signed}.${signature}, k=${base64url(applicationServerKey(signer))}`;
}
