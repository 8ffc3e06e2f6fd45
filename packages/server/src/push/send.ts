import { fromBase64url, PUSH_MESSAGE_BYTES, writePushMessage } from "@countersign/core";
import type { PushMessage, Seconds } from "@countersign/core";
import type { GuardedFetch } from "@countersign/node";
import type { World } from "../world.ts";
import { encryptPush, ephemeralKey, SALT_BYTES } from "./encrypt.ts";
import type { PushSubscription } from "./subscription.ts";
import { vapidAuthorization } from "./vapid.ts";
import type { Vapid } from "./vapid.ts";

/** What notices are pushed with. */
export interface PushSender extends Vapid {
  /** Endpoints are chosen by a browser, that is by somebody else. */
  readonly fetch: GuardedFetch;
}

/** `gone`: the push service knows this subscription no more. `later`: it did not take the message this time. */
export type PushOutcome = "delivered" | "gone" | "later";

const TIMEOUT_MS = 10_000;
/** Longer than that no notice means anything, and some push services keep nothing longer than four weeks. */
const MAX_TTL_SECONDS: Seconds = 3 * 86_400;

/** What an answer of a push service says (RFC 8030 5, 7.3). Redirects are followed by nobody. */
function outcomeOf(status: number): PushOutcome {
  if (status === 404 || status === 410) return "gone";
  return status >= 200 && status < 300 ? "delivered" : "later";
}

/**
 * Sends one message to one browser. Of what carries the same id, the push service keeps the last one (its `Topic`).
 * @param exp when the message loses its meaning: it is not kept longer
 * @throws Refusal `unreachable`, `address_refused`, `untrusted_chain`, `too_large`
 */
export async function sendPush(
  w: Pick<World, "clock" | "random">,
  by: PushSender,
  { endpoint, p256dh, auth }: PushSubscription,
  given: { readonly message: PushMessage; readonly exp: Seconds; readonly signal?: AbortSignal },
): Promise<PushOutcome> {
  const { message, exp, signal } = given;
  const now = w.clock();
  const body = encryptPush(
    writePushMessage(message),
    PUSH_MESSAGE_BYTES,
    { p256dh: fromBase64url(p256dh), auth: fromBase64url(auth) },
    { salt: w.random(SALT_BYTES), ephemeral: ephemeralKey() },
  );
  const { status } = await by.fetch(endpoint, {
    method: "POST",
    headers: {
      authorization: await vapidAuthorization(by, endpoint, now),
      "content-encoding": "aes128gcm",
      "content-type": "application/octet-stream",
      topic: message.id,
      ttl: String(Math.min(MAX_TTL_SECONDS, Math.max(0, exp - now))),
      urgency: "normal",
    },
    body,
    timeoutMs: TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  return outcomeOf(status);
}
