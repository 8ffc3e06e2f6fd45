import { createCipheriv, createECDH, hkdfSync } from "node:crypto";
import type { ECDH } from "node:crypto";
import { concat, Refusal, utf8 } from "@countersign/core";
import type { Bytes } from "@countersign/core";

/** To whom a message is encrypted (RFC 8291 2.1): what a browser gives out of its subscription. */
export interface PushKeys {
  /** Uncompressed P-256 point, 65 octets. */
  readonly p256dh: Bytes;
  /** Authentication secret, 16 octets. */
  readonly auth: Bytes;
}

/** What no two messages share (RFC 8291 3.1, RFC 8188 2.1). */
export interface FreshSecrets {
  /** 16 octets. */
  readonly salt: Bytes;
  /** A P-256 key that was made for this one message. */
  readonly ephemeral: ECDH;
}

export const SALT_BYTES = 16;
const CURVE = "prime256v1";
/** The record size that the header states (RFC 8291 4): a message is one record, however long. */
const RECORD_BYTES = 4096;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 65;
/** Most octets of a padded message: one record with its delimiter and its tag. */
const MAX_PADDED_BYTES = RECORD_BYTES - TAG_BYTES - 1;
const LAST_RECORD = 2;

/** A key for one message. */
export function ephemeralKey(): ECDH {
  const key = createECDH(CURVE);
  key.generateKeys();
  return key;
}

function derive(secret: Bytes, salt: Bytes, info: Bytes, byteCount: number): Bytes {
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, byteCount));
}

const named = (name: string, ...more: readonly Bytes[]): Bytes =>
  concat(utf8(name), new Uint8Array([0]), ...more);

/**
 * One push message in `aes128gcm` (RFC 8291, RFC 8188): header and one record. Padded, so that its length says nothing
 * of what it says.
 * @param paddedBytes octets of the padded message; at most 4079
 * @throws Refusal `too_large`: it does not fit; `invalid_key`: no point of the curve
 */
export function encryptPush(
  message: Bytes,
  paddedBytes: number,
  to: PushKeys,
  { salt, ephemeral }: FreshSecrets,
): Bytes {
  if (message.length > paddedBytes || paddedBytes > MAX_PADDED_BYTES)
    throw new Refusal("too_large", "a push message over its padding");
  const from = new Uint8Array(ephemeral.getPublicKey());
  const shared = agree(ephemeral, to.p256dh);
  const info = named("WebPush: info", to.p256dh, from);
  const secret = derive(shared, to.auth, info, 32);
  const key = derive(secret, salt, named("Content-Encoding: aes128gcm"), 16);
  const nonce = derive(secret, salt, named("Content-Encoding: nonce"), 12);
  const padding = new Uint8Array(paddedBytes - message.length);
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const body = cipher.update(concat(message, new Uint8Array([LAST_RECORD]), padding));
  const header = new Uint8Array(SALT_BYTES + 5);
  header.set(salt);
  new DataView(header.buffer).setUint32(SALT_BYTES, RECORD_BYTES);
  header[SALT_BYTES + 4] = KEY_ID_BYTES;
  return concat(header, from, body, cipher.final(), cipher.getAuthTag());
}

function agree(ephemeral: ECDH, point: Bytes): Bytes {
  try {
    return new Uint8Array(ephemeral.computeSecret(point));
  } catch {
    throw new Refusal("invalid_key", "a push subscription's key is no point of P-256");
  }
}
