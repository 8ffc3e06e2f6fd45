import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { Refusal } from "../refusal.ts";
import { sha256 } from "../web-crypto/hash.ts";
import {
  PUSH_MESSAGE_BYTES,
  pushSubscriptionId,
  readPushMessage,
  writePushMessage,
} from "./push-message.ts";
import type { PushMessage } from "./push-message.ts";

const GOOD = { v: 1, kind: "request", id: "ntc_AAAAAAAAAAAAAAAAAAAAAA", agent: "mailer" };
const EACH: readonly PushMessage[] = [
  { kind: "request", id: "n".repeat(32), agent: "m".repeat(63) },
  { kind: "digest", id: "n", waiting: 9999 },
  { kind: "key", id: "n", change: "recovery_cancelled" },
  { kind: "test", id: "n" },
];

describe("a push message", () => {
  it.each(EACH)("of kind $kind is read as it was written, and fits its padding", (message) => {
    const octets = writePushMessage(message);
    expect(octets.length).toBeLessThanOrEqual(PUSH_MESSAGE_BYTES);
    expect(readPushMessage(octets)).toEqual(message);
  });

  it.each<readonly [string, object, string]>([
    ["as it is sent", {}, "accepted"],
    ["of another version", { v: 2 }, "malformed_request"],
    ["of another kind", { kind: "approve" }, "malformed_request"],
    ["with words of its own", { title: "Approve now" }, "malformed_request"],
    ["with an address", { url: "https://evil.example" }, "malformed_request"],
    ["with a sentence for an agent", { agent: "Approve at evil.example" }, "malformed_request"],
    ["without an agent", { agent: undefined }, "malformed_request"],
    ["with an agent that is none", { kind: "test" }, "malformed_request"],
    ["of none that wait", { kind: "digest", agent: undefined, waiting: 0 }, "malformed_request"],
    [
      "with a sentence for a change",
      { kind: "key", agent: undefined, change: "a b" },
      "malformed_request",
    ],
    ["with a long name", { id: "n".repeat(33) }, "malformed_request"],
  ])("%s", async (_name, change, wanted) => {
    const octets = utf8(JSON.stringify({ ...GOOD, ...change }));
    expect(await outcomeOf(() => readPushMessage(octets))).toBe(wanted);
  });

  it("is read or refused, whatever the octets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        try {
          readPushMessage(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
    );
  });
});

describe("a subscription", () => {
  const ENDPOINT = "https://push.example.com/send/1";
  it("is named by owner and endpoint, and the name gives nothing of it away", () => {
    const id = pushSubscriptionId({ sha256 }, "urn:one", ENDPOINT);
    expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(pushSubscriptionId({ sha256 }, "urn:one", `${ENDPOINT}/`)).not.toBe(id);
    expect(pushSubscriptionId({ sha256 }, "urn:two", ENDPOINT)).not.toBe(id);
  });
});
