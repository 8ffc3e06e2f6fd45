import { describe, expect, it } from "vitest";
import { base64url } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { outcomeOf } from "./outcome.testing.ts";
import { readPushSubscription } from "./subscription.ts";

const POINT =
  "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH = "BTBZMqHH6r4Tts7J_aSIgg";
const ENDPOINT = "https://push.example.com/send/abc";
const octets = (count: number, first = 4): string =>
  base64url(new Uint8Array(count).fill(first, 0, 1));

describe("a push subscription", () => {
  type Row = readonly [string, JsonObject, JsonObject, string];
  const long = (length: number): string => `https://p.example/${"a".repeat(length - 18)}`;
  const ROWS: readonly Row[] = [
    ["as a browser writes it", {}, {}, "accepted"],
    ["with an endpoint of 1024 characters", { endpoint: long(1024) }, {}, "accepted"],
    ["with a longer endpoint", { endpoint: long(1025) }, {}, "malformed_request"],
    ["at a port of its own", { endpoint: "https://p.example:8443/x" }, {}, "accepted"],
    ["over http", { endpoint: "http://push.example.com/send/abc" }, {}, "address_refused"],
    ["at no URL", { endpoint: "push.example.com" }, {}, "address_refused"],
    ["as a data URL", { endpoint: "data:text/plain,x" }, {}, "address_refused"],
    ["with a user", { endpoint: "https://u@push.example.com/x" }, {}, "address_refused"],
    ["with a password", { endpoint: "https://u:p@push.example.com/x" }, {}, "address_refused"],
    ["with a fragment", { endpoint: "https://push.example.com/x#y" }, {}, "address_refused"],
    ["in another spelling", { endpoint: "https://PUSH.example.com/x" }, {}, "malformed_request"],
    [
      "with the port that goes without saying",
      { endpoint: "https://push.example.com:443/x" },
      {},
      "malformed_request",
    ],
    ["with a decimal address", { endpoint: "https://2130706433/x" }, {}, "address_refused"],
    ["with a line break", { endpoint: "https://push.example.com/x\ny" }, {}, "address_refused"],
    ["without an endpoint", { endpoint: "" }, {}, "malformed_request"],
    ["with a member of another kind", { endpoint: 1 }, {}, "malformed_request"],
    ["with a member that nobody knows", { expirationTime: null }, {}, "malformed_request"],
    ["with a key that nobody knows", {}, { other: AUTH }, "malformed_request"],
    ["with a point that is short", {}, { p256dh: octets(64) }, "malformed_request"],
    ["with a point that is long", {}, { p256dh: octets(66) }, "malformed_request"],
    ["with a point that is no base64url", {}, { p256dh: `${POINT}=` }, "malformed_request"],
    ["with a point off the curve", {}, { p256dh: octets(65) }, "invalid_key"],
    ["with a compressed point", {}, { p256dh: `A${POINT.slice(1)}` }, "invalid_key"],
    ["with a secret of 15 octets", {}, { auth: octets(15) }, "malformed_request"],
    ["with a secret of 17 octets", {}, { auth: octets(17) }, "malformed_request"],
    ["without a secret", {}, { auth: "" }, "malformed_request"],
  ];
  it.each(ROWS)("%s", (_name, change, keyChange, wanted) => {
    const value = {
      endpoint: ENDPOINT,
      keys: { p256dh: POINT, auth: AUTH, ...keyChange },
      ...change,
    };
    expect(outcomeOf(() => readPushSubscription(nodeCrypto, value))).toBe(wanted);
  });
});
