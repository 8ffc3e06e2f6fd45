import { createECDH } from "node:crypto";
import { decrypt } from "http_ece";
import { base64url, readPushMessage } from "../../packages/core/src/index.ts";
import type { PushMessage } from "../../packages/core/src/index.ts";
import { seededRandom } from "../../packages/server/src/world.testing.ts";

/** What a browser gives out when it subscribes, and how it reads what comes. */
export interface PushBrowser {
  readonly subscription: {
    readonly endpoint: string;
    readonly keys: { readonly p256dh: string; readonly auth: string };
  };
  /** Decrypts with somebody else's program. @throws Error what was not encrypted to this browser */
  read(body: Uint8Array): PushMessage;
}

/** A browser whose push service is at this endpoint. */
export function pushBrowser(endpoint: string): PushBrowser {
  const privateKey = createECDH("prime256v1");
  privateKey.generateKeys();
  const authSecret = Buffer.from(seededRandom(endpoint)(16));
  const p256dh = base64url(new Uint8Array(privateKey.getPublicKey()));
  return {
    subscription: { endpoint, keys: { p256dh, auth: base64url(new Uint8Array(authSecret)) } },
    read: (body) => {
      const params = { version: "aes128gcm", privateKey, authSecret } as const;
      return readPushMessage(new Uint8Array(decrypt(Buffer.from(body), params)));
    },
  };
}
