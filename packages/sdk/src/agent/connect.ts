import { parseJsonObject, Refusal } from "@countersign/core";
import type { JsonObject, Seconds } from "@countersign/core";
import { readHalted, readStatus, readWaiting } from "./answers.ts";
import type { AgentStatus, Credential, Halted, Proof, Waiting } from "./answers.ts";
import { openDoor } from "./door.ts";
import type { Door } from "./door.ts";
import { followEvents } from "./events.ts";
import type { ServerEvent } from "./events.ts";
import { agentFetch } from "./fetch.ts";
import type { FetchInput, FetchOptions } from "./fetch.ts";
import { openSession } from "./session.ts";
import type { ProofRequest, Session, SessionOptions } from "./session.ts";
import { tell } from "./tell.ts";

export interface ConnectOptions extends FetchOptions {
  /** Path of the agent's socket; default `COUNTERSIGN_SOCKET`, which `countersign run` sets. */
  readonly socket?: string;
  /** Words for the owner, at most 280 characters; shown apart, as the agent's own and unverified. */
  readonly note?: string;
  /** How long to wait for the owner; default: as long as the owner may take. Unit: seconds. */
  readonly waitSeconds?: Seconds;
  /** Ends the connecting. */
  readonly signal?: AbortSignal;
  /** The owner is asked: say so, and show the code. Also later, when the owner is asked again. */
  readonly onWaiting?: (waiting: Waiting) => void;
  /** Seconds since the epoch; default the system's clock. */
  readonly clock?: () => Seconds;
}

export interface AgentEvents {
  /** Another credential is there. Nothing needs to be done. */
  readonly credential: { readonly id: string; readonly expiresAt: Seconds };
  readonly waiting: Waiting;
  /** Somebody stopped the agent: proofs are refused from now on. */
  readonly halted: Halted;
}

/** This process, as its owner approved it. */
export interface Agent {
  /** `spiffe://example.org/agent/mailer/0011223344556677` */
  readonly id: string;
  /** The current credential, never one that has expired. @throws Refusal the proxy's own, `waiting_for_owner`, `unreachable` */
  readonly credential: () => Promise<Credential>;
  /** A proof for one request, for clients that are not `fetch`. @throws Refusal as `credential`, `outside_ceiling`, `outside_audiences` */
  readonly proof: (request: ProofRequest) => Promise<Proof>;
  /**
   * As the platform's `fetch`, with token and proof; redirects are answers and are not followed.
   * @throws Refusal as `proof`; TypeError as `fetch`
   */
  readonly fetch: (input: FetchInput, init?: RequestInit) => Promise<Response>;
  /** What the proxy holds for this process, and why it waits. @throws Refusal the proxy's own, `unreachable` */
  readonly status: () => Promise<AgentStatus>;
  /** Listens to what happens; returns how to stop listening. A listener that throws stops no other. */
  readonly on: <K extends keyof AgentEvents>(
    event: K,
    listener: (what: AgentEvents[K]) => void,
  ) => () => void;
  /** Stops following events. The credential stays with the proxy. */
  readonly close: () => void;
}

const STATUS_TIMEOUT_MS = 10_000;
const MAX_EVENT_BYTES = 65_536;

function socketOf(options: ConnectOptions): string {
  // the one variable read here: countersign run gives the path to its child in it, and every agent would read it so
  const socket = options.socket ?? process.env["COUNTERSIGN_SOCKET"];
  if (socket === undefined || socket === "")
    throw new Refusal(
      "configuration_invalid",
      "COUNTERSIGN_SOCKET is not set",
      "Start the program with countersign run --agent NAME -- COMMAND.",
    );
  return socket;
}

type Listeners = {
  readonly [K in keyof AgentEvents]: Set<(what: AgentEvents[K]) => void>;
};

function credentialIn(value: JsonObject): AgentEvents["credential"] {
  const { id, expires_at: expiresAt } = value;
  if (typeof id !== "string" || typeof expiresAt !== "number")
    throw new Refusal("unreachable", "an event that is not understood");
  return { id, expiresAt };
}

/** Acts on one event; what is not understood is passed over. */
function take({ event, data }: ServerEvent, session: Session, listeners: Listeners): void {
  const value = parseJsonObject(data, { maxBytes: MAX_EVENT_BYTES, maxDepth: 8 });
  if (event === "waiting") tell(listeners.waiting, readWaiting(value));
  if (event === "credential") session.superseded();
  if (event === "halted") session.halted();
  if (event === "credential") tell(listeners.credential, credentialIn(value));
  if (event === "halted") tell(listeners.halted, readHalted(value));
}

/** Shared by agents with and without a key of their own. */
export function agentOf(
  id: string,
  door: Door,
  session: Session,
  options: ConnectOptions,
  onOpen?: (agent: Agent) => Promise<void>,
): Agent {
  const closed = new AbortController();
  const listeners: Listeners = { credential: new Set(), waiting: new Set(), halted: new Set() };
  const agent: Agent = {
    id,
    credential: () => session.credential(),
    proof: session.prove,
    fetch: agentFetch(session, options),
    status: async () => {
      const call = { method: "GET", path: "/v1/status", timeoutMs: STATUS_TIMEOUT_MS } as const;
      return readStatus((await door.call(call)).value);
    },
    on: (event, listener) => {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    close: () => closed.abort(),
  };
  const onEvent = (event: ServerEvent): void => take(event, session, listeners);
  void followEvents(door, onEvent, closed.signal, { onOpen: () => onOpen?.(agent) });
  return agent;
}

/** @throws Refusal `configuration_invalid` where there is no socket */
export function doorOf(options: ConnectOptions): Door {
  return openDoor(socketOf(options));
}

export function sessionOptions(options: ConnectOptions): SessionOptions {
  return {
    clock: options.clock ?? (() => Math.floor(Date.now() / 1000)),
    waitSeconds: options.waitSeconds ?? Infinity,
    ...(options.note === undefined ? {} : { note: options.note }),
    ...(options.onWaiting === undefined ? {} : { onWaiting: options.onWaiting }),
  };
}

/**
 * Connects this process to its proxy and waits until it holds a credential: it is measured, and its owner is asked
 * where no approval covers it yet. From then on the proxy renews; nothing of it is noticed here.
 * @throws Refusal `configuration_invalid` (no socket), `unreachable`, `waiting_for_owner`, `approval_denied`, `halted`
 * and the proxy's others, each with `next`; whatever `signal` was aborted with
 */
export async function connect(options: ConnectOptions = {}): Promise<Agent> {
  const door = doorOf(options);
  const session = openSession(door, sessionOptions(options));
  const { id } = await session.credential(options.signal);
  return agentOf(id, door, session, options);
}
