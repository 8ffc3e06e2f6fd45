import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { d, ENTRY, OWNER } from "./attested.testing.ts";
import { readEntry, writeEntry } from "./entry.ts";
import type { Entry } from "./entry.ts";

const WIRE = writeEntry(ENTRY) as JsonObject; // the writer makes plain JSON
const { owner: _owner, ...UNBOUND } = WIRE;
const GRANT = WIRE["grant"] as JsonObject; // as above

const without = (object: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const grant = (change: JsonObject): JsonObject => ({ ...WIRE, grant: { ...GRANT, ...change } });
const bad = "malformed_request";

/** They stand behind `OWNER` in the order of ids. */
const BOB = "urn:agent-owner:example.org:zz-bob-0001";
const CAROL = "urn:agent-owner:example.org:zz-carol-01";
const CROWD = Array.from(
  { length: 16 },
  (_, i) => `urn:agent-owner:example.org:zz-owner-${String(i).padStart(2, "0")}`,
);
const UNIT: JsonObject = { ...WIRE, door: "unit", unit: "mailer.service" };

const MEMBERS = Object.keys(WIRE);
const ROWS: readonly (readonly [string, Json, string])[] = [
  ["as written", WIRE, "accepted"],
  ["no object", [], bad],
  ...MEMBERS.map((name) => [`${name} absent`, without(WIRE, name), bad] as const),
  ...Object.keys(GRANT).map(
    (name) => [`grant.${name} absent`, { ...WIRE, grant: without(GRANT, name) }, bad] as const,
  ),
  ["a member nobody knows", { ...WIRE, more: 1 }, bad],
  ["a term nobody knows", grant({ more: 1 }), bad],
  ["id of a proxy", { ...WIRE, id: "spiffe://example.org/proxy/host-1" }, bad],
  ["id of an agent", { ...WIRE, id: "spiffe://example.org/agent/mailer/0011" }, bad],
  ["id in upper case", { ...WIRE, id: "spiffe://example.org/agent/Mailer" }, bad],
  ["proxy of another kind", { ...WIRE, proxy: "spiffe://example.org/server" }, bad],
  ...(
    [
      ["two of three owners", { m: 2, owners: [OWNER, BOB, CAROL] }, "accepted"],
      ["all of two owners", { m: 2, owners: [OWNER, BOB] }, "accepted"],
      ["one of two owners", { m: 1, owners: [OWNER, BOB] }, bad],
      ["more than there are owners", { m: 3, owners: [OWNER, BOB] }, bad],
      ["no number of owners", { owners: [OWNER, BOB] }, bad],
      ["no list of owners", { m: 2 }, bad],
      ["two owners who are others", { m: 2, owners: [BOB, CAROL] }, bad],
      ["owners who are not sorted", { m: 2, owners: [BOB, OWNER] }, bad],
      ["an owner twice", { m: 2, owners: [OWNER, OWNER] }, bad],
      ["an owner who is none", { m: 2, owners: [OWNER, "zz"] }, bad],
      ["seventeen owners", { m: 2, owners: [OWNER, ...CROWD] }, bad],
      ["sixteen owners", { m: 2, owners: [OWNER, ...CROWD.slice(1)] }, "accepted"],
      ["a weight of owners", { m: 2, owners: [OWNER, BOB], weight: 1 }, bad],
    ] as const
  ).map(([name, parties, word]) => [name, { ...WIRE, parties }, word] as const),
  [
    "several owners without one who is asked first",
    { ...UNBOUND, binding: "none", parties: { m: 2, owners: [OWNER, BOB] } },
    bad,
  ],
  ["uid −1", { ...WIRE, uid: -1 }, bad],
  ["uid 0", { ...WIRE, uid: 0 }, "accepted"],
  ["nobody's uid", { ...WIRE, uid: 0xffff_ffff }, bad],
  ["unknown door", { ...WIRE, door: "window" }, bad],
  ["door of a unit", UNIT, "accepted"],
  ["door of a unit that is not named", { ...WIRE, door: "unit" }, bad],
  ["unit of a run door", { ...UNIT, door: "run" }, bad],
  ["unit of a fixed door", { ...UNIT, door: "fixed" }, bad],
  ["mode of a unit door", { ...UNIT, door_mode: "0660" }, "accepted"],
  ["an instance of a template", { ...UNIT, unit: "mail@a\\x2db.service" }, "accepted"],
  ["a template without an instance", { ...UNIT, unit: "mail@.service" }, bad],
  ["a unit of two instances", { ...UNIT, unit: "a@b@c.service" }, bad],
  ["a unit with a backslash that escapes nothing", { ...UNIT, unit: "a\\b.service" }, bad],
  ["a unit that is no service", { ...UNIT, unit: "mailer.scope" }, bad],
  ["a unit that is a path", { ...UNIT, unit: "a/mailer.service" }, bad],
  ["a unit with a line end", { ...UNIT, unit: "mailer.service\n" }, bad],
  ["a unit without a name", { ...UNIT, unit: ".service" }, bad],
  ["a unit of 255 characters", { ...UNIT, unit: `${"a".repeat(247)}.service` }, "accepted"],
  ["a unit of 256 characters", { ...UNIT, unit: `${"a".repeat(248)}.service` }, bad],
  ["fixed door", { ...WIRE, door: "fixed" }, "accepted"],
  ["mode of a fixed door", { ...WIRE, door: "fixed", door_mode: "0660" }, "accepted"],
  ["mode of a run door", { ...WIRE, door_mode: "0660" }, bad],
  ["a mode with more than may be given", { ...WIRE, door: "fixed", door_mode: "0777" }, bad],
  ["a pin that is no digest", { ...WIRE, pins: ["AAAA"] }, bad],
  ["a pin", { ...WIRE, pins: [d(1)] }, "accepted"],
  ["no audience", { ...WIRE, audiences: [] }, bad],
  ["any audience, written", { ...WIRE, audiences: ["*"] }, "accepted"],
  ["an audience with a query", { ...WIRE, audiences: ["https://a.example/?x"] }, bad],
  ["an audience that is no address", { ...WIRE, audiences: ["mail"] }, bad],
  ["bound without an owner", without(WIRE, "owner"), bad],
  ["unbound with an owner", { ...WIRE, binding: "none" }, bad],
  ["unbound", { ...UNBOUND, binding: "none" }, "accepted"],
  ["an owner that is a workload", { ...WIRE, owner: "spiffe://example.org/agent/mailer" }, bad],
  ["an owner by e-mail", { ...WIRE, owner: "alice@example.org" }, bad],
  ["life of 5 s", grant({ max_ttl: 5 }), "accepted"],
  ["life of 4 s", grant({ max_ttl: 4 }), bad],
  ["life of an hour", grant({ max_ttl: 3600 }), "accepted"],
  ["life over an hour, with an owner", grant({ max_ttl: 3601 }), bad],
  [
    "life of a day, without",
    { ...UNBOUND, binding: "none", grant: { ...GRANT, max_ttl: 86_400 } },
    "accepted",
  ],
  ["length of 30 d", grant({ length: 2_592_000 }), "accepted"],
  ["length over 30 d", grant({ length: 2_592_001 }), bad],
  ["none live", grant({ max_live: 0 }), bad],
  ["max_issue 0", grant({ max_issue: 0 }), bad],
  [
    "a ceiling without an address",
    grant({ ceiling: [{ type: "http_api", locations: ["x"], actions: [] }] }),
    bad,
  ],
  ["a key of the agent's own", { ...WIRE, custody: "agent" }, "accepted"],
  ["a key held by nobody known", { ...WIRE, custody: "tpm" }, bad],
  ["the default, written", { ...WIRE, custody: "proxy" }, bad],
  [
    "a key of its own, proofs withheld while offline",
    { ...WIRE, custody: "agent", offline_proofs: false },
    bad,
  ],
  ["an approval in the certificate", { ...WIRE, x509_evidence: "approval" }, "accepted"],
  ["another thing in the certificate", { ...WIRE, x509_evidence: "bundle" }, bad],
  [
    "an approval in the certificate, without an owner",
    { ...UNBOUND, binding: "none", x509_evidence: "approval" },
    bad,
  ],
  ["flag as text", { ...WIRE, offline_proofs: "true" }, bad],
];

describe("an entry on the wire", () => {
  it.each(ROWS)("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readEntry(value))).toBe(code);
  });

  it.each<readonly [string, Partial<Entry>]>([
    ["plain", {}],
    ["manifest", { manifest: "/app/agent.json" }],
    ["unit", { door: "unit", unit: "mail@1.service", doorMode: "0660" }],
    [
      "all terms",
      {
        grant: {
          use: "single",
          lengthSeconds: 3600,
          maxTtlSeconds: 60,
          maxLive: 4,
          maxIssue: 9,
          ceiling: [{ type: "mcp_tool", locations: ["https://a.example/mcp"], actions: ["x"] }],
        },
      },
    ],
    [
      "flags",
      {
        insecureSameUid: true,
        insecureSoftKeyStanding: true,
        offlineProofs: false,
        evidence: "carried",
      },
    ],
    [
      "lists",
      {
        pins: [d(1), d(2)],
        facts: ["agent.countersign_proc.seccomp"],
        interpreterOptions: ["-u"],
        audiences: ["*", "https://a.example/"],
      },
    ],
    ["its own key", { custody: "agent" }],
    ["an approval in the certificate", { x509Evidence: "approval" }],
    ["another owner", { owner: `${OWNER}9` }],
  ])("reads back what was written: %s", (_name, change) => {
    const entry = { ...ENTRY, ...change };
    expect(readEntry(JSON.parse(JSON.stringify(writeEntry(entry))) as Json)).toEqual(entry);
  });

  it("says nothing of the key where the proxy holds it, as ever", () => {
    expect(Object.keys(WIRE)).not.toContain("custody");
  });

  it("any other JSON is refused with a code", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await outcomeOf(() => readEntry(value as Json))).toBe(bad);
      }),
    );
  });
});
