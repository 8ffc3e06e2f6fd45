import {
  agentId,
  base64url,
  PRESIGNED_LIFE_SECONDS,
  Refusal,
  REQUEST,
  seal,
  thumbprint,
} from "@countersign/core";
import type {
  Entry,
  EvidenceClaims,
  Measurement,
  ProxyState,
  RequestClaims,
  Signed,
} from "@countersign/core";
import { generateSigner } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import { measured, submodsOf } from "../agents/request.ts";
import type { Measured } from "../agents/request.ts";
import { stopOf } from "../agents/stops.ts";
import type { ProxyWorld } from "../world.ts";

const NONCE_BYTES = 24;

/** What an owner's program makes a statement from: what this proxy knows and measured, and nothing that the agent says. */
export interface Material {
  /** R, under a nonce of its own. Its key is forgotten: nothing is ever issued from it. */
  readonly request: Signed<RequestClaims>;
  readonly entry: Entry;
  readonly measurements: readonly Measurement[];
  readonly submods: EvidenceClaims["submods"];
}

/** What the server said last. @throws Refusal `unreachable` where it never said anything to this process */
export function lastState(w: ProxyWorld): ProxyState {
  const { state } = w.server();
  if (state !== undefined) return state;
  throw new Refusal(
    "unreachable",
    "this proxy has not heard its server since it was started: issuer, registration and bounds are not known",
    "Start the server once, so that the proxy hears what the registration allows.",
  );
}

/** The one live program behind the entry's doors, measured now. */
async function programOf(agents: Agents, entry: Entry, pid: number | undefined): Promise<Measured> {
  const found: Measured[] = [];
  for (const session of agents.sessionsAt(entry.id))
    try {
      found.push(await session.measure());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // it ended, or became another program
    }
  const named = found.filter(({ facts }) => pid === undefined || facts.proc.pid === pid);
  const [one, ...others] = named;
  if (one === undefined)
    throw new Refusal(
      "process_gone",
      "no program of this agent has asked at its door, and still runs",
      "Start it, so that it asks once: countersign run --agent NAME -- COMMAND.",
    );
  if (others.length === 0) return one;
  const pids = named.map(({ facts }) => facts.proc.pid).join(", ");
  throw new Refusal(
    "malformed_request",
    `several programs have asked: ${pids}`,
    "Name one: --pid N.",
  );
}

/**
 * R and what stands around it, for an owner who signs while the server cannot be asked. The program is measured anew.
 * @throws Refusal `unreachable`, `entry_unknown`, `halted`, `approval_unsuitable`, `process_gone`, `malformed_request`
 */
export async function makeMaterial(
  w: ProxyWorld,
  agents: Agents,
  of: { readonly agent: string; readonly pid?: number },
): Promise<Material> {
  const state = lastState(w);
  const entry = agents.entry(of.agent);
  if (entry.binding !== "owner" || entry.owner === undefined)
    throw new Refusal("approval_unsuitable", "the registration names no owner");
  const { facts, note } = await programOf(agents, entry, of.pid);
  const anchor = thumbprint(w.c, (await w.anchors.signer(entry.id)).key);
  const agent = agentId(entry.id, anchor);
  const names = { entry: entry.id, owner: entry.owner, proxy: w.identity().id, agent };
  if (stopOf(state, names) !== undefined) throw new Refusal("halted");
  const now = w.clock();
  const claims: RequestClaims = {
    aud: state.issuer,
    nonce: base64url(w.random(NONCE_BYTES)),
    iat: now,
    exp: now + PRESIGNED_LIFE_SECONDS,
    sub: entry.id,
    anchor,
    ...(note === undefined ? {} : { note }),
  };
  return {
    request: await seal(w.c, REQUEST, claims, generateSigner()),
    entry,
    measurements: measured(facts),
    submods: submodsOf(facts, (await w.hostFacts()).os, entry).submods,
  };
}
