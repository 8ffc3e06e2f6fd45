import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FLAG } from "../../packages/core/src/consent/authenticator.testing.ts";
import type { Otherwise } from "../../packages/core/src/consent/authenticator.testing.ts";
import {
  base64url,
  fromBase64url,
  readStatement,
  writeStatement,
} from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { readOpened } from "../../packages/console/src/opened.ts";
import { outcomeOf } from "../../packages/core/src/outcome.testing.ts";
import { checkEntry } from "../../packages/console/src/checked.ts";
import { logRow } from "../../packages/server/src/cases/record.ts";
import { SESSION_SECONDS } from "../../packages/server/src/cases/owner-sessions.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { BOUND, enrolPasskey, PAGES } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const [ORIGIN] = PAGES.origins;
const HOST = "consent.example.org";
const HERE = { host: HOST, origin: ORIGIN, "sec-fetch-site": "same-origin" };

const FAILED = "sign_in_failed";

let whole: Whole;
let rig: Rig;
let passkey: Passkey;
beforeEach(async () => {
  whole = await makeWhole();
  rig = whole.scene.rig;
  passkey = await enrolPasskey(rig);
});
afterEach(() => whole.end());

/** A call of the console's page; `cookie` is the session's. */
function call(
  what: string,
  json?: object,
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<Answered> {
  const sent = Object.entries({ ...HERE, "countersign-session": "cookie", ...headers }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return rig.call("console", what, {
    headers: Object.fromEntries(sent),
    ...(json === undefined ? {} : { json }),
  });
}

async function signInOf(
  otherwise: Otherwise & { readonly nonce?: string; readonly id?: string } = {},
): Promise<JsonObject> {
  const { body } = await call("POST /v1/owner/sign-in/nonce", {});
  const { nonce = textOf(body["nonce"]), ...rest } = otherwise;
  return passkey.signIn(nonce, rest);
}

const cookieIn = (answer: Answered): string =>
  (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";

async function signedIn(): Promise<string> {
  const answer = await call("POST /v1/owner/sign-in", await signInOf());
  expect(answer.word).toBe("200");
  return cookieIn(answer);
}

describe("signing in (owner.md 1.3)", () => {
  it("takes a passkey of the console, and keeps the session in a cookie that no script reads", async () => {
    const answer = await call("POST /v1/owner/sign-in", await signInOf());
    expect(answer.body).toEqual({ until: rig.now() + SESSION_SECONDS, jkt: passkey.jkt });
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Host-countersign=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=28800$/,
    );
    const me = await call("GET /v1/owner/me", undefined, { cookie: cookieIn(answer) });
    expect(me.body).toMatchObject({ owner: { id: passkey.id, name: "alice" }, jkt: passkey.jkt });
  });

  type Row = readonly [string, Parameters<typeof signInOf>[0], string];
  it.each<Row>([
    [
      "over a challenge that is not made from the nonce",
      { client: { challenge: "A".repeat(43) } },
      FAILED,
    ],
    ["at another origin", { client: { origin: "https://evil.test" } }, FAILED],
    ["for another RP ID", { rpId: "example.org" }, FAILED],
    ["without PIN or finger", { flags: FLAG.UP }, FAILED],
    ["without touch", { flags: FLAG.UV }, FAILED],
    ["with a credential that nobody has", { id: "AAAA" }, FAILED],
    [
      "with a nonce that was not made here",
      { nonce: base64url(new Uint8Array(40)) },
      "nonce_unknown",
    ],
  ])("refuses a passkey %s → %s", async (_name, otherwise, word) => {
    expect((await call("POST /v1/owner/sign-in", await signInOf(otherwise))).word).toBe(word);
  });

  it("refuses a sign-in that was used, with the answer of any other failure", async () => {
    const body = await signInOf();
    expect((await call("POST /v1/owner/sign-in", body)).word).toBe("200");
    expect((await call("POST /v1/owner/sign-in", body)).word).toBe(FAILED);
  });

  it("refuses a nonce of more than two minutes", async () => {
    const body = await signInOf();
    rig.advance(122);
    expect((await call("POST /v1/owner/sign-in", body)).word).toBe("nonce_expired");
  });

  it.each(["suspendedAt", "removedAt"])("refuses a key that has a %s", async (since) => {
    await rig.world.store.commit({
      changes: [{ set: "ownerKey", jkt: passkey.jkt, fields: { [since]: rig.now() } }],
    });
    expect((await call("POST /v1/owner/sign-in", await signInOf())).word).toBe(FAILED);
  });

  it("is never the signature of a statement, nor the other way round", async () => {
    expect((await whole.credential()).status).toBe(202);
    const [ask] = await rig.world.store.asks({ state: "asked" });
    const bytes = await passkey.open(ask?.id ?? "");
    const sig = (await signInOf())["sig"];
    const statement = base64url(bytes);
    const posted = { decision: "approve", statement, sig };
    const what = `POST /v1/owner/requests/${ask?.id ?? ""}/decision`;
    expect((await rig.call("admin", what, { json: posted })).word).toBe("challenge_mismatch");
    const body = { ...(await signInOf()), sig: await passkey.sign(bytes) };
    expect((await call("POST /v1/owner/sign-in", body)).word).toBe(FAILED);
  });
});

describe("a session", () => {
  let cookie: string;
  let id: string;
  beforeEach(async () => {
    cookie = await signedIn();
    expect((await whole.credential()).status).toBe(202);
    id = (await rig.world.store.asks({ state: "asked" }))[0]?.id ?? "";
  });

  it("reads the owner's requests, opens one, and denies it", async () => {
    const { body } = await call("GET /v1/owner/requests", undefined, { cookie });
    expect(body["requests"]).toMatchObject([{ id, owner: passkey.id, state: "asked" }]);
    const opened = await call(`GET /v1/owner/requests/${id}?jkt=${passkey.jkt}`, undefined, {
      cookie,
    });
    expect(opened.body).toMatchObject({ id, jcs: expect.any(String), request: expect.any(String) });
    const denied = await call(
      `POST /v1/owner/requests/${id}/decision`,
      { decision: "deny" },
      { cookie },
    );
    expect(denied.body).toMatchObject({ state: "denied" });
  });

  it("is shown a request by its page only where all of it fits together", async () => {
    const path = `GET /v1/owner/requests/${id}?jkt=${passkey.jkt}`;
    const { body } = await call(path, undefined, { cookie });
    const { issuer, trustDomain } = rig.world.config;
    const signing = { jkt: passkey.jkt, owner: passkey.id, place: { issuer, trustDomain } };
    const opened = await readOpened(c, body, signing);
    expect(opened.body.agent.id).toBe(body["agent"]);
    expect(opened.rendering.cs).toBe(body["digest"]);
    const other = await enrolPasskey(rig, BOUND, { key: generateSigner(), coSigners: [passkey] });
    const statement = fromBase64url(textOf(body["jcs"]));
    const changed = statement.map((octet, at) => (at === statement.length - 3 ? octet ^ 1 : octet));
    const denial = writeStatement(c, { ...opened.body, decision: "deny" }).bytes;
    const typed = { ...opened.body, view: { ...opened.body.view, match: "42" } };
    const withDigits = writeStatement(c, typed).bytes;
    const unsuitable = "approval_unsuitable";
    type Unfit = readonly [name: string, view: JsonObject, signing: object, code: string];
    const rows: readonly Unfit[] = [
      ["for another key", body, { jkt: other.jkt }, unsuitable],
      ["for another owner", body, { owner: "urn:agent-owner:example.org:another1" }, unsuitable],
      [
        "for another server",
        body,
        { place: { issuer: "https://id.test", trustDomain } },
        unsuitable,
      ],
      ["for another domain", body, { place: { issuer, trustDomain: "test.org" } }, unsuitable],
      ["that is a denial", { ...body, jcs: base64url(denial) }, {}, unsuitable],
      ["with digits that nobody typed", { ...body, jcs: base64url(withDigits) }, {}, unsuitable],
      [
        "with other digits than he typed",
        { ...body, jcs: base64url(withDigits) },
        { typed: "24" },
        unsuitable,
      ],
      [
        "with the digits that he typed",
        { ...body, jcs: base64url(withDigits) },
        { typed: "42" },
        "accepted",
      ],
      ["with one octet changed", { ...body, jcs: base64url(changed) }, {}, "statement_invalid"],
      [
        "with another R",
        { ...body, request: (await whole.scene.host.make()).request },
        {},
        unsuitable,
      ],
      [
        "under the name of another agent",
        { ...body, entry: "spiffe://example.org/agent/printer" },
        {},
        unsuitable,
      ],
      [
        "under the name of another host",
        { ...body, proxy: "spiffe://example.org/proxy/host-2" },
        {},
        unsuitable,
      ],
    ];
    for (const [name, view, change, code] of rows) {
      const got = await outcomeOf(() => readOpened(c, view, { ...signing, ...change }));
      expect([name, got]).toEqual([name, code]);
    }
  });

  it("does not grant: only the signature does", async () => {
    const statement = base64url(await passkey.open(id));
    const other = generateSigner();
    const sig = { ...(await passkey.sign(new Uint8Array(3), other)) };
    const posted = { decision: "approve", statement, sig };
    const answer = await call(`POST /v1/owner/requests/${id}/decision`, posted, { cookie });
    expect(answer.word).toBe("challenge_mismatch");
    expect(await rig.world.store.grants()).toEqual([]);
  });

  it("stops everything of its owner at once", async () => {
    const { body } = await call("POST /v1/owner/halt", { scope: "owner" }, { cookie });
    expect(body).toMatchObject({ scope: "owner", target: passkey.id });
    expect(await rig.world.store.stops({ inForce: true })).toMatchObject([{ target: passkey.id }]);
    const { body: after } = await call("GET /v1/owner/agents", undefined, { cookie });
    expect(after["agents"]).toMatchObject([{ state: "stopped" }]);
  });

  it.each<readonly [string, object]>([
    ["everything, and somebody", { scope: "owner", target: "spiffe://example.org/agent/mailer" }],
    ["an agent that is not named", { scope: "entry" }],
    ["a whole trust domain", { scope: "domain" }],
    ["with a reason", { scope: "owner", reason: "drill" }],
  ])("does not stop %s → malformed_request", async (_name, json) => {
    expect((await call("POST /v1/owner/halt", json, { cookie })).word).toBe("malformed_request");
    expect(await rig.world.store.stops({ inForce: true })).toEqual([]);
  });

  it("does not stop by a body that is longer than any stop", async () => {
    const json = { scope: "entry", target: "a".repeat(4096) };
    expect((await call("POST /v1/owner/halt", json, { cookie })).word).toBe("too_large");
  });

  it("sees one agent with what was signed for it, and what it got", async () => {
    await passkey.approve(id);
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const { body } = await call("GET /v1/owner/agents/mailer", undefined, { cookie });
    const [grant] = body["grants"] as JsonObject[];
    const statement = readStatement(c, fromBase64url(textOf(grant?.["statement"])));
    expect(statement.cs).toBe(grant?.["cs"]);
    expect(grant).toMatchObject({ issued: 1, sig: { k: "webauthn" }, key: { app: PAGES.rpId } });
    expect(body["credentials"]).toMatchObject([{ n: 1, cs: statement.cs }]);
    expect((await call("GET /v1/owner/agents/nobody", undefined, { cookie })).word).toBe(
      "not_found",
    );
  });

  it("sees and stops nothing of another owner", async () => {
    await rig.world.store.commit({
      changes: [
        {
          put: "owner",
          row: {
            id: "urn:agent-owner:example.org:another1",
            name: "bob",
            kind: "person",
            createdAt: rig.now(),
          },
        },
      ],
    });
    const entry = await rig.world.store.entry("spiffe://example.org/agent/mailer");
    if (entry === undefined) return expect.fail("no entry");
    const body = { ...entry.body, owner: "urn:agent-owner:example.org:another1" };
    await rig.world.store.commit({
      changes: [{ put: "entry", row: { ...entry, body, version: entry.version + 1 } }],
    });
    const halt = { scope: "entry", target: entry.id };
    expect((await call("POST /v1/owner/halt", halt, { cookie })).word).toBe("not_found");
    const seen = await call("GET /v1/owner/agents/mailer", undefined, { cookie });
    expect(seen.word).toBe("not_found");
  });

  it("shows the owner's entries of the log with proofs that a browser checks, and nobody else's", async () => {
    await rig.world.store.commit({
      log: logRow(rig.world, {
        type: "key.added",
        t: rig.now(),
        actor: "admin",
        record: { v: 1, owner: "urn:agent-owner:example.org:another1", key: "k" },
        forms: [{ name: "key", salt: new Uint8Array(16), payload: new Uint8Array(32) }],
      }),
      changes: [],
    });
    const { body } = await call("GET /v1/owner/log", undefined, { cookie });
    const entries = body["entries"] as JsonObject[];
    expect(entries.map((entry) => entry["type"])).toEqual([
      "approval.asked",
      "key.added",
      "entry.added",
      "key.added",
    ]);
    expect(JSON.stringify(entries)).not.toContain("another1");
    const { vkey } = body["log"] as { vkey: string };
    const checked = await Promise.all(entries.map((entry) => checkEntry(c, entry, vkey)));
    expect(checked.slice(0, 2)).toMatchObject([
      { record: { owner: passkey.id } },
      { record: { key: passkey.jkt } },
    ]);
    expect(checked.filter(({ problem }) => problem !== undefined)).toEqual([]);
    const [first] = entries;
    const other = entries[1] ?? {};
    const rows: readonly (readonly [name: string, change: JsonObject])[] = [
      ["the record", { record: textOf(first?.["record"]).replace("mailer", "mailor") }],
      ["its time", { t: rig.now() + 1 }],
      ["its kind", { type: "approval.approved" }],
      ["its place", { seq: Number(first?.["seq"]) + 1 }],
      ["the salt", { salts: { record: base64url(new Uint8Array(16)) } }],
      ["the proof of another", { proof: other["proof"] ?? "" }],
      ["the leaf of another", { leaf: other["leaf"] ?? "" }],
    ];
    for (const [name, change] of rows)
      expect({
        name,
        problem: (await checkEntry(c, { ...first, ...change }, vkey)).problem,
      }).toEqual({
        name,
        problem: expect.any(String) as unknown,
      });
  });

  it("gives as many entries of the log as are asked for, and says where to go on", async () => {
    const get = async (query: string): Promise<JsonObject> =>
      (await call(`GET /v1/owner/log?${query}`, undefined, { cookie })).body;
    const seqs = ({ entries }: JsonObject): readonly unknown[] =>
      (entries as JsonObject[]).map(({ seq }) => seq);
    const all = seqs(await get("count=250"));
    expect(all.length).toBeGreaterThan(1);
    const first = await get("count=1");
    expect(seqs(first)).toEqual(all.slice(0, 1));
    expect(seqs(await get(`before=${Number(first["next"])}&count=2`))).toEqual(all.slice(1, 3));
  });

  it.each([
    ["before=x"],
    ["before=-1"],
    ["before=0"],
    ["before=99999"],
    ["count=0"],
    ["count=251"],
    ["count=1e2"],
  ])("reads no log of %s", async (query) => {
    const answer = await call(`GET /v1/owner/log?${query}`, undefined, { cookie });
    expect(answer.word).toBe("malformed_request");
  });

  it("ends when it is over, and when its owner leaves", async () => {
    expect((await call("POST /v1/owner/sign-out", {}, { cookie })).word).toBe("200");
    expect((await call("GET /v1/owner/me", undefined, { cookie })).word).toBe("session_needed");
    const again = await signedIn();
    rig.advance(SESSION_SECONDS);
    expect((await call("GET /v1/owner/me", undefined, { cookie: again })).word).toBe(
      "session_needed",
    );
  });

  type Row = readonly [string, Readonly<Record<string, string | undefined>>, string];
  const PLACE = "origin_mismatch";
  it.each<Row>([
    ["as the page makes it", {}, "200"],
    ["without a cookie", { cookie: undefined }, "session_needed"],
    ["with another cookie", { cookie: `__Host-countersign=${"A".repeat(43)}` }, "session_needed"],
    [
      "without the header that another page cannot send",
      { "countersign-session": undefined },
      "session_needed",
    ],
    ["to another name of this machine", { host: "rebound.test" }, PLACE],
    ["to another port", { host: `${HOST}:8443` }, PLACE],
    ["without a name", { host: undefined }, PLACE],
    ["from another origin", { origin: "https://evil.test" }, PLACE],
    ["from an origin that is the console's at another port", { origin: `${ORIGIN}:8443` }, PLACE],
    ["from nobody", { origin: undefined }, PLACE],
    ["from another site", { "sec-fetch-site": "cross-site" }, PLACE],
    ["from another origin of this site", { "sec-fetch-site": "same-site" }, PLACE],
  ])("a stop %s → %s", async (_name, headers, word) => {
    const answer = await call("POST /v1/owner/halt", { scope: "owner" }, { cookie, ...headers });
    expect(answer.word).toBe(word);
    expect(await rig.world.store.stops({ inForce: true })).toHaveLength(word === "200" ? 1 : 0);
  });

  it.each([
    ["GET /v1/owner/me"],
    ["GET /v1/owner/requests"],
    ["GET /v1/owner/requests/x"],
    ["POST /v1/owner/requests/x/decision"],
    ["GET /v1/owner/events"],
    ["GET /v1/owner/agents"],
    ["GET /v1/owner/agents/mailer"],
    ["GET /v1/owner/log"],
    ["POST /v1/owner/halt"],
  ])("%s needs one", async (what) => {
    const json = what.startsWith("POST") ? {} : undefined;
    expect((await call(what, json)).word).toBe("session_needed");
  });
});

describe("the pages", () => {
  it("come with a policy that allows nothing but themselves", async () => {
    const { headers, text } = await call("GET /");
    expect(text).toBe("<!doctype html>");
    expect((headers.get("content-security-policy") ?? "").split("; ").toSorted()).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
      "trusted-types push-worker",
      "worker-src 'self'",
    ]);
    expect(headers.get("permissions-policy")).toBe(
      "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()",
    );
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("cache-control")).toBe("no-cache");
    expect((await call("GET /assets/a.js")).headers.get("cache-control")).toMatch(/immutable/);
  });

  type Followed = readonly [string, string, Readonly<Record<string, string | undefined>>, string];
  const LINK = {
    origin: undefined,
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
  };
  it.each<Followed>([
    ["a link in a message is followed", "GET /", LINK, "200"],
    [
      "it stands in another's frame",
      "GET /",
      { ...LINK, "sec-fetch-dest": "iframe" },
      "origin_mismatch",
    ],
    [
      "another's page fetches it",
      "GET /",
      { ...LINK, "sec-fetch-mode": "no-cors" },
      "origin_mismatch",
    ],
    ["the link is to a call", "GET /v1/owner/console", LINK, "origin_mismatch"],
    ["another's form posts there", "POST /v1/owner/sign-out", LINK, "origin_mismatch"],
    [
      "the link has another name of this machine",
      "GET /",
      { ...LINK, host: "rebound.test" },
      "origin_mismatch",
    ],
  ])("where %s → $3", async (_name, what, headers, word) => {
    expect((await call(what, undefined, headers)).word).toBe(word);
  });

  it.each([
    ["a file that is not there", "GET /assets/b.js"],
    ["a path that climbs", "GET /assets/..%2f..%2fserver.yaml"],
    ["what a related origin would need", "GET /.well-known/webauthn"],
  ])("are all there is: %s", async (_name, what) => {
    expect((await call(what)).word).toBe("not_found");
  });
});
