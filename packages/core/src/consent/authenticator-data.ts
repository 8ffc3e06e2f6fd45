import type { Bytes, Crypto } from "../crypto.ts";
import { equalBytes, utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

/** Flag bits of authenticator data (WebAuthn 6.1): user present, user verified, backup eligible, backed up, attested key, extensions. */
export const FLAG = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10, AT: 0x40, ED: 0x80 } as const;

/** What the first 37 octets say. User presence and verification are demanded, not told. */
export interface AuthenticatorHead {
  readonly flags: number;
  /** signCount. */
  readonly counter: number;
  /** BE: the key may be copied to other devices. */
  readonly backupEligible: boolean;
  /** BS: it has been. */
  readonly backedUp: boolean;
}

/** Octets of RP ID hash, flags and counter. */
export const HEAD_BYTES = 37;
const RP_ID_HASH_BYTES = 32;

/**
 * Reads the head of authenticator data made for this RP ID by a user who was there and known.
 * @throws Refusal `signature_invalid`, `origin_mismatch`, `user_not_present`, `user_not_verified`
 */
export function readAuthenticatorHead(c: Crypto, data: Bytes, rpId: string): AuthenticatorHead {
  if (data.length < HEAD_BYTES)
    throw new Refusal("signature_invalid", "authenticator data too short");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const flags = view.getUint8(RP_ID_HASH_BYTES);
  if (!equalBytes(data.subarray(0, RP_ID_HASH_BYTES), c.sha256(utf8(rpId))))
    throw new Refusal("origin_mismatch", "another RP ID");
  if ((flags & FLAG.UP) === 0) throw new Refusal("user_not_present");
  if ((flags & FLAG.UV) === 0) throw new Refusal("user_not_verified");
  const backupEligible = (flags & FLAG.BE) !== 0;
  const backedUp = (flags & FLAG.BS) !== 0;
  if (backedUp && !backupEligible)
    throw new Refusal("signature_invalid", "backed up, and not eligible for it");
  return { flags, counter: view.getUint32(RP_ID_HASH_BYTES + 1), backupEligible, backedUp };
}
