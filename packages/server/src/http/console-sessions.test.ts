import type { JsonObject } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import type { Handler, Timers } from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  IDLE_SECONDS,
  OwnerSessions,
  SESSION_SECONDS,
  WRITES_A_MINUTE,
} from "../cases/owner-sessions.ts";
import { askedOfSeveral } from "../cases/quorum.testing.ts";
import type { Asked } from "../cases/quorum.testing.ts";
import { OwnerFeed } from "../feed/owner-feed.ts";
import { ENTRY_ID } from "../people.testing.ts";
import type { Owner } from "../people.testing.ts";
import { readAnswer, seededRandom } from "../world.testing.ts";
import type { Answered } from "../world.testing.ts";
import { consoleApp } from "./console.ts";
import type { PublicContext } from "./stop-codes.ts";

let scene: Asked;
let alice: Owner;
let sessions: OwnerSessions;
let feed: OwnerFeed;
let app: Handler<PublicContext>;
/** Waits that are moved by hand: only the ends of sessions are taken. */
let waiting: { readonly delayMs: number; readonly run: () => void }[];
const timers: Timers = {
  after: (delayMs, run) => {
    const wait = { delayMs, run };
    waiting.push(wait);
    return () => {
      waiting = waiting.filter((one) => one !== wait);
    };
  },
};

beforeEach(async () => {
  waiting = [];
  scene = await askedOfSeveral();
  ({ alice } = scene);
  sessions = new OwnerSessions(nodeCrypto, seededRandom("sessions"));
  feed = new OwnerFeed(scene.rig.world, timers);
  app = consoleApp(scene.rig.world, {
    feed,
    sessions,
    heeded: scene.rig.feed.heeded,
    site: new Map(),
  });
});
afterEach(async () => {
  feed.close();
  await scene.rig.close();
});

const begin = ({ id, jkt }: Owner = alice): string =>
  sessions.begin(id, jkt, scene.rig.now()).token;

function send(
  token: string,
  what: string,
  json?: JsonObject,
  signal: AbortSignal = new AbortController().signal,
): Promise<Response> {
  const [origin = ""] = scene.rig.world.config.consent.origins;
  const [method = "", path = ""] = what.split(" ");
  const headers = {
    host: new URL(origin).host,
    origin,
    "content-type": "application/json",
    "countersign-session": "cookie",
    cookie: `__Host-countersign=${token}`,
  };
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  return app(new Request(`${origin}${path}`, { method, headers, signal, ...body }), {});
}
const call = async (token: string, what: string, json?: JsonObject): Promise<Answered> =>
  readAnswer(await send(token, what, json));
const wordOf = async (token: string): Promise<string> =>
  (await call(token, "GET /v1/owner/me")).word;

describe("a session", () => {
  it("of one hour without a call is over; each call begins the hour anew", async () => {
    const token = begin();
    scene.rig.advance(IDLE_SECONDS - 1);
    expect(await wordOf(token)).toBe("200");
    scene.rig.advance(IDLE_SECONDS - 1);
    expect(await wordOf(token)).toBe("200");
    scene.rig.advance(IDLE_SECONDS);
    expect(await wordOf(token)).toBe("session_needed");
  });

  it("is in use while a stream of it is open, and over after eight hours all the same", async () => {
    const token = begin();
    await send(token, "GET /v1/owner/events");
    scene.rig.advance(SESSION_SECONDS - 1);
    expect(await wordOf(token)).toBe("200");
    scene.rig.advance(1);
    expect(await wordOf(token)).toBe("session_needed");
  });

  it("is in use no more once its stream is closed", async () => {
    const token = begin();
    const gone = new AbortController();
    await send(token, "GET /v1/owner/events", undefined, gone.signal);
    scene.rig.advance(IDLE_SECONDS);
    gone.abort();
    scene.rig.advance(IDLE_SECONDS - 1);
    expect(sessions.has(token, scene.rig.now())).toBe(true);
    scene.rig.advance(1);
    expect(await wordOf(token)).toBe("session_needed");
  });

  it("is ended everywhere by its owner, and no other owner's with it", async () => {
    const [one, two, other] = [begin(), begin(), begin(scene.bob)];
    const answer = await call(one, "POST /v1/owner/sign-out-everywhere", {});
    expect(answer.body).toEqual({ signed_out: true });
    expect(answer.headers.get("set-cookie")).toMatch(/Max-Age=0$/);
    for (const token of [one, two]) expect(await wordOf(token)).toBe("session_needed");
    expect(await wordOf(other)).toBe("200");
    expect((await call(one, "POST /v1/owner/sign-out-everywhere", {})).word).toBe("session_needed");
  });

  it("writes a hundred and twenty times a minute, reads on, and leaves his other sessions as they are", async () => {
    const [flood, other] = [begin(), begin()];
    const opened = `GET /v1/owner/requests/${scene.id}?jkt=${alice.jkt}`;
    const announced = { agent: "mailer" };
    for (let n = 0; n < WRITES_A_MINUTE; n += 2) {
      expect((await call(flood, opened)).word).toBe("200");
      expect((await call(flood, "POST /v1/owner/expectations", announced)).word).toBe("200");
    }
    const size = await scene.rig.world.store.logSize();
    expect((await call(flood, "POST /v1/owner/expectations", announced)).word).toBe("rate_limited");
    expect((await call(flood, opened)).word).toBe("rate_limited");
    expect(await wordOf(flood)).toBe("200");
    expect(await scene.rig.world.store.logSize()).toBe(size);
    expect((await call(other, "POST /v1/owner/halt", { scope: "owner" })).word).toBe("200");
    scene.rig.advance(60);
    expect((await call(flood, "POST /v1/owner/expectations", announced)).word).toBe("200");
  });

  it("stops, and signs out everywhere, however often it wrote", async () => {
    const flood = begin();
    const halt = { scope: "entry", target: ENTRY_ID };
    for (let n = 0; n <= WRITES_A_MINUTE; n += 1)
      expect((await call(flood, "POST /v1/owner/halt", halt)).word).toBe("200");
    const announced = { agent: "mailer" };
    for (let n = 0; n < WRITES_A_MINUTE; n += 1)
      await call(flood, "POST /v1/owner/expectations", announced);
    expect((await call(flood, "POST /v1/owner/expectations", announced)).word).toBe("rate_limited");
    expect((await call(flood, "POST /v1/owner/halt", halt)).word).toBe("200");
    expect((await call(flood, "POST /v1/owner/sign-out-everywhere", {})).word).toBe("200");
  });

  it("has no text made for another owner's key, and is not told how that key stands", async () => {
    const token = begin();
    const path = (jkt: string): string => `GET /v1/owner/requests/${scene.id}?jkt=${jkt}`;
    const posted = `POST /v1/owner/requests/${scene.id}/statement`;
    expect((await call(token, path(alice.jkt))).word).toBe("200");
    await scene.rig.world.store.commit({
      changes: [{ set: "ownerKey", jkt: scene.carol.jkt, fields: { suspendedAt: 1 } }],
    });
    for (const jkt of [scene.bob.jkt, scene.carol.jkt, "A".repeat(43)])
      for (const what of [
        () => call(token, path(jkt)),
        () => call(token, posted, { jkt, match: "42" }),
      ])
        expect((await what()).word).toBe("key_not_enrolled");
  });

  type End = readonly [string, (token: string) => Promise<unknown>];
  it.each<End>([
    ["signed out", (token) => call(token, "POST /v1/owner/sign-out", {})],
    [
      "signed out in another browser",
      () => call(begin(), "POST /v1/owner/sign-out-everywhere", {}),
    ],
    [
      "over, after eight hours",
      () => {
        scene.rig.advance(SESSION_SECONDS);
        const end = waiting.find(({ delayMs }) => delayMs === SESSION_SECONDS * 1000);
        return Promise.resolve(end?.run());
      },
    ],
    ["one too many of its owner", () => Promise.resolve(Array.from({ length: 10 }, () => begin()))],
    [
      "of a key that was removed",
      () => scene.rig.call("admin", `DELETE /v1/owner/keys/${alice.jkt}`),
    ],
  ])("that is %s hears nothing more: its stream of events is closed", async (_name, end) => {
    const token = begin();
    const response = await send(token, "GET /v1/owner/events");
    const told = response.text(); // until the stream is closed
    await end(token);
    await scene.bob.deny(scene.id);
    const said = await told;
    expect(said).toContain("event: inbox");
    expect(said).not.toContain("approval.denied");
    expect(waiting.filter(({ delayMs }) => delayMs === SESSION_SECONDS * 1000)).toEqual([]);
  });
});

describe("every answer of the console", () => {
  it.each([
    ["an answer", "GET /v1/owner/me", "200"],
    ["a refusal", "GET /v1/owner/requests/x", "not_found"],
    ["of what is not there", "GET /v1/nothing", "not_found"],
    ["to a method that is not there", "PUT /v1/owner/me", "method_not_allowed"],
  ])("is kept nowhere, stands in no frame and is no page: %s", async (_name, what, word) => {
    const { headers, word: said } = await call(begin(), what);
    expect(said).toBe(word);
    const of = (name: string): string => headers.get(name) ?? "";
    expect(of("cache-control")).toBe("no-store");
    expect(of("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
    expect(of("cross-origin-resource-policy")).toBe("same-origin");
    expect(of("cross-origin-opener-policy")).toBe("same-origin");
    expect(of("x-content-type-options")).toBe("nosniff");
    expect(of("x-frame-options")).toBe("DENY");
    expect(of("referrer-policy")).toBe("no-referrer");
    expect(of("strict-transport-security")).toBe("max-age=63072000");
    expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});
