import { Members, Refusal } from "@countersign/core";
import type { Entry } from "@countersign/core";
import { application, eventStream, json, readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import { forTerminal, waitedFor } from "../agents/digits.ts";
import type { SessionEvent } from "../agents/session.ts";
import type { RunDoor, RunDoors } from "../doors/run.ts";
import { checkDescends } from "../facts/ancestry.ts";
import type { Peer } from "../facts/peer.ts";
import type { ProxyWorld } from "../world.ts";

const MAX_BODY_BYTES = 4096;

export interface RunContext {
  readonly peer: Peer;
}

/** Run doors that are open, with the process that asked for each. */
export class OpenRuns {
  readonly #runs: Map<string, { readonly door: RunDoor; readonly caller: Peer }> = new Map();

  add(door: RunDoor, caller: Peer): void {
    const held = caller.keep();
    this.#runs.set(door.path, { door, caller: held });
    void door.closed.then(() => {
      this.#runs.delete(door.path);
      held.close();
    });
  }

  /** Whether this process was started, at whatever distance, by a process that holds a door open. */
  async isInside(peer: Peer): Promise<boolean> {
    for (const { caller } of this.#runs.values()) {
      if (caller.pid === peer.pid) continue;
      try {
        await checkDescends(peer, caller);
        return true;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
    return false;
  }

  /** The door, for the very process that asked for it. @throws Refusal `not_found` */
  of(path: string, peer: Peer): RunDoor {
    const run = this.#runs.get(path);
    if (run === undefined || !this.has(path, peer)) throw new Refusal("not_found");
    return run.door;
  }

  has(path: string, peer: Peer): boolean {
    const run = this.#runs.get(path);
    return run?.caller.pid === peer.pid && run.caller.startTime === peer.startTime;
  }

  get doors(): readonly RunDoor[] {
    return [...this.#runs.values()].map((run) => run.door);
  }
}

/** A proxy serves no agent of its own user unless the entry says so: such an agent could read the proxy's keys. */
export function mayServe(w: ProxyWorld, entry: Entry): boolean {
  const isDevelopment = w.server().state?.development === true;
  return entry.uid !== process.getuid?.() || entry.insecureSameUid || isDevelopment;
}

function checkOwnUid(w: ProxyWorld, entry: Entry): void {
  if (!mayServe(w, entry))
    throw new Refusal(
      "posture_refused",
      "the agent would run as the proxy's own user",
      "Give the agent a user of its own, or set insecure_same_uid in its registration.",
    );
}

/** The run socket: any user may ask for a door for himself; the kernel says who he is. */
export function runApp(
  w: ProxyWorld,
  agents: Agents,
  doors: RunDoors,
  runs: OpenRuns,
): Handler<RunContext> {
  const open = async (request: Request, { peer }: RunContext): Promise<Response> => {
    const members = new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request");
    const name = members.text("agent", { maxLength: 512 });
    const again = members.optional("again", (path) => members.text(path, { maxLength: 100 }));
    const hasTerminal = members.optional("terminal", (flag) => members.flag(flag));
    members.end();
    const entry = agents.entry(name);
    if (entry.door !== "run")
      throw new Refusal("peer_unexpected", "the entry has a door of its own");
    if (peer.uid !== entry.uid)
      throw new Refusal(
        "peer_unexpected",
        "the entry is for another user",
        `Run it as the user that the registration names (uid ${entry.uid}).`,
      );
    checkOwnUid(w, entry);
    // asked twice by the process that holds it: its stream was lost, its door was not
    if (again !== undefined && runs.has(again, peer)) return json({ door: again, entry: entry.id });
    const door = await doors.open({
      entry: {
        id: entry.id,
        interpreterOptions: entry.interpreterOptions,
        ...(entry.manifest === undefined ? {} : { manifest: entry.manifest }),
      },
      callerPeer: peer,
      uid: entry.uid,
      // one that is opened again began before this proxy: when, is not known any more
      since: again === undefined ? w.clock() : 0,
      ...(again === undefined ? {} : { again }),
      ...(hasTerminal === undefined ? {} : { hasTerminal }),
    });
    runs.add(door, peer);
    void door.closed.then((why) => {
      agents.closeDoor(door);
      w.log.info("door.closed", { entry: entry.id, why });
    });
    w.log.info("door.opened", { entry: entry.id, uid: peer.uid, pid: peer.pid });
    return json({ door: door.path, entry: entry.id });
  };

  const events = (request: Request, { peer }: RunContext): Promise<Response> => {
    const door = runs.of(new URL(request.url).searchParams.get("door") ?? "", peer);
    const stream = eventStream(request.signal);
    const send = (event: SessionEvent): boolean => stream.send(event.event, JSON.stringify(event));
    const stop = agents.listen(door, (event) => send(forTerminal(agents, door, event)));
    for (const event of waitedFor(agents, door)) send(event); // who comes late must see the digits too
    request.signal.addEventListener("abort", stop, { once: true });
    return Promise.resolve(stream.response);
  };

  const inside = async (_request: Request, { peer }: RunContext): Promise<Response> =>
    json({ inside: await runs.isInside(peer) });

  return application(
    { "POST /v1/runs": open, "GET /v1/runs/events": events, "GET /v1/runs/inside": inside },
    w.log,
  );
}
