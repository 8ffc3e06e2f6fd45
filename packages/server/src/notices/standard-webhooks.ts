import { createHmac } from "node:crypto";
import { base64, utf8 } from "@countersign/core";
import type { Bytes, Seconds } from "@countersign/core";

/** Before a secret, so that a person and a scanner know what it is (Standard Webhooks). */
const SECRET_PREFIX = "whsec_";

/** The secret as its receiver keeps it. */
export function webhookSecretText(secret: Bytes): string {
  return `${SECRET_PREFIX}${base64(secret)}`;
}

/**
 * Headers of one attempt (Standard Webhooks 1.0): the id is that of the message over all attempts, the time that of this one,
 * and the signature covers both and the body.
 * @param secrets each signs: two while an old one still counts
 */
export function webhookHeaders(
  secrets: readonly Bytes[],
  message: { readonly id: string; readonly now: Seconds; readonly body: string },
): Readonly<Record<string, string>> {
  const { id, now, body } = message;
  const signed = utf8(`${id}.${now}.${body}`);
  const signatures = secrets.map(
    (secret) => `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`,
  );
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(now),
    "webhook-signature": signatures.join(" "),
  };
}
