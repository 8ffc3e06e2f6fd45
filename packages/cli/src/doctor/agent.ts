import { isObject, REFUSALS } from "@countersign/core";
import type { JsonObject, RefusalCode, Seconds } from "@countersign/core";
import { list, number, text } from "../sockets.ts";
import { duration } from "../terminal.ts";
import { bad, good, warning } from "./finding.ts";
import type { Finding, Mover } from "./finding.ts";
import type { Daemon } from "./judge.ts";

/** What the server's admin socket says of agents. */
export interface Registry {
  readonly entries: readonly JsonObject[];
  /** Open questions to owners. */
  readonly requests: readonly JsonObject[];
  readonly grants: readonly JsonObject[];
  readonly stops: readonly JsonObject[];
}

/** Everything that is judged of one agent. What its caller may not see is absent. */
export interface AgentFacts {
  readonly now: Seconds;
  /** Of `--agent`, or of the entry that the door names. */
  readonly name?: string;
  readonly uid: number;
  /** The door in COUNTERSIGN_SOCKET. */
  readonly door?: Daemon;
  readonly run: Daemon;
  readonly proxy: Daemon;
  readonly registry?: Registry;
}

/** What the steps know of the agent, from whoever could be asked. */
interface Known extends AgentFacts {
  readonly id: string;
  readonly shortName: string;
  readonly entry: JsonObject | undefined;
}

const isAbout = (known: Known, id: unknown): boolean =>
  id === known.id || (typeof id === "string" && id.startsWith(`${known.id}/`));

function judgeEntry(known: Known): Finding {
  const { registry, entry, shortName: name, proxy, door } = known;
  const register = `countersign agent register ${name} --owner OWNER --audience URL`;
  if (entry !== undefined) return good("entry", `${known.id}, user ${number(entry, "uid")}`);
  if (registry !== undefined)
    return bad("entry", `no agent ${name} is registered`, register, "administrator");
  if (proxy.status !== undefined)
    return bad(
      "entry",
      `${name} is not registered for this host`,
      `Register it, or start it on the host that it is registered for: ${register}`,
      "administrator",
    );
  if (door?.status !== undefined) return good("entry", known.id);
  return warning(
    "entry",
    "neither server nor proxy lets this user ask",
    `As their user: countersign doctor --agent ${name}`,
    "administrator",
  );
}

function judgeHost(known: Known): Finding | undefined {
  const { entry, proxy } = known;
  if (proxy.status === undefined || entry === undefined) return undefined;
  if (proxy.status["connected"] !== true)
    return bad(
      "host",
      "its proxy does not reach the server",
      "Look at its log, and at api_url: countersign proxy config.",
    );
  if (list(proxy.status, "entries").some((one) => one["id"] === known.id))
    return good("host", `served by ${text(proxy.status, "proxy")}`);
  const other = typeof entry["proxy"] === "string" ? entry["proxy"] : "another host";
  return bad(
    "host",
    `registered for ${other}, and this is ${text(proxy.status, "proxy")}`,
    `Start it there, or register it for this host: countersign agent register ${known.shortName} --proxy NAME`,
    "administrator",
  );
}

function judgeStops(known: Known): Finding | undefined {
  const { registry, entry, proxy } = known;
  const stops = registry?.stops ?? (proxy.status === undefined ? [] : list(proxy.status, "stops"));
  const owner = entry?.["owner"];
  const stop = stops.find(({ scope, target }) => {
    if (scope === "domain") return true;
    if (scope === "owner") return target === owner;
    if (scope === "proxy") return target === entry?.["proxy"] || target === proxy.status?.["proxy"];
    return isAbout(known, target);
  });
  if (stop === undefined) return undefined;
  return bad(
    "stop",
    `${text(stop, "scope")} ${text(stop, "target")} is stopped`,
    `Ask who stopped it, then: countersign lift -- ${text(stop, "id")}`,
    "administrator",
  );
}

/** Whether somebody else than countersign run starts it. */
const hasOwnDoor = (entry: JsonObject | undefined): boolean =>
  entry?.["door"] === "fixed" || entry?.["door"] === "unit";

function judgeUser({ entry, uid, door }: Known): Finding | undefined {
  if (entry === undefined || door?.status !== undefined) return undefined;
  if (entry["door"] === "unit") return undefined; // its unit says as whom it runs, not who looks
  const wanted = number(entry, "uid");
  return wanted === uid
    ? good("user", `${uid}, as registered`)
    : warning(
        "user",
        `registered for user ${wanted}, and you are ${uid}`,
        `Start it as that user: sudo -u '#${wanted}' countersign run …`,
        "agent author",
      );
}

function judgeRunSocket({ run, entry, door }: Known): Finding | undefined {
  if (door !== undefined || hasOwnDoor(entry)) return undefined;
  const next = "Start the proxy of this host: countersign proxy run (or countersign dev).";
  if (run.socket === undefined) return bad("run socket", "there is none", next);
  if (run.fault !== undefined)
    return bad("run socket", `${run.socket} does not answer (${run.fault})`, next);
  return good("run socket", `answers at ${run.socket}`);
}

const isRefusalCode = (code: string): code is RefusalCode => Object.hasOwn(REFUSALS, code);

/** Whose move it is after a refusal; whoever is not named here wrote or runs the agent. */
const MOVERS: Readonly<Partial<Record<RefusalCode, Mover>>> = {
  halted: "administrator",
  entry_unknown: "administrator",
  posture_refused: "administrator",
  proxy_forked: "administrator",
  outside_audiences: "administrator",
  grant_exhausted: "owner",
  waiting_for_owner: "owner",
  hold: "operator",
  unreachable: "operator",
  offline: "operator",
  clock_skewed: "operator",
  indeterminate: "operator",
  internal: "operator",
};

function refused(about: string, reason: string): Finding {
  if (!isRefusalCode(reason))
    return bad(about, `refused: ${reason}`, "Look at the proxy's log.", "operator");
  const { title, next } = REFUSALS[reason];
  return bad(about, `${title} (${reason})`, next, MOVERS[reason] ?? "agent author");
}

function judgeDoor(known: Known): Finding | undefined {
  const { door, proxy, entry, shortName } = known;
  if (door !== undefined) {
    const path = door.socket ?? "";
    if (door.status !== undefined) return good("door", `answers at ${path}`);
    const [, code = ""] = /^(\w+)(?::|$)/.exec(door.fault ?? "") ?? [];
    if (code === "peer_unexpected" && typeof entry?.["unit"] === "string")
      return bad(
        "door",
        `this process is not of ${entry["unit"]}`,
        `Start it as its unit: systemctl start ${entry["unit"]}`,
        "agent author",
      );
    if (isRefusalCode(code) && code !== "unreachable") return refused("door", code);
    return bad(
      "door",
      `${path} does not answer (${door.fault ?? "gone"})`,
      `Its countersign run has ended: start it again. countersign run --agent ${shortName} -- COMMAND`,
      "agent author",
    );
  }
  if (proxy.status === undefined) return undefined;
  const doors = list(proxy.status, "doors").filter((one) => one["entry"] === known.id);
  if (doors.length > 0) return good("door", doors.map((one) => text(one, "path")).join(", "));
  return hasOwnDoor(entry)
    ? bad("door", "its own door is not open", "Look at the proxy's log for door.", "operator")
    : bad(
        "door",
        "nobody runs it on this host",
        `countersign run --agent ${shortName} -- COMMAND`,
        "agent author",
      );
}

/** The newest that the door, or the proxy, says of the agent's sessions. */
function sessionOf(known: Known): JsonObject | undefined {
  const { door, proxy } = known;
  if (door?.status !== undefined && door.status["state"] !== "none") return door.status;
  const doors = proxy.status === undefined ? [] : list(proxy.status, "doors");
  const sessions = doors
    .filter((one) => one["entry"] === known.id)
    .flatMap((one) => list(one, "sessions"));
  const rank = ["none", "waiting", "held"];
  return (
    sessions.toSorted(
      (a, b) => rank.indexOf(text(b, "state")) - rank.indexOf(text(a, "state")),
    )[0] ?? door?.status
  );
}

function asking(known: Known): Finding | undefined {
  const request = known.registry?.requests.find((one) => one["entry"] === known.id);
  const session = sessionOf(known);
  const waits = session?.["state"] === "waiting" ? session : undefined;
  if (request === undefined && waits === undefined) return undefined;
  const deadline = number(request ?? waits ?? {}, "deadline");
  const code = waits === undefined ? "" : `, code ${text(waits, "code")}`;
  const id = request === undefined ? "ID" : text(request, "id");
  const inbox = request === undefined ? "countersign owner requests, then: " : "";
  return bad(
    "approval",
    `the owner is asked${code}, ${duration(deadline - known.now)} left`,
    `${inbox}countersign owner approve ${id} --key KEY`,
    "owner",
  );
}

function judgeApproval(known: Known): Finding | undefined {
  const { registry, entry, now } = known;
  const session = sessionOf(known);
  if (session?.["state"] === "held" || entry?.["binding"] === "none") return undefined;
  const wait = asking(known);
  if (wait !== undefined) return wait;
  const grant = registry?.grants.find((one) => isAbout(known, one["agent"]));
  if (grant !== undefined)
    return good("approval", `in force for ${duration(number(grant, "exp") - now)}`);
  return undefined; // it was never asked, or was refused: the next step says which
}

function judgeCredential(known: Known): Finding | undefined {
  if (known.proxy.status === undefined && known.door?.status === undefined) return undefined;
  const session = sessionOf(known);
  if (session?.["state"] === "held") {
    const left = duration(number(session, "expires_at") - known.now);
    return good("credential", `${text(session, "agent")}, for ${left}, renewed by itself`);
  }
  const reason = session?.["reason"];
  if (typeof reason === "string") return refused("credential", reason);
  return bad(
    "credential",
    "the program has not asked for one",
    'It asks with connect() of "@countersign/sdk/agent", or POST /v1/credential at its door.',
    "agent author",
  );
}

const STEPS: readonly ((known: Known) => Finding | undefined)[] = [
  judgeEntry,
  judgeHost,
  judgeStops,
  judgeUser,
  judgeRunSocket,
  judgeDoor,
  judgeApproval,
  judgeCredential,
];

function knownOf(facts: AgentFacts): Known | undefined {
  const { door, name, registry, proxy } = facts;
  const named = name ?? door?.status?.["entry"];
  if (typeof named !== "string") return undefined;
  const entries = [
    ...(registry?.entries ?? []),
    ...(proxy.status === undefined ? [] : list(proxy.status, "entries")),
  ];
  const isNamed = (id: unknown): boolean =>
    id === named || (typeof id === "string" && id.endsWith(`/agent/${named}`));
  const entry = entries.filter(isObject).find(({ id }) => isNamed(id));
  const id = entry === undefined ? named : text(entry, "id");
  return { ...facts, id, shortName: named.split("/").at(-1) ?? named, entry };
}

/** The steps of one agent in order, up to the one that fails. */
export function judgeAgent(facts: AgentFacts): readonly Finding[] {
  const known = knownOf(facts);
  if (known === undefined) {
    const path = facts.door?.socket ?? "";
    const fault = facts.door?.fault ?? "no answer";
    return [
      bad(
        "door",
        `${path} does not answer (${fault})`,
        "Its countersign run has ended, or this process is not below it: start it again.",
        "agent author",
      ),
    ];
  }
  const findings: Finding[] = [];
  for (const step of STEPS) {
    const finding = step(known);
    if (finding !== undefined) findings.push(finding);
    if (finding?.level === "bad") break;
  }
  return findings;
}
