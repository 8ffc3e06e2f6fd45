import {
  appraise,
  checkBelonging,
  checkNonce,
  decideCredential,
  DEFAULT_ISSUE_POLICY,
  digestOf,
  measurementsOf,
  nonceHolder,
  Refusal,
  thumbprint,
} from "@countersign/core";
import type {
  Attested,
  Belonging,
  Digest,
  Entry,
  JsonObject,
  Known,
  PostedRequest,
  RefusalCode,
  Ruling,
  Seconds,
} from "@countersign/core";
import type { KnownRows } from "../store/store.ts";
import type { World } from "../world.ts";
import { commitAsk } from "./ask.ts";
import { commitIssue } from "./issue.ts";
import { knownOf } from "./known.ts";
import { readOutcome } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { logRefusal } from "./refusals.ts";
import { inTurn } from "./turns.ts";
import { issueCrypto } from "./verified.ts";
import type { IssueCrypto } from "./verified.ts";

/** A proxy that called with its one live certificate. */
export interface ProxyPeer {
  readonly id: string;
  readonly key: Belonging["request"]["key"];
  readonly serial: string;
  /** The gateway that passed the call on. */
  readonly gateway?: string;
}

/** The request, attested, and what the store knows at one epoch: what each ruling is committed from. */
export interface Case {
  readonly crypto: IssueCrypto;
  readonly attested: Attested;
  readonly rows: KnownRows;
  readonly entry: Entry;
  readonly now: Seconds;
}

const MAX_TRIES = 3;

/**
 * The one path of every issue, first or renewal: load → decide → sign and verify → guarded commit → answer
 * (DESIGN 4). A repeated R gets its stored outcome, or `stale` when something was stopped or changed since.
 * @throws Refusal with the reason; refusals are logged for the calling proxy
 */
export async function requestCredential(
  w: World,
  peer: ProxyPeer,
  posted: PostedRequest,
): Promise<Outcome> {
  try {
    return (await repeated(w, peer, posted)) ?? (await decideOnce(w, peer, posted));
  } catch (error) {
    if (error instanceof Refusal) await logRefusal(w, peer.id, error);
    throw error;
  }
}

/** What the same R was spent on while this copy of it was judged is not a replay: it has that outcome. */
const SPENT: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "nonce_unknown",
  "key_reused",
  "replayed",
]);

async function decideOnce(w: World, peer: ProxyPeer, posted: PostedRequest): Promise<Outcome> {
  try {
    return await decide(w, peer, posted);
  } catch (error) {
    const outcome =
      error instanceof Refusal && SPENT.has(error.code)
        ? await repeated(w, peer, posted)
        : undefined;
    if (outcome === undefined) throw error;
    return outcome;
  }
}

async function repeated(
  w: World,
  peer: ProxyPeer,
  posted: PostedRequest,
): Promise<Outcome | undefined> {
  const req = digestOf(w.c, posted.request);
  const row = await w.store.outcome(req);
  if (row === undefined) return undefined;
  if (row.proxy !== peer.id || w.clock() >= row.exp)
    throw new Refusal("replayed", "a request of another proxy or time");
  if (row.epoch !== (await w.store.epoch())) {
    const agentStops = await stopsOf(w, row.outcome);
    throw new Refusal(agentStops ? "halted" : "stale", "the epoch moved since this was decided");
  }
  return readOutcome(w, row);
}

async function stopsOf(w: World, outcome: JsonObject): Promise<boolean> {
  const { agent, entry, proxy, jti } = outcome;
  if (typeof agent !== "string" || typeof entry !== "string" || typeof proxy !== "string")
    return false;
  const issued = typeof jti === "string" ? await w.store.credentialByJti(jti) : undefined;
  const grant = issued?.cs === undefined ? {} : { cs: issued.cs };
  const rows = await w.store.known({ proxy, entry, agent, ...grant, now: w.clock() });
  return rows.stops.length > 0;
}

async function decide(w: World, peer: ProxyPeer, posted: PostedRequest): Promise<Outcome> {
  const now = w.clock();
  const crypto = issueCrypto(w);
  const holder = nonceHolder(peer.id, peer.gateway);
  const belonging = await checkBelonging(
    crypto.own,
    posted,
    {
      proxy: peer.id,
      proxyKey: peer.key,
      issuer: w.config.issuer,
      checkNonce: (nonce) => checkNonce(w.keys.mac, nonce, holder, now),
    },
    now,
  );
  if (await w.store.onceSeen("nonce", belonging.request.claims.nonce))
    throw new Refusal("nonce_unknown", "spent");
  await checkKeys(w, belonging);
  const { cs } = belonging.endorsement.claims;
  const attempts = (): Promise<Outcome> => tryThrice(w, peer, { crypto, belonging, now });
  return cs === undefined ? attempts() : inTurn(w, cs, attempts);
}

/** One request while it is judged: its three objects belong together, and were verified by these primitives. */
interface Judged {
  readonly crypto: IssueCrypto;
  readonly belonging: Belonging;
  readonly now: Seconds;
}

async function tryThrice(w: World, peer: ProxyPeer, judged: Judged): Promise<Outcome> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const outcome = await tryOnce(w, peer, judged);
    if (outcome === "used") throw new Refusal("replayed", "nonce, request or key was used");
    if (outcome !== "conflict") return outcome;
  }
  throw new Refusal("indeterminate", "the state changed at each of three tries");
}

/** A key belongs to one name for ever: neither a credential's, an owner's nor a proxy's may be certified again (T8). */
async function checkKeys(w: World, { request, agent, anchor }: Belonging): Promise<void> {
  if ((await w.store.keyOwner(thumbprint(w.c, request.key))) !== undefined)
    throw new Refusal("key_reused", "credential key");
  await checkAnchor(w, anchor, agent);
}

/** An anchor is of one agent. @throws Refusal `key_reused` */
export async function checkAnchor(w: World, anchor: string, agent: string): Promise<void> {
  const owner = await w.store.keyOwner(anchor);
  if (owner !== undefined && (owner.kind !== "anchor" || owner.id !== agent))
    throw new Refusal("key_reused", "anchor");
}

function references(rows: KnownRows, known: Known): ReadonlySet<Digest> {
  return new Set([
    ...(rows.entry?.body.pins ?? []),
    ...known.approvedMeasurements.map((measurement) => measurement.d),
  ]);
}

async function tryOnce(
  w: World,
  peer: ProxyPeer,
  { crypto, belonging, now }: Judged,
): Promise<Outcome | "conflict" | "used"> {
  const { cs } = belonging.endorsement.claims;
  const query = {
    proxy: peer.id,
    entry: belonging.request.claims.sub,
    agent: belonging.agent,
    now,
  };
  const rows = await w.store.known(cs === undefined ? query : { ...query, cs });
  const entry = rows.entry?.body;
  const known = knownOf(w, rows);
  if (entry === undefined) throw new Refusal(known.hold === undefined ? "entry_unknown" : "hold");
  const attested: Attested = {
    ...belonging,
    proxy: peer.id,
    key: belonging.request.key,
    appraisal: appraise(
      belonging.evidence.claims,
      entry,
      references(rows, known),
      w.config.policy,
      w.config.proxyUid,
    ),
    measurements: measurementsOf(belonging.evidence.claims),
  };
  const policy = { ...DEFAULT_ISSUE_POLICY, caNotAfter: w.keys.agents.certificate.notAfter };
  return carryOut(
    w,
    { crypto, attested, rows, entry, now },
    decideCredential(attested, known, policy, now),
  );
}

function carryOut(w: World, of: Case, ruling: Ruling): Promise<Outcome | "conflict" | "used"> {
  if (ruling.do === "issue") return commitIssue(w, of, ruling.draft);
  if (ruling.do === "ask") return commitAsk(w, of, ruling);
  throw new Refusal(ruling.code, ruling.why, ruling.next);
}
