import { concat, fromBase64url, utf8 } from "../bytes.ts";
import type { Bytes, Crypto } from "../crypto.ts";

const SEPARATOR: Bytes = concat(utf8("countersign-login/1"), Uint8Array.of(0));

/**
 * What a passkey signs to sign in: a hash under a name of its own, computed by the page. A server that chose the
 * challenge itself could have a statement signed under the name of a sign-in (owner.md 1.3).
 * @param nonce the server's, base64url
 * @throws Refusal `malformed_token` for another encoding
 */
export function loginChallenge(c: Crypto, nonce: string): Bytes {
  return c.sha256(concat(SEPARATOR, fromBase64url(nonce)));
}
