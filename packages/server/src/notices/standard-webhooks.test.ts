import { describe, expect, it } from "vitest";
import { fromBase64, utf8 } from "@countersign/core";
import { webhookHeaders, webhookSecretText } from "./standard-webhooks.ts";

/** The example of the specification's own libraries. */
const SECRET = fromBase64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const MESSAGE = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  now: 1_614_265_330,
  body: '{"test": 2432232314}',
};
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

describe("headers of a message (Standard Webhooks)", () => {
  it("are those of the specification's example", () => {
    expect(webhookHeaders([SECRET], MESSAGE)).toEqual({
      "content-type": "application/json",
      "webhook-id": MESSAGE.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": SIGNATURE,
    });
  });

  it("carry a signature of each secret that counts, the newest first", () => {
    const { "webhook-signature": both } = webhookHeaders([utf8("new"), SECRET], MESSAGE);
    expect(both?.split(" ")).toHaveLength(2);
    expect(both?.split(" ")[1]).toBe(SIGNATURE);
  });

  it.each([
    ["the id", { id: "msg_p5jXN8AQM9LWM0D4loKWxJej" }],
    ["the time", { now: MESSAGE.now + 1 }],
    ["the body", { body: '{"test": 2432232315}' }],
  ])("have another signature with another %s", (_what, change) => {
    const { "webhook-signature": other } = webhookHeaders([SECRET], { ...MESSAGE, ...change });
    expect(other).not.toBe(SIGNATURE);
  });

  it("a secret is kept as the libraries take it", () => {
    expect(webhookSecretText(SECRET)).toBe("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  });
});
