import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  webhookHeaders,
  webhookSecretText,
} from "../../packages/server/src/notices/standard-webhooks.ts";
import { seededRandom } from "../../packages/server/src/world.testing.ts";

type Check = (
  headers: Readonly<Record<string, string>>,
  body: string,
  secret: string,
  now: number,
) => boolean;

/** What docs/operations.md gives to receivers, as it stands there. */
async function printed(): Promise<Check> {
  const page = fileURLToPath(new URL("../../docs/operations.md", import.meta.url));
  const [, code] = /^```js\n([^]*?isGenuine[^]*?)^```/m.exec(readFileSync(page, "utf8")) ?? [];
  if (code === undefined) throw new Error("the page has no such code");
  const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
  return ((await import(/* @vite-ignore */ url)) as { isGenuine: Check }).isGenuine;
}

const isGenuine = await printed();
const random = seededRandom("receiver");
const [NEW, OLD] = [random(32), random(32)];
const now = 1_800_000_000;
const body = '{"type":"request.waiting"}';
const signed = webhookHeaders([NEW, OLD], { id: "ntc_a", now, body });
const { "webhook-signature": signatures = "", ...unsigned } = signed;

describe("the check that docs/operations.md prints for receivers", () => {
  it.each([
    ["what we sign", {}, true],
    ["by the old secret, which signs too", { secret: OLD }, true],
    ["at the end of five minutes", { now: now + 300 }, true],
    ["after them", { now: now + 301 }, false],
    ["before its time", { now: now - 301 }, false],
    ["by another secret", { secret: random(32) }, false],
    ["with another body", { body: `${body} ` }, false],
    ["with another id", { headers: { ...signed, "webhook-id": "ntc_b" } }, false],
    ["with another time", { headers: { ...signed, "webhook-timestamp": String(now + 1) } }, false],
    ["with a time that is none", { headers: { ...signed, "webhook-timestamp": "0x1" } }, false],
    ["without a signature", { headers: unsigned }, false],
    ["without a time", { headers: { "webhook-id": "a", "webhook-signature": signatures } }, false],
    [
      "of another version",
      { headers: { ...signed, "webhook-signature": signatures.replaceAll("v1,", "v2,") } },
      false,
    ],
    ["cut short", { headers: { ...signed, "webhook-signature": "v1,AAAA" } }, false],
  ] as [
    string,
    Partial<{ now: number; secret: Uint8Array; body: string; headers: Record<string, string> }>,
    boolean,
  ][])("%s: %s", (_what, change, wanted) => {
    const given = { now, secret: NEW, body, headers: signed, ...change };
    const secret = webhookSecretText(given.secret);
    expect(isGenuine(given.headers, given.body, secret, given.now)).toBe(wanted);
  });
});
