import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall } from "./console-page.ts";
import { enrolPasskey, PAGES } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const USE = "POST /v1/stop-codes/use";

let whole: Whole;
let rig: Rig;
let codes: readonly string[];
beforeEach(async () => {
  whole = await makeWhole();
  ({ rig } = whole.scene);
  const { id } = await enrolPasskey(rig);
  const made = await rig.call("admin", "POST /v1/owner/stop-codes", { json: { owner: id } });
  codes = made.body["codes"] as readonly string[]; // as the server prints them
});
afterEach(() => whole.end());

const stops = async (): Promise<number> => (await rig.world.store.stops({ inForce: true })).length;

describe("a printed code at the console, without a session", () => {
  it("stops everything of its owner, once", async () => {
    const json = { code: codes[0], do: "stop" };
    const used = await pageCall(rig, USE, { json });
    expect(used.body).toMatchObject({ done: "stop", codes_left: 7 });
    expect(await stops()).toBe(1);
    expect((await pageCall(rig, USE, { json })).word).toBe("stop_code_invalid");
  });

  it.each<[string, object, string]>([
    ["another code", { code: "0000-0000-0000-0000", do: "stop" }, "stop_code_invalid"],
    ["no code", { do: "stop" }, "malformed_request"],
    ["something else to do", { do: "approve" }, "malformed_request"],
    ["a recovery that is not", { do: "cancel_recovery" }, "not_found"],
  ])("is refused: %s", async (_name, json, word) => {
    const code = "code" in json || word === "malformed_request" ? {} : { code: codes[0] };
    expect((await pageCall(rig, USE, { json: { ...code, ...json } })).word).toBe(word);
    expect(await stops()).toBe(0);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ["from another origin", { origin: "https://evil.example" }],
    ["from another site", { "sec-fetch-site": "cross-site" }],
    ["under another name", { host: "evil.example" }],
  ])("is not looked at %s", async (_name, headers) => {
    const [origin] = PAGES.origins;
    const here = { host: PAGES.rpId, origin, "sec-fetch-site": "same-origin" };
    const json = { code: codes[0], do: "stop" };
    const answer = await rig.call("console", USE, { json, headers: { ...here, ...headers } });
    expect(answer.word).toBe("origin_mismatch");
    expect(await stops()).toBe(0);
  });

  it("may be tried ten times a minute", async () => {
    const json = { code: "0000-0000-0000-0000", do: "stop" };
    for (let i = 0; i < 10; i += 1)
      expect((await pageCall(rig, USE, { json })).word).toBe("stop_code_invalid");
    const good = { code: codes[0], do: "stop" };
    expect((await pageCall(rig, USE, { json: good })).word).toBe("rate_limited");
    expect(await stops()).toBe(0);
  });
});
