import { isHash } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { approvedScene } from "../cases/scene.testing.ts";
import type { Scene } from "../cases/scene.testing.ts";
import { d, ENTRY_ID } from "../people.testing.ts";
import { entryOf, textOf } from "../world.testing.ts";

type App = "api" | "admin" | "public";
let scene: Scene & { readonly cs: `sha-256:${string}` };
let jti = "";
beforeAll(async () => {
  scene = await approvedScene();
  jti = textOf((await scene.host.ask({ cs: scene.cs })).body["jti"]);
});
afterAll(() => scene.rig.close());

const ENDPOINTS: readonly (readonly [App, string])[] = [
  ["api", "POST /v1/nonce"],
  ["api", "POST /v1/credential-requests"],
  ["api", "POST /v1/presigned-consents"],
  ["api", "GET /v1/state"],
  ["api", "GET /.well-known/est/cacerts"],
  ["api", "POST /.well-known/est/simpleenroll"],
  ["api", "POST /.well-known/est/simplereenroll"],
  ["admin", "GET /v1/status"],
  ["admin", "GET /metrics"],
  ["admin", "POST /v1/join-tokens"],
  ["admin", "GET /v1/owners"],
  ["admin", "POST /v1/owner/keys/options"],
  ["admin", "POST /v1/owner/keys/webauthn/options"],
  ["admin", "POST /v1/owner/keys/webauthn/verify"],
  ["admin", "DELETE /v1/owner/keys/x"],
  ["admin", "POST /v1/owner/keys/x/resume"],
  ["admin", "GET /v1/owner/requests"],
  ["admin", "GET /v1/owner/requests/x"],
  ["admin", "POST /v1/owner/requests/x/statement"],
  ["admin", "POST /v1/owner/requests/x/decision"],
  ["admin", "DELETE /v1/halts/x"],
  ["admin", "GET /v1/grants"],
  ["admin", "GET /v1/credentials"],
  ["admin", "GET /v1/log"],
  ["admin", "GET /v1/log/0"],
  ["public", "GET /bundle"],
  ["public", "GET /jwks"],
  ["public", "GET /e/x"],
  ["public", "GET /e/x/y"],
  ["public", "GET /log/checkpoint"],
  ["public", "GET /log/entry/0"],
  ["public", "GET /log/proof/0"],
  ["public", "GET /healthz"],
  ["public", "GET /readyz"],
];

describe("every endpoint", () => {
  it.each(ENDPOINTS)("%s %s: another method → method_not_allowed", async (app, what) => {
    const [, path = ""] = what.split(" ");
    expect((await scene.rig.call(app, `PUT ${path}`)).word).toBe("method_not_allowed");
    expect((await scene.rig.call(app, `PATCH ${path}`)).word).toBe("method_not_allowed");
  });

  it.each<readonly [App, string]>([
    ["api", "GET /v1/status"],
    ["api", "GET /bundle"],
    ["admin", "POST /v1/nonce"],
    ["public", "GET /v1/log"],
    ["public", "GET /"],
  ])("%s has no %s", async (app, what) => {
    expect((await scene.rig.call(app, what)).word).toBe("not_found");
  });
});

const AS_HOST = new Set([
  "POST /v1/nonce",
  "POST /v1/credential-requests",
  "POST /v1/presigned-consents",
]);
const TAKES_JSON: readonly (readonly [App, string])[] = [
  ["api", "POST /v1/nonce"],
  ["api", "POST /v1/credential-requests"],
  ["api", "POST /v1/presigned-consents"],
  ["admin", "POST /v1/entries"],
  ["admin", "POST /v1/join-tokens"],
  ["admin", "POST /v1/owner/keys/options"],
  ["admin", "POST /v1/owner/keys/webauthn/options"],
  ["admin", "POST /v1/owner/keys/webauthn/verify"],
  ["admin", "POST /v1/owner/keys"],
  ["admin", "POST /v1/owner/requests/x/statement"],
  ["admin", "POST /v1/owner/requests/x/decision"],
  ["admin", "POST /v1/halts"],
];
const BODIES: readonly (readonly [string, { raw: string; type?: string }, string])[] = [
  ["no JSON", { raw: "{" }, "malformed_json"],
  ["a list", { raw: "[]" }, "malformed_json"],
  ["a member twice", { raw: '{"a":1,"a":1}' }, "malformed_json"],
  ["an unknown member", { raw: '{"nobody_knows":1}' }, "malformed_request"],
  ["another media type", { raw: "{}", type: "text/plain" }, "unsupported_media_type"],
  ["a form", { raw: "a=b", type: "application/x-www-form-urlencoded" }, "unsupported_media_type"],
  ["too much", { raw: JSON.stringify({ a: "x".repeat(65_536) }) }, "too_large"],
  ["too deep", { raw: `${'{"a":'.repeat(20)}1${"}".repeat(20)}` }, "malformed_json"],
];

describe.each(TAKES_JSON)("%s %s takes one strict JSON object", (app, what) => {
  it.each(BODIES)("not %s → %#", async (_name, given, word) => {
    const { certificate } = scene.host;
    const answer = await scene.rig.call(app, what, {
      ...given,
      ...(AS_HOST.has(what) ? { certificate } : {}),
    });
    expect(answer.word).toBe(word);
  });
});

const ENTRY = entryOf({ owner: "urn:agent-owner:example.org:nobody-0001" });
describe("what admin calls refuse", () => {
  it.each<readonly [string, string, JsonObject | undefined, string]>([
    ["an entry of an owner nobody enrolled", "POST /v1/entries", ENTRY, "not_found"],
    [
      "an entry of another trust domain",
      "POST /v1/entries",
      { ...entryOf({ binding: "none" }), id: "spiffe://example.com/agent/mailer" },
      "malformed_request",
    ],
    [
      "an entry on a proxy of another trust domain",
      "POST /v1/entries",
      { ...entryOf({ binding: "none" }), proxy: "spiffe://example.com/proxy/host-1" },
      "malformed_request",
    ],
    [
      "a fixed door of an unknown mode",
      "POST /v1/entries",
      { ...entryOf({ binding: "none", door: "fixed" }), door_mode: "0777" },
      "malformed_request",
    ],
    [
      "an entry that is not there, removed",
      "DELETE /v1/entries/nobody",
      undefined,
      "entry_unknown",
    ],
    [
      "a join token for two days",
      "POST /v1/join-tokens",
      { name: "x", life: 172_800 },
      "malformed_request",
    ],
    [
      "a join token for no time",
      "POST /v1/join-tokens",
      { name: "x", life: 0 },
      "malformed_request",
    ],
    [
      "a halt of a scope nobody knows",
      "POST /v1/halts",
      { scope: "planet", target: "x", reason: "" },
      "malformed_request",
    ],
    ["a halt that is not there, lifted", "DELETE /v1/halts/x", undefined, "not_found"],
    ...["", "-1", "1e3", "01", "1001", "99999"].map(
      (typed) =>
        [
          "so many decided ones",
          `GET /v1/owner/requests?decided=${typed}`,
          undefined,
          "malformed_request",
        ] as const,
    ),
    ["digits in an address", "GET /v1/owner/requests/x?match=42", undefined, "malformed_request"],
    [
      "digits that are a number",
      "POST /v1/owner/requests/x/statement",
      { jkt: "A".repeat(43), match: 42 },
      "malformed_request",
    ],
    [
      "digits for no key",
      "POST /v1/owner/requests/x/statement",
      { match: "42" },
      "malformed_request",
    ],
    [
      "digits of nothing",
      "POST /v1/owner/requests/x/statement",
      { jkt: "A".repeat(43), match: "42" },
      "not_found",
    ],
    [
      "a decision that is none",
      "POST /v1/owner/requests/x/decision",
      { decision: "maybe" },
      "malformed_request",
    ],
    [
      "a denial with a signature",
      "POST /v1/owner/requests/x/decision",
      { decision: "deny", sig: {} },
      "malformed_request",
    ],
    [
      "an approval without one",
      "POST /v1/owner/requests/x/decision",
      { decision: "approve", statement: "AA" },
      "malformed_request",
    ],
    [
      "a denial of nothing",
      "POST /v1/owner/requests/x/decision",
      { decision: "deny" },
      "not_found",
    ],
    [
      "requests of an owner nobody knows",
      "GET /v1/owner/requests?owner=nobody",
      undefined,
      "not_found",
    ],
    ["a log row that is none", "GET /v1/log/x", undefined, "malformed_request"],
    ["a log row that is not yet", "GET /v1/log/999", undefined, "not_found"],
    ["a log from nowhere", "GET /v1/log?from=-1", undefined, "malformed_request"],
    [
      "a key that is RSA",
      "POST /v1/owner/keys/options",
      { name: "bob", kind: "person", jwk: { kty: "RSA", n: "AA", e: "AQAB" } },
      "invalid_key",
    ],
    [
      "a private key",
      "POST /v1/owner/keys/options",
      {
        name: "bob",
        kind: "person",
        jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43), d: "A".repeat(43) },
      },
      "invalid_key",
    ],
    [
      "an owner of another kind",
      "POST /v1/owner/keys/options",
      { name: "alice", kind: "policy", jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } },
      "name_taken",
    ],
  ])("%s → %#", async (_name, what, json, word) => {
    const answer = await scene.rig.call("admin", what, json === undefined ? {} : { json });
    expect(answer.word).toBe(word);
  });
});

describe("what admin calls answer", () => {
  it.each<readonly [string, (s: typeof scene) => object]>([
    [
      "GET /v1/status",
      () => ({
        trust_domain: "example.org",
        policy: "standard",
        development: false,
        proxies: [{ state: "enrolled", forked: false }],
      }),
    ],
    [
      "GET /v1/entries",
      ({ host }) => ({ entries: [{ id: ENTRY_ID, version: 1, agents: [host.agent] }] }),
    ],
    [
      "GET /v1/owners",
      ({ owner }) => ({
        owners: [{ id: owner.id, name: "alice", keys: [{ jkt: owner.jkt, software: true }] }],
      }),
    ],
    ["GET /v1/grants", ({ cs }) => ({ grants: [{ cs, issued: 1 }] })],
    ["GET /v1/credentials", () => ({ credentials: [{ jti, n: 1 }] })],
    [`GET /v1/credentials?agent=x`, () => ({ credentials: [] })],
    ["GET /v1/owner/requests", () => ({ requests: [] })],
    ["GET /v1/owner/requests?all=1&owner=alice", () => ({ requests: [{ state: "approved" }] })],
    ["GET /v1/owner/requests?decided=1", () => ({ requests: [{ state: "approved" }] })],
    ["GET /v1/owner/requests?decided=0", () => ({ requests: [] })],
    ["GET /v1/halts", () => ({ stops: [] })],
    ["GET /v1/log?from=0&to=2", () => ({ rows: [{ seq: 0 }, { seq: 1 }] })],
  ])("%s", async (what, wanted) => {
    const answer = await scene.rig.call("admin", what);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.body).toMatchObject(wanted(scene));
  });

  it("GET /v1/log never more than a thousand rows, and no token in any", async () => {
    const { text } = await scene.rig.call("admin", "GET /v1/log?from=0&to=99999999");
    expect(text).not.toMatch(/eyJ[\w-]{20,}\.[\w-]{20}/); // a compact JWS
  });

  it("GET /metrics", async () => {
    const answer = await scene.rig.call("admin", "GET /metrics");
    expect([answer.status, answer.type]).toEqual([200, "text/plain; version=0.0.4"]);
  });
});

describe("what everybody may read", () => {
  it("bundle and keys, with an entity tag", async () => {
    for (const what of ["GET /bundle", "GET /jwks"]) {
      const one = await scene.rig.call("public", what);
      const etag = one.headers.get("etag") ?? "";
      const two = await scene.rig.call("public", what, { headers: { "if-none-match": etag } });
      expect([one.status, two.status, two.text]).toEqual([200, 304, ""]);
      expect(one.text).not.toContain('"d"');
    }
  });

  it("evidence by its digest", async () => {
    const cs = scene.cs.slice("sha-256:".length);
    expect(isHash(cs)).toBe(true);
    const approval = await scene.rig.call("public", `GET /e/${cs}`);
    expect(approval.headers.get("cache-control")).toContain("immutable");
    expect(approval.body).toMatchObject({ v: 1, enr: [] });
    expect((await scene.rig.call("public", `GET /e/${cs}/${jti}`)).body).toMatchObject({
      v: 1,
      jti,
      cs: scene.cs,
    });
  });

  it.each<readonly [string, string]>([
    ["no digest", "GET /e/x"],
    ["a digest nobody signed", `GET /e/${d(9).slice(8)}`],
    ["a credential of another approval", `GET /e/${d(9).slice(8)}/x`],
    ["a log row that is not yet", "GET /log/entry/999"],
    ["a log row that is none", "GET /log/entry/x"],
    ["a proof of what is not yet", "GET /log/proof/999"],
    ["a proof of none", "GET /log/proof/-1"],
  ])("T51: %s → not_found", async (_name, what) => {
    expect((await scene.rig.call("public", what)).word).toBe("not_found");
  });

  it("a credential that is not there → the same answer", async () => {
    const cs = scene.cs.slice("sha-256:".length);
    const [there, not] = [
      await scene.rig.call("public", `GET /e/${cs}/AAAAAAAAAAAAAAAAAAAAAA`),
      await scene.rig.call("public", `GET /e/${d(9).slice(8)}/AAAAAAAAAAAAAAAAAAAAAA`),
    ];
    expect([there.word, there.text]).toEqual(["not_found", not.text]);
  });

  it("log: checkpoint, entry and proof", async () => {
    const checkpoint = await scene.rig.call("public", "GET /log/checkpoint");
    expect(checkpoint.text.split("\n")[0]).toBe("id.example.org/log");
    const entry = await scene.rig.call("public", "GET /log/entry/0");
    expect(entry.type).toBe("application/agent-audit+json");
    expect((await scene.rig.call("public", "GET /log/proof/0")).text).toContain(
      "c2sp.org/tlog-proof@v1",
    );
  });
});

describe("evidence that the agent carries", () => {
  it("T50: is not published", async () => {
    const carried = await approvedScene({}, { evidence: "carried" });
    const { body } = await carried.host.ask({ cs: carried.cs });
    expect(body["bundle"]).toHaveProperty("approval");
    const cs = carried.cs.slice("sha-256:".length);
    expect((await carried.rig.call("public", `GET /e/${cs}`)).word).toBe("not_found");
    expect((await carried.rig.call("public", `GET /e/${cs}/${textOf(body["jti"])}`)).word).toBe(
      "not_found",
    );
    await carried.rig.close();
  });
});
