import { base64url, fromBase64url, loginChallenge, statementChallenge } from "@countersign/core";
import type { Bytes, Crypto, JsonObject, OwnerSignature } from "@countersign/core";

/** The ceremony did not give a signature: cancelled, timed out, or no passkey of this console is here. */
export class NotSigned extends Error {}

/** An octet view that owns its buffer, as the platform wants it. */
const owned = (octets: Bytes): Uint8Array<ArrayBuffer> => new Uint8Array(octets);

interface Assertion {
  readonly credentialId: string;
  readonly userHandle?: string;
  readonly sig: OwnerSignature;
}

async function get(
  challenge: Bytes,
  rpId: string,
  credentialIds: readonly string[],
): Promise<Assertion> {
  const found = await navigator.credentials
    .get({
      publicKey: {
        challenge: owned(challenge),
        rpId,
        userVerification: "required",
        allowCredentials: credentialIds.map((id) => ({
          type: "public-key" as const,
          id: owned(fromBase64url(id)),
        })),
      },
    })
    .catch(() => null);
  if (!(found instanceof PublicKeyCredential)) throw new NotSigned("no signature");
  const { response, rawId } = found;
  if (!(response instanceof AuthenticatorAssertionResponse)) throw new NotSigned("no assertion");
  const { authenticatorData, clientDataJSON, signature, userHandle } = response;
  return {
    credentialId: base64url(new Uint8Array(rawId)),
    ...(userHandle === null ? {} : { userHandle: base64url(new Uint8Array(userHandle)) }),
    sig: {
      k: "webauthn",
      a: base64url(new Uint8Array(authenticatorData)),
      c: base64url(new Uint8Array(clientDataJSON)),
      s: base64url(new Uint8Array(signature)),
    },
  };
}

/**
 * Signs a statement: the challenge is computed here from its octets, never taken from the server (owner.md 1.3).
 * @throws NotSigned
 */
export async function signStatement(
  c: Crypto,
  statement: Bytes,
  rpId: string,
  credentialId: string,
): Promise<OwnerSignature> {
  return (await get(statementChallenge(c, statement), rpId, [credentialId])).sig;
}

/**
 * Signs in with any passkey of this console. The challenge is a hash under a name of its own: no server can have a
 * statement signed in its place (owner.md 1.3).
 * @throws NotSigned
 */
export async function signIn(c: Crypto, nonce: string, rpId: string): Promise<JsonObject> {
  const { credentialId, userHandle, sig } = await get(loginChallenge(c, nonce), rpId, []);
  return {
    nonce,
    credential_id: credentialId,
    ...(userHandle === undefined ? {} : { user_handle: userHandle }),
    sig: { ...sig },
  };
}
