import { describe, expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { judgeAgent } from "./agent.ts";
import type { AgentFacts, Registry } from "./agent.ts";

const NOW = 1_800_000_000;
const ID = "spiffe://example.org/agent/mailer";
const AGENT = `${ID}/00112233445566aa`;
const HOST = "spiffe://example.org/proxy/here";
const OWNER = "urn:agent-owner:example.org:alice-0001";
const ENTRY = { id: ID, proxy: HOST, uid: 1001, door: "run", binding: "owner", owner: OWNER };
const HELD = { state: "held", agent: AGENT, expires_at: NOW + 600, n: 3, jti: "j" };
const WAITING = { state: "waiting", code: "9DD6X-2QK7M", deadline: NOW + 3000 };
const REQUEST = { id: "Ne0ggFCM", entry: ID, agent: AGENT, deadline: NOW + 3000, state: "asked" };
const GRANT = { cs: "sha-256:x", agent: AGENT, exp: NOW + 7200 };
const REGISTRY: Registry = { entries: [ENTRY], requests: [], grants: [GRANT], stops: [] };

const UNIT = { ...ENTRY, door: "unit", unit: "mailer.service" };
const doorWith = (...sessions: readonly JsonObject[]): JsonObject => ({
  path: "/run/countersign/run/x.sock",
  entry: ID,
  uid: 1001,
  sessions,
});
const PROXY: JsonObject = {
  proxy: HOST,
  connected: true,
  entries: [{ id: ID, uid: 1001, door: "run" }],
  stops: [],
  doors: [doorWith(HELD)],
};
const WELL: AgentFacts = {
  now: NOW,
  name: "mailer",
  uid: 1001,
  run: { socket: "/run/countersign/run.sock", status: { inside: false } },
  proxy: { socket: "/run/countersign/proxy.sock", status: PROXY },
  registry: REGISTRY,
};
const proxy = (change: JsonObject): Partial<AgentFacts> => ({
  proxy: { socket: "s", status: { ...PROXY, ...change } },
});
const registry = (change: Partial<Registry>): Partial<AgentFacts> => ({
  registry: { ...REGISTRY, ...change },
});
const inside = (status: JsonObject): Partial<AgentFacts> => ({
  door: { socket: "/x.sock", status: { entry: ID, pid: 7, uid: 1001, ...status } },
});
const unseen: Partial<AgentFacts> = { proxy: { socket: "s", fault: "unreachable: EACCES" } };
const asked: Partial<AgentFacts> = {
  ...proxy({ doors: [doorWith(WAITING)] }),
  ...registry({ grants: [], requests: [REQUEST] }),
};
const { registry: _registry, ...NO_REGISTRY } = WELL;
const { name: _name, ...NAMELESS } = WELL;

/** Name, facts, what is not good with whose move, and a piece of the command. */
type Row = readonly [string, Partial<AgentFacts>, readonly string[], string?];
const ROWS: readonly Row[] = [
  ["an agent that is well", {}, []],
  ["its whole id", { name: ID }, []],
  ["an agent that is well, from inside", inside(HELD), []],
  [
    "a name that is not registered",
    { name: "mialer" },
    ["bad entry: administrator"],
    "countersign agent register mialer",
  ],
  [
    "another host",
    { ...registry({ entries: [{ ...ENTRY, proxy: `${HOST}2` }] }), ...proxy({ entries: [] }) },
    ["bad host: administrator"],
    "--proxy NAME",
  ],
  [
    "a proxy that is cut off",
    proxy({ connected: false }),
    ["bad host: operator"],
    "countersign proxy config",
  ],
  [
    "a stop of the agent",
    registry({ stops: [{ id: "-a", scope: "agent", target: AGENT }] }),
    ["bad stop: administrator"],
    "countersign lift -- -a",
  ],
  [
    "a stop of its owner",
    registry({ stops: [{ id: "a", scope: "owner", target: OWNER }] }),
    ["bad stop: administrator"],
    "lift",
  ],
  [
    "a stop of its host",
    registry({ stops: [{ id: "a", scope: "proxy", target: HOST }] }),
    ["bad stop: administrator"],
    "lift",
  ],
  [
    "a stop of everything",
    registry({ stops: [{ id: "a", scope: "domain", target: "example.org" }] }),
    ["bad stop: administrator"],
    "lift",
  ],
  [
    "a stop of another agent",
    registry({ stops: [{ id: "a", scope: "entry", target: `${ID}2` }] }),
    [],
  ],
  ["another user", { uid: 1002 }, ["warning user: agent author"], "sudo -u '#1001'"],
  ["no run socket", { run: {} }, ["bad run socket: operator"], "countersign proxy run"],
  [
    "a run socket that nobody serves",
    { run: { socket: "s", fault: "refused" } },
    ["bad run socket: operator"],
    "proxy run",
  ],
  [
    "nobody runs it",
    proxy({ doors: [] }),
    ["bad door: agent author"],
    "countersign run --agent mailer -- COMMAND",
  ],
  [
    "a run that has ended",
    { door: { socket: "/x.sock", fault: "unreachable: ENOENT" } },
    ["bad door: agent author"],
    "start it again",
  ],
  [
    "a door that another user must use",
    { door: { socket: "/x.sock", fault: "peer_unexpected" } },
    ["bad door: agent author"],
  ],
  [
    "a fixed door that is not open",
    { ...registry({ entries: [{ ...ENTRY, door: "fixed" }] }), ...proxy({ doors: [] }) },
    ["bad door: operator"],
    "proxy's log",
  ],
  [
    "a unit door that is not open, seen by somebody else",
    { ...registry({ entries: [UNIT] }), ...proxy({ doors: [] }), uid: 0 },
    ["bad door: operator"],
  ],
  [
    "a unit whose process was not of it",
    {
      ...registry({ entries: [UNIT] }),
      door: { socket: "/x.sock", fault: "peer_unexpected" },
    },
    ["bad door: agent author"],
    "systemctl start mailer.service",
  ],
  [
    "an owner who is asked",
    asked,
    ["bad approval: owner"],
    "countersign owner approve Ne0ggFCM --key KEY",
  ],
  [
    "an owner who is asked, seen from inside only",
    { ...inside(WAITING), ...unseen, run: {} },
    ["bad approval: owner"],
    "countersign owner requests",
  ],
  [
    "an approval, and nobody who asked",
    proxy({ doors: [doorWith()] }),
    ["bad credential: agent author"],
    "POST /v1/credential",
  ],
  [
    "a program that was changed",
    proxy({ doors: [doorWith({ state: "none", reason: "measurement_unknown" })] }),
    ["bad credential: agent author"],
  ],
  [
    "a server that holds",
    proxy({ doors: [doorWith({ state: "none", reason: "hold" })] }),
    ["bad credential: operator"],
    "recover",
  ],
  [
    "a reason that is not known here",
    proxy({ doors: [doorWith({ state: "none", reason: "tired" })] }),
    ["bad credential: operator"],
  ],
  [
    "an older program beside the one that holds",
    proxy({ doors: [doorWith({ state: "none", reason: "halted" }, HELD)] }),
    [],
  ],
  [
    "no owner, and nobody who asked",
    {
      ...registry({ entries: [{ ...ENTRY, binding: "none" }], grants: [] }),
      ...proxy({ doors: [doorWith()] }),
    },
    ["bad credential: agent author"],
  ],
];

const shown = (facts: AgentFacts): readonly string[] =>
  judgeAgent(facts)
    .filter(({ level }) => level !== "good")
    .map(({ level, about, move }) => `${level} ${about}: ${move}`);

describe("the doctor of an agent", () => {
  const rows = ROWS.map(([name, change, wanted, command = ""]) => ({
    name,
    change,
    wanted,
    command,
  }));
  it.each(rows)("sees $name", ({ change, wanted, command }) => {
    const facts = { ...WELL, ...change };
    expect(shown(facts)).toEqual(wanted);
    const next = judgeAgent(facts)
      .map((finding) => finding.next ?? "")
      .join("\n");
    expect(next).toContain(command);
  });

  it("stops at the step that fails", () => {
    const steps = judgeAgent({ ...WELL, ...proxy({ doors: [] }) }).map(({ about }) => about);
    expect(steps).toEqual(["entry", "host", "user", "run socket", "door"]);
  });

  it("says what somebody who may ask neither server nor proxy can see", () => {
    const facts = { ...NO_REGISTRY, ...unseen };
    expect(shown(facts)).toEqual(["warning entry: administrator"]);
    expect(shown({ ...facts, run: {} })).toEqual([
      "warning entry: administrator",
      "bad run socket: operator",
    ]);
  });

  it("takes the agent's name from its door", () => {
    const facts = { ...NAMELESS, ...inside(HELD) };
    expect(shown(facts)).toEqual([]);
    expect(judgeAgent(facts)[0]?.says).toContain(ID);
    const gone = { ...NAMELESS, door: { socket: "/x.sock", fault: "unreachable" } };
    expect(shown(gone)).toEqual(["bad door: agent author"]);
  });
});
