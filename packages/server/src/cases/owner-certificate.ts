import { MAX_OWNER_CERTIFICATES, Refusal, verifyOwnerCertificate } from "@countersign/core";
import type { OwnerPublicKey, Seconds } from "@countersign/core";
import type { World } from "../world.ts";

/** Base64 of a whole chain: a bundle holds several, and more than this is no chain of a person. */
const MAX_CHAIN_CHARACTERS = 16_384;

/** A key with the certificates that name its owner. */
export interface Certified extends OwnerPublicKey {
  readonly owner: string;
  readonly x5c?: readonly string[];
}

/**
 * That a CA which is configured for owners certifies the key as this owner's, now and when it signed. Without
 * certificates there is nothing to check. Relying parties check it again, by their own configuration.
 * @throws Refusal `key_unsupported`, `too_large`, and as `verifyOwnerCertificate`
 */
export async function checkCertificate(
  w: World,
  { owner, jwk, app, x5c }: Certified,
  signedAt: Seconds,
): Promise<void> {
  if (x5c === undefined) return;
  if (app !== undefined)
    throw new Refusal(
      "key_unsupported",
      "a certificate speaks for no security key",
      "Enrol it without --certificate: its own signatures say what guards it.",
    );
  if (x5c.length > MAX_OWNER_CERTIFICATES || x5c.join("").length > MAX_CHAIN_CHARACTERS)
    throw new Refusal("too_large", "the certificates are too many or too long");
  const cas = w.ownerCas ?? [];
  if (cas.length === 0)
    throw new Refusal(
      "untrusted_chain",
      "no CA is configured for owners",
      "Name one in server.yaml: owner_cas: [OID@/path/to/ca.pem]. Or enrol the key without --certificate.",
    );
  await verifyOwnerCertificate(w.c, { x5c, cas, owner, key: jwk, signedAt, now: w.clock() });
}
