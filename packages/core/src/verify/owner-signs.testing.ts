import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { assertionOf } from "../consent/authenticator.testing.ts";
import type { Otherwise } from "../consent/authenticator.testing.ts";
import type { ConsentPages } from "../consent/client-data.ts";
import type { OwnerSignature } from "../consent/owner-signature.ts";
import { securityKeySign } from "../consent/security-key.testing.ts";
import { CONSENT_NAMESPACE, makeSshsig } from "../consent/ssh/sshsig.ts";
import type { Bytes, Signer } from "../crypto.ts";

/** How an owner signs; default with SSH and a software key. */
export interface OwnerSigns {
  /** SSH namespace of the signature. */
  readonly namespace?: string;
  /** With WebAuthn at the consent page, with this otherwise. */
  readonly webauthn?: Otherwise;
  /** With a security key of SSH: its FIDO application. */
  readonly securityKey?: string;
}

export function pagesOf(td: string): ConsentPages {
  return { rpId: `id.${td}`, origins: [`https://id.${td}`] };
}

/** `app` as it stands beside the key, if the key has one. */
export function appOf({ webauthn, securityKey }: OwnerSigns, td: string): { app?: string } {
  if (webauthn !== undefined) return { app: pagesOf(td).rpId };
  return securityKey === undefined ? {} : { app: securityKey };
}

export async function signOwner(
  { namespace = CONSENT_NAMESPACE, webauthn, securityKey }: OwnerSigns,
  td: string,
  signer: Signer,
  bytes: Bytes,
): Promise<OwnerSignature> {
  if (webauthn !== undefined) {
    const { rpId, origins } = pagesOf(td);
    const client = { origin: origins[0], ...webauthn.client };
    return assertionOf(signer, bytes, { rpId, ...webauthn, client });
  }
  const blob =
    securityKey === undefined
      ? await makeSshsig(c, signer, namespace, bytes)
      : await securityKeySign(signer, securityKey, bytes);
  return { k: "sshsig", s: base64(blob) };
}
