import {
  agentId,
  base64url,
  canonicalJson,
  ENDORSEMENT,
  EVIDENCE,
  measurementsOf,
  presentedOf,
  readTrustBundle,
  REQUEST,
  REQUEST_LIFE_SECONDS,
  Refusal,
  requestCode,
  sameKey,
  seal,
  thumbprint,
  utf8,
  verify,
  verifyWit,
  witTrustOf,
} from "@countersign/core";
import type {
  Bundle,
  Bytes,
  Digest,
  EndorsementClaims,
  Entry,
  EvidenceClaims,
  HostFacts,
  Jwk,
  Measurement,
  NonceAnswer,
  OwnerPin,
  RequestClaims,
  RunFact,
  Signed,
  Signer,
  Trust,
} from "@countersign/core";
import { generateSigner } from "@countersign/node";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import { chooseApproval } from "./approval.ts";
import type { CheckedApproval } from "./approval.ts";
import { runFactOf } from "./digits.ts";
import { postRequest } from "./post.ts";

/** A credential and the key that belongs to it: in memory only, dropped at expiry or halt. */
export interface Held {
  readonly id: string;
  /** Absent where the agent holds the key. */
  readonly signer?: Signer;
  readonly wit: string;
  readonly wic: readonly Bytes[];
  readonly bundle: Bundle;
  readonly jti: string;
  readonly n: number;
  readonly iat: number;
  readonly exp: number;
  readonly cs?: Digest;
  readonly ceiling: readonly { readonly locations: readonly string[] }[];
  /** The evidence that it was issued upon. */
  readonly evidence: string;
  /** Whether its approval was for this one credential: nobody is asked for a next one unless the agent asks. */
  readonly isSingle: boolean;
}

/** The owner is being asked. The code is computed here, from R as it was sent. */
export interface Waiting {
  readonly agent: string;
  readonly req: Digest;
  readonly code: string;
  readonly id: string;
  readonly deadline: number;
  readonly next: string;
  readonly reasons: readonly string[];
  /** What the terminal of the run shows beside the code: for the client of the run, and nobody else. */
  readonly digits?: string;
}

export type Answered = { readonly held: Held } | { readonly waiting: Waiting };

const JTI_BYTES = 16;

/** The measurements that this evidence will carry. */
export function measured(facts: Facts): readonly Measurement[] {
  return measurementsOf(submodsOf(facts, { kernel: "" }));
}

/** The program of a session as it is now, and the words that it gave for its owner. */
export interface Measured {
  readonly facts: Facts;
  readonly note?: string;
}

/** Which program of a door a session is for: what was measured of it. */
export function programOf(facts: Facts): string {
  return canonicalJson([...measured(facts)]);
}

/** What can be said of a key that the agent made: that it may be anywhere. */
const OWN_KEY = { store: "agent", exportable: true } as const;

/** What evidence says of host and program. */
export function submodsOf(
  facts: Facts,
  os: HostFacts,
  entry?: Entry,
): Pick<EvidenceClaims, "submods"> {
  const { proc } = facts;
  return {
    submods: {
      host: { countersign_os: os },
      agent: {
        countersign_proc: entry?.custody === "agent" ? { ...proc, key: OWN_KEY } : proc,
        ...(facts.manifest === undefined ? {} : { countersign_manifest: facts.manifest }),
      },
    },
  };
}

/** The keys that approved, a security key with the application that its signatures are for. */
function pinsOf({ ownerKeys, standing: { approval } }: CheckedApproval): readonly OwnerPin[] {
  const parts = [approval, ...(approval.sts ?? [])];
  return ownerKeys.map((jkt, i) => {
    const app = parts[i]?.key.app;
    return app === undefined ? { jkt } : { jkt, app };
  });
}

/** Trust in the server that this proxy is configured for, as its state stream gave it. */
function ownTrust(w: ProxyWorld, approval: CheckedApproval | undefined): Trust {
  const { state, pages } = w.server();
  if (state === undefined) throw new Refusal("unreachable", "no state yet");
  const said = readTrustBundle(utf8(state.trustBundle), w.clock());
  const bundle = pages === undefined ? said : { ...said, consent: pages };
  return new Map([
    [
      bundle.trustDomain,
      {
        origin: bundle.trustDomain,
        bundle,
        ownerPins: approval === undefined ? [] : pinsOf(approval),
        isInside: true,
        insecureAcceptServerEnrolment: false,
        insecureAcceptDevelopment: state.development,
      },
    ],
  ]);
}

/** Everything that one request is made from but the key. */
interface Making {
  readonly entry: Entry;
  readonly facts: Facts;
  /** Whether an existing approval may be used; asking anew endorses no statement. */
  readonly approval: CheckedApproval | undefined;
  readonly issuer: string;
  readonly now: number;
  readonly anchor: Signer;
  readonly agent: string;
}

async function making(w: ProxyWorld, entry: Entry, facts: Facts, now: number): Promise<Making> {
  const { state } = w.server();
  if (state === undefined) throw new Refusal("unreachable", "the server was not heard yet");
  const anchor = await w.anchors.signer(entry.id);
  const jkt = thumbprint(w.c, anchor.key);
  const { issuer, trustDomain } = state;
  const scope = { entry, anchor: jkt, measurements: measured(facts), issuer, trustDomain };
  const approval = entry.binding === "owner" ? await chooseApproval(w, scope) : undefined;
  return { entry, facts, approval, issuer, now, anchor, agent: agentId(entry.id, jkt) };
}

/** A nonce of the server. Its clock is adopted, before anything is judged by it. */
export async function freshNonce(w: ProxyWorld): Promise<NonceAnswer> {
  const fresh = await w.useLink(({ uplink }) => uplink.nonce(w.server().seen));
  w.adoptTime(fresh.now);
  return fresh;
}

/**
 * One credential request from the start: nonce, new key K, R signed by K, E by the proxy, N by the anchor (DESIGN 4).
 * @throws Refusal as the server says, `unreachable`, `clock_skewed`, `custody_mismatch`
 */
export async function requestCredential(
  w: ProxyWorld,
  entry: Entry,
  facts: Facts,
  note: string | undefined,
): Promise<Answered> {
  if (entry.custody === "agent") throw new Refusal("custody_mismatch", "the agent holds the key");
  if (w.server().state === undefined)
    throw new Refusal("unreachable", "the server was not heard yet");
  const { nonce, now } = await freshNonce(w);
  const parts = await making(w, entry, facts, now);
  const signer = generateSigner();
  return send(w, parts, await sealRequest(w, parts, { nonce, note, signer }), signer);
}

/** Sends a judged R with fresh evidence and endorsement over its key. @throws Refusal as the server says */
export async function forwardRequest(
  w: ProxyWorld,
  entry: Entry,
  facts: Facts,
  request: Signed<RequestClaims>,
): Promise<Answered> {
  return send(w, await making(w, entry, facts, w.clock()), request);
}

/** R: signed by the key to be certified. */
function sealRequest(
  w: ProxyWorld,
  p: Making,
  of: { readonly nonce: string; readonly note: string | undefined; readonly signer: Signer },
): Promise<Signed<RequestClaims>> {
  const claims: RequestClaims = {
    aud: p.issuer,
    nonce: of.nonce,
    iat: p.now,
    exp: p.now + REQUEST_LIFE_SECONDS,
    sub: p.entry.id,
    anchor: thumbprint(w.c, p.anchor.key),
    ...(of.note === undefined ? {} : { note: of.note }),
  };
  return seal(w.c, REQUEST, claims, of.signer);
}

/** E: signed by the proxy, for this R, key and nonce. */
async function sealEvidence(
  w: ProxyWorld,
  p: Making,
  of: { readonly request: Signed<RequestClaims>; readonly run: RunFact | undefined },
  proxy: Signer,
): Promise<Signed<EvidenceClaims>> {
  const { request, run } = of;
  const host = await w.hostFacts();
  const claims: EvidenceClaims = {
    eatNonce: request.claims.nonce,
    aud: p.issuer,
    iat: p.now,
    key: request.key,
    req: request.digest,
    swname: "countersign-proxy",
    swversion: [w.version],
    ...(host.bootseed === undefined ? {} : { bootseed: host.bootseed }),
    ...(run === undefined ? {} : { run }),
    ...submodsOf(p.facts, host.os, p.entry),
  };
  return seal(w.c, EVIDENCE, claims, proxy);
}

/** N: the anchor signs for this key, under the approval that this proxy has checked. */
function sealEndorsement(w: ProxyWorld, p: Making, key: Jwk): Promise<Signed<EndorsementClaims>> {
  const claims: EndorsementClaims = {
    sub: p.agent,
    aud: p.issuer,
    jkt: thumbprint(w.c, key),
    iat: p.now,
    exp: p.now + p.entry.grant.maxTtlSeconds,
    jti: base64url(w.random(JTI_BYTES)),
    ...(p.approval === undefined ? {} : { cs: p.approval.cs }),
  };
  return seal(w.c, ENDORSEMENT, claims, p.anchor);
}

/** @param signer the key's, where it is the proxy's */
async function send(
  w: ProxyWorld,
  p: Making,
  request: Signed<RequestClaims>,
  signer?: Signer,
): Promise<Answered> {
  const { agent, approval, entry } = p;
  const endorsement = await sealEndorsement(w, p, request.key);
  const run = runFactOf(w, p);
  const { answer, evidence } = await w.useLink(async ({ uplink, identity }) => {
    // signed by the key that the connection shows
    const signed = await sealEvidence(w, p, { request, run }, identity.signer);
    const posted = {
      request: request.octets,
      evidence: signed.octets,
      endorsement: endorsement.octets,
    };
    return { answer: await postRequest(w, uplink, posted), evidence: signed };
  });
  if (answer.state === "asked") {
    const { id, deadline, next, reasons } = answer;
    const code = requestCode(w.c, request.octets);
    const waiting = { agent, req: request.digest, code, id, deadline, next, reasons };
    return { waiting: run?.digits === undefined ? waiting : { ...waiting, digits: run.digits } };
  }
  await checkIssued(w, answer, { agent, approval, key: request.key, entry });
  return { held: heldOf(answer, p, { signer, evidence: evidence.octets }) };
}

type Issued = Extract<Awaited<ReturnType<typeof postRequest>>, { state: "issued" }>;

/** What comes back must be what was asked for, before anybody gets it. */
async function checkIssued(
  w: ProxyWorld,
  answer: Issued,
  of: {
    readonly agent: string;
    readonly approval: CheckedApproval | undefined;
    readonly key: Jwk;
    readonly entry: Entry;
  },
): Promise<void> {
  const proof = of.entry.binding === "owner" ? "logged" : "none";
  const trust = ownTrust(w, of.approval);
  const verdict = await verify(
    w.c,
    presentedOf(answer.wit, answer.wic, answer.bundle),
    trust,
    { proof },
    w.clock(),
  );
  if (verdict.owner !== undefined && verdict.owner.cs !== of.approval?.cs)
    throw new Refusal("owner_claim", "issued under another approval");
  const { confirmation } = await verifyWit(w.c, answer.wit, witTrustOf(w.c, trust), w.clock());
  if (verdict.agent !== of.agent || !sameKey(confirmation.key, of.key))
    throw new Refusal("invalid_key", "issued to another agent or key");
}

function heldOf(
  answer: Issued,
  { agent, approval, now }: Making,
  of: { readonly signer: Signer | undefined; readonly evidence: string },
): Held {
  return {
    id: agent,
    ...(of.signer === undefined ? {} : { signer: of.signer }),
    wit: answer.wit,
    wic: answer.wic,
    bundle: answer.bundle,
    jti: answer.jti,
    n: answer.n,
    iat: now,
    exp: answer.expires_at,
    ...(approval === undefined ? {} : { cs: approval.cs }),
    ceiling: approval?.ceiling ?? [],
    isSingle: approval?.isSingle ?? false,
    evidence: of.evidence,
  };
}
