import { describe, expect, it } from "vitest";
import { d, ISSUER, MEASURED, NONCE, NOW, OWNER, PROXY } from "../issuance/attested.testing.ts";
import type { CeilingEntry } from "./ceiling.ts";
import { compareApprovals } from "./changes.ts";
import type { Term } from "./changes.ts";
import type { CredentialStatement } from "./statement.ts";
import { VIEW_CREDENTIAL } from "./view.ts";

const MAIL: CeilingEntry = {
  type: "http_api",
  locations: ["https://mail.example.com/"],
  actions: ["search", "draft"],
  class: "reversible_write",
};
const BEFORE: CredentialStatement = {
  typ: "agent-consent/1",
  kind: "credential",
  decision: "approve",
  jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
  aud: ISSUER,
  td: "example.org",
  iat: NOW,
  exp: NOW + 300,
  nonce: NONCE,
  owner: { id: OWNER, jkt: "x".repeat(43) },
  agent: {
    id: "spiffe://example.org/agent/mailer/1",
    jkt: "a".repeat(43),
    meas: MEASURED,
    host: PROXY,
  },
  req: d(8),
  grant: {
    use: "standing",
    nbf: NOW,
    exp: NOW + 86_400,
    max_ttl: 900,
    max_issue: 100,
    max_live: 8,
    rekey: "endorsed",
    ceiling: [MAIL],
  },
  view: VIEW_CREDENTIAL,
};

type Otherwise = {
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly grant?: Partial<CredentialStatement["grant"]>;
} & Partial<Omit<CredentialStatement, "agent" | "grant">>;

/** The next statement: made for another request, at another time. */
function nextOf({ agent, grant, ...rest }: Otherwise): CredentialStatement {
  const iat = NOW + 1000;
  const times = { nbf: iat, exp: iat + 86_400 };
  return {
    ...BEFORE,
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0B",
    iat,
    exp: iat + 300,
    req: d(9),
    ...rest,
    agent: { ...BEFORE.agent, ...agent },
    grant: { ...BEFORE.grant, ...times, ...grant },
  };
}

const { host: _host, ...anywhere } = BEFORE.agent;
const NEXT = NOW + 1000;
const SEND: CeilingEntry = {
  ...MAIL,
  actions: ["send"],
  class: "irreversible_action",
  max_calls: 20,
};

type Row = readonly [string, CredentialStatement, readonly Term[]];
const ROWS: readonly Row[] = [
  ["asked again", nextOf({}), []],
  ["by another of the owner's keys", nextOf({ owner: { id: OWNER, jkt: "y".repeat(43) } }), []],
  [
    "of another program",
    nextOf({ agent: { meas: [{ n: "binary", d: d(77) }] } }),
    expect.arrayContaining([
      { name: "program file", before: MEASURED[0]?.d.slice(8, 16), now: d(77).slice(8, 16) },
    ]) as readonly Term[],
  ],
  [
    "with a measurement more",
    nextOf({ agent: { meas: [...MEASURED, { n: "tools", d: d(5) }] } }),
    [{ name: "tool list", now: d(5).slice(8, 16) }],
  ],
  [
    "on another host",
    nextOf({ agent: { host: "spiffe://example.org/proxy/host-2" } }),
    [{ name: "host", before: "host-1", now: "host-2" }],
  ],
  [
    "on a host of the same name elsewhere",
    nextOf({ agent: { host: "spiffe://example.net/proxy/host-1" } }),
    [{ name: "host", before: "host-1", now: "host-1" }],
  ],
  [
    "on any host",
    { ...nextOf({}), agent: anywhere },
    [{ name: "host", before: "host-1", now: "any host" }],
  ],
  [
    "of another installation",
    nextOf({ agent: { jkt: "b".repeat(43) } }),
    [{ name: "installation key", before: "aaaaaaaa", now: "bbbbbbbb" }],
  ],
  [
    "that may do more",
    nextOf({ grant: { ceiling: [MAIL, SEND] } }),
    [
      {
        name: "may use",
        before: "search, draft at https://mail.example.com/, reversible write",
        now: "search, draft at https://mail.example.com/, reversible write; send at https://mail.example.com/, irreversible action, 20 times",
      },
    ],
  ],
  [
    "that may do it one time",
    nextOf({ grant: { ceiling: [{ ...SEND, max_calls: 1 }] } }),
    [
      expect.objectContaining({
        name: "may use",
        now: "send at https://mail.example.com/, irreversible action, once",
      }) as Term,
    ],
  ],
  [
    "without a limit",
    nextOf({ grant: { ceiling: [] } }),
    [expect.objectContaining({ name: "may use", now: "no limit in the text" }) as Term],
  ],
  [
    "for longer",
    nextOf({ grant: { exp: NEXT + 7 * 86_400 } }),
    [{ name: "lasts", before: "1 day", now: "7 days" }],
  ],
  [
    "once",
    nextOf({ grant: { use: "single", exp: NEXT + 3600, max_issue: 1, max_live: 1 } }),
    [
      { name: "renews itself", before: "yes", now: "no, one credential" },
      { name: "lasts", before: "1 day", now: "1 hour" },
      { name: "credentials in all", before: "100", now: "1" },
      { name: "at the same time", before: "8", now: "1" },
    ],
  ],
  [
    "with longer credentials",
    nextOf({ grant: { max_ttl: 3600 } }),
    [{ name: "each credential lasts", before: "15 minutes", now: "1 hour" }],
  ],
  [
    "with an action that a terminal would not show",
    nextOf({ grant: { ceiling: [{ ...MAIL, actions: ["search", "draft\u202E"] }] } }),
    [
      expect.objectContaining({
        now: "search, draft\\u202e at https://mail.example.com/, reversible write",
      }) as Term,
    ],
  ],
];

describe("changes since the last approval (owner.md 1.3)", () => {
  it.each(ROWS)("%s → %#", (_name, now, changes) => {
    const diff = compareApprovals(BEFORE, now);
    expect(diff.changes).toEqual(changes);
    expect(diff.approvedAt).toBe(NOW);
    const told = [...diff.changes.map(({ name }) => name), ...diff.same];
    expect(new Set(told).size).toBe(told.length);
  });

  it("names everything that is the same", () => {
    expect(compareApprovals(BEFORE, nextOf({})).same).toEqual([
      "main script",
      "program file",
      "may use",
      "host",
      "installation key",
      "renews itself",
      "lasts",
      "each credential lasts",
      "credentials in all",
      "at the same time",
      "owners who sign",
    ]);
  });
});
