import {
  MAX_NOTE_LENGTH,
  Members,
  pemEncode,
  Refusal,
  REQUEST,
  writeBundle,
} from "@countersign/core";
import type { Entry, Json, JsonObject } from "@countersign/core";
import { eventStream, readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import { makeProof, OWN_PROOFS } from "../agents/proof.ts";
import type { ProofRequest } from "../agents/proof.ts";
import type { Held, Waiting } from "../agents/request.ts";
import type { Session } from "../agents/session.ts";
import type { Door } from "../doors/door.ts";
import type { Peer } from "../facts/peer.ts";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import { application, json } from "@countersign/node";

/** What is known of a connection at a door: the kernel's word about its peer. */
export interface DoorContext {
  readonly peer: Peer;
}

const MAX_BODY_BYTES = 32_768;
const MAX_WAIT_SECONDS = 300;
const MAX_PROOFS_PER_SECOND = 10;
const OFFLINE_SECONDS = 60;
const MAX_AUDIENCES_REMEMBERED = 1024;
const OWN_CONNECT =
  "The entry leaves the key to the agent: connect with connectWithOwnKey of the SDK, or register the agent without --own-key.";
const PLAIN_CONNECT =
  "The proxy holds this agent's key: connect with connect of the SDK, or register the agent with --own-key.";

/** At most ten a second for each door: a bucket that fills evenly. */
class Bucket {
  #tokens = MAX_PROOFS_PER_SECOND;
  #at = 0;

  take(now: number): boolean {
    this.#tokens = Math.min(
      MAX_PROOFS_PER_SECOND,
      this.#tokens + Math.max(0, now - this.#at) * MAX_PROOFS_PER_SECOND, // the clock may be set back
    );
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

function waitSeconds(request: Request): number {
  const text = new URL(request.url).searchParams.get("wait") ?? "0";
  const seconds = /^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_WAIT_SECONDS))
    throw new Refusal("malformed_request", `wait is 0 to ${MAX_WAIT_SECONDS}`);
  return seconds;
}

function credentialView(held: Held): JsonObject {
  return {
    id: held.id,
    wit: held.wit,
    wic: held.wic.map((der) => pemEncode("CERTIFICATE", der)),
    expires_at: held.exp,
  };
}

function waitingView({ code, deadline, next, reasons }: Waiting): JsonObject {
  return { state: "waiting", code, deadline, next, reasons };
}

/** Words for the owner, or an R of the agent's own making, which has them inside. */
async function readCredentialRequest(
  request: Request,
): Promise<{ readonly note?: string } | { readonly own: string }> {
  const members = new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request");
  const note = members.optional("note", (name) =>
    members.text(name, { maxLength: MAX_NOTE_LENGTH }),
  );
  const own = members.optional("request", (name) =>
    members.text(name, { maxLength: REQUEST.maxBytes }),
  );
  members.end();
  if (own === undefined) return note === undefined ? {} : { note };
  return note === undefined ? { own } : members.fail("note", "stands inside the request");
}

/** @throws Refusal `custody_mismatch` where the entry leaves the key to the other side */
function checkCustody(entry: Entry, holder: "agent" | "proxy"): void {
  if ((entry.custody ?? "proxy") === holder) return;
  throw holder === "agent"
    ? new Refusal("custody_mismatch", "the proxy holds the key", PLAIN_CONNECT)
    : new Refusal("custody_mismatch", "the agent holds the key", OWN_CONNECT);
}

function readHeaders(value: Json | undefined): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const members = new Members(value, "malformed_request", "headers");
  const names = Object.keys(members.whole());
  if (names.length > 16 || names.some((name) => !/^[a-z0-9-]{1,64}$/.test(name)))
    throw new Refusal("malformed_request", "headers are at most 16, names in lower case");
  return Object.fromEntries(names.map((name) => [name, members.text(name, { maxLength: 8192 })]));
}

async function readProofRequest(request: Request): Promise<ProofRequest> {
  const members = new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request");
  const txn = members.optional("txn", (name) => members.text(name, { maxLength: 8192 }));
  const asked: ProofRequest = {
    aud: members.text("aud", { maxLength: 2048 }),
    ...(txn === undefined ? {} : { txn }),
    headers: readHeaders(members.raw("headers")),
    wantsEvidence: members.optional("evidence", (name) => members.flag(name)) ?? false,
  };
  members.end();
  return asked;
}

/** Nothing leaves for a process that has become another one since it was measured. */
async function answer(facts: Facts, value: JsonObject, httpStatus = 200): Promise<Response> {
  if (!(await facts.stillTrue()))
    throw new Refusal("program_changed", "the peer changed while it was answered");
  return json(value, httpStatus);
}

/** One door's API: what its endpoints share. */
interface Behind {
  readonly w: ProxyWorld;
  readonly agents: Agents;
  readonly door: Door;
  readonly bucket: Bucket;
  /** Each nonce is a call to the server. */
  readonly nonces: Bucket;
  readonly audiences: Set<string>;
}

async function admit({ agents, door }: Behind, peer: Peer): Promise<Facts> {
  const entry = agents.entry(door.entry.id);
  if (peer.uid !== entry.uid)
    throw new Refusal("peer_unexpected", "not the user that the entry names");
  return door.admit(peer);
}

async function credential(at: Behind, request: Request, peer: Peer): Promise<Response> {
  const wait = waitSeconds(request);
  const asked = await readCredentialRequest(request);
  const facts = await admit(at, peer);
  checkCustody(at.agents.entry(at.door.entry.id), "own" in asked ? "agent" : "proxy");
  if ("own" in asked) return certified(at, facts, { octets: asked.own, wait });
  const session = at.agents.session(at.door, peer, facts, asked.note);
  const found = await session.credential(facts, wait * 1000);
  return "held" in found
    ? answer(facts, credentialView(found.held))
    : answer(facts, waitingView(found.waiting), 202);
}

/** Upon an R of the agent's own. It is not kept while the owner is asked, so this call waits for nobody. */
async function certified(
  at: Behind,
  facts: Facts,
  { octets, wait }: { readonly octets: string; readonly wait: number },
): Promise<Response> {
  if (wait > 0) throw new Refusal("malformed_request", "to wait is for POST /v1/nonce");
  const session = at.agents.existing(at.door, facts);
  if (session === undefined) throw new Refusal("nonce_unknown", "none was handed to this program");
  const found = await session.certify(facts, octets);
  if ("waiting" in found) return answer(facts, waitingView(found.waiting), 202);
  const { held } = found;
  const own = { bundle: writeBundle(held.bundle) as JsonObject, single: held.isSingle }; // the writer makes plain JSON
  return answer(facts, { ...credentialView(held), ...own });
}

/** What an R is made from, for agents that hold their keys; while the owner is asked, what is waited for. */
async function nonce(at: Behind, request: Request, peer: Peer): Promise<Response> {
  const wait = waitSeconds(request);
  new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request").end();
  if (!at.nonces.take(at.w.clock())) throw new Refusal("rate_limited");
  const facts = await admit(at, peer);
  checkCustody(at.agents.entry(at.door.entry.id), "agent");
  const found = await at.agents.session(at.door, peer, facts).terms(wait * 1000);
  return "terms" in found
    ? answer(facts, { ...found.terms })
    : answer(facts, waitingView(found.waiting), 202);
}

/** The first proof for an origin is said: an agent that goes somewhere new is worth a line. */
function sayFirstAudience({ w, audiences, door }: Behind, aud: string): void {
  const [origin = ""] = /^[a-z]+:\/\/[^/]+/.exec(aud) ?? [];
  if (audiences.has(origin) || audiences.size >= MAX_AUDIENCES_REMEMBERED) return;
  audiences.add(origin);
  w.log.info("agent.first_audience", { entry: door.entry.id, origin });
}

async function proof(at: Behind, request: Request, peer: Peer): Promise<Response> {
  const { w, agents, door } = at;
  const asked = await readProofRequest(request);
  if (!at.bucket.take(w.clock())) throw new Refusal("rate_limited");
  const facts = await admit(at, peer);
  const entry = agents.entry(door.entry.id);
  if (entry.custody === "agent")
    throw new Refusal("custody_mismatch", "the agent holds the key", OWN_PROOFS);
  const session = agents.existing(door, facts);
  const held = session?.held;
  if (held === undefined)
    throw missing(
      session?.waiting,
      session?.refusal,
      agents.sessionsOf(door).some((other) => other.held !== undefined),
    );
  if (!entry.offlineProofs && isOffline(w)) throw new Refusal("offline");
  const made = await makeProof(w, entry, held, asked);
  sayFirstAudience(at, asked.aud);
  return answer(facts, { ...made });
}

async function events(at: Behind, request: Request, peer: Peer): Promise<Response> {
  await admit(at, peer);
  const stream = eventStream(request.signal);
  const stop = at.agents.listen(at.door, (event) =>
    stream.send(event.event, JSON.stringify(event)),
  );
  request.signal.addEventListener("abort", stop, { once: true });
  return stream.response;
}

function statusView(session: Session | undefined): JsonObject {
  const held = session?.held;
  if (held !== undefined) return { state: "held", agent: held.id, expires_at: held.exp, n: held.n };
  if (session?.waiting !== undefined) return waitingView(session.waiting);
  const refusal = session?.refusal;
  if (refusal === undefined) return { state: "none" };
  return { state: refusal.code === "halted" ? "halted" : "none", reason: refusal.code };
}

async function status(at: Behind, peer: Peer): Promise<Response> {
  const facts = await admit(at, peer);
  const session = at.agents.existing(at.door, facts);
  const isStopped = session === undefined && at.agents.isStopped(at.door);
  const view = isStopped ? { state: "halted", reason: "halted" } : statusView(session);
  return answer(facts, { entry: at.door.entry.id, pid: peer.pid, uid: peer.uid, ...view });
}

/** The Agent API behind one door. Every call is admitted anew: who connects is asked of the kernel, never of the peer. */
export function doorApp(w: ProxyWorld, agents: Agents, door: Door): Handler<DoorContext> {
  const at: Behind = {
    w,
    agents,
    door,
    bucket: new Bucket(),
    nonces: new Bucket(),
    audiences: new Set(),
  };
  return application<DoorContext>(
    {
      "POST /v1/credential": (request, { peer }) => credential(at, request, peer),
      "POST /v1/nonce": (request, { peer }) => nonce(at, request, peer),
      "POST /v1/proof": (request, { peer }) => proof(at, request, peer),
      "GET /v1/events": (request, { peer }) => events(at, request, peer),
      "GET /v1/status": (_request, { peer }) => status(at, peer),
    },
    w.log,
  );
}

function missing(
  waiting: Waiting | undefined,
  refusal: Refusal | undefined,
  hasOthers: boolean,
): Refusal {
  if (waiting !== undefined)
    return new Refusal(
      "waiting_for_owner",
      undefined,
      `The owner has not approved yet: code ${waiting.code}.`,
    );
  if (refusal !== undefined) return refusal;
  return hasOthers
    ? new Refusal("measurement_changed", "another program holds the credential at this door")
    : new Refusal("no_credential");
}

function isOffline(w: ProxyWorld): boolean {
  return w.clock() - w.server().heardAt > OFFLINE_SECONDS;
}
