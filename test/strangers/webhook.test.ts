import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import {
  webhookHeaders,
  webhookSecretText,
} from "../../packages/server/src/notices/standard-webhooks.ts";
import { seededRandom } from "../../packages/server/src/world.testing.ts";

const random = seededRandom("webhook");
const [NEW, OLD] = [random(32), random(32)];
/** The library compares with the host's clock. */
const now = Math.floor(Date.now() / 1000);
const BODY = JSON.stringify({ type: "request.waiting", data: { agent: "mailer" } });
const MESSAGE = { id: "ntc_a", now, body: BODY };

function judged(
  secret: Uint8Array,
  headers: Readonly<Record<string, string>>,
  body = BODY,
): unknown {
  try {
    return new Webhook(webhookSecretText(secret)).verify(body, { ...headers });
  } catch (error) {
    return error instanceof Error ? error.name : error;
  }
}

describe("standardwebhooks, the receivers' library", () => {
  const signed = webhookHeaders([NEW], MESSAGE);
  it("takes what we sign, and gives the body", () => {
    expect(judged(NEW, signed)).toEqual(JSON.parse(BODY));
  });

  it("takes it with either secret while the old one counts", () => {
    const both = webhookHeaders([NEW, OLD], MESSAGE);
    expect([judged(NEW, both), judged(OLD, both)]).toEqual([JSON.parse(BODY), JSON.parse(BODY)]);
  });

  it.each([
    ["another secret", OLD, {}, BODY],
    ["another body", NEW, {}, BODY.replace("mailer", "mailers")],
    ["another id", NEW, { "webhook-id": "ntc_b" }, BODY],
    ["another time", NEW, { "webhook-timestamp": String(now - 1) }, BODY],
    ["a time long past", NEW, webhookHeaders([NEW], { ...MESSAGE, now: now - 600 }), BODY],
  ] as const)("refuses %s", (_what, secret, change, body) => {
    expect(judged(secret, { ...signed, ...change }, body)).toBe("WebhookVerificationError");
  });
});
