import {
  agentId,
  base64url,
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
  Measurement,
  NonceAnswer,
  RequestClaims,
  Signed,
  Signer,
  Trust,
} from "@countersign/core";
import { generateSigner } from "@countersign/node";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import { chooseApproval } from "./approval.ts";
import type { CheckedApproval } from "./approval.ts";

/** A credential and the key that belongs to it: in memory only, dropped at expiry or halt. */
export interface Held {
  readonly id: string;
  readonly signer: Signer;
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
}

export type Answered = { readonly held: Held } | { readonly waiting: Waiting };

const JTI_BYTES = 16;

/** The measurements that this evidence will carry. */
export function measured(facts: Facts): readonly Measurement[] {
  return measurementsOf(submodsOf(facts, { kernel: "" }));
}

function submodsOf(facts: Facts, os: HostFacts): Pick<EvidenceClaims, "submods"> {
  return {
    submods: {
      host: { countersign_os: os },
      agent: {
        countersign_proc: facts.proc,
        ...(facts.manifest === undefined ? {} : { countersign_manifest: facts.manifest }),
      },
    },
  };
}

/** Trust in the server that this proxy is configured for, as its state stream gave it. */
function ownTrust(w: ProxyWorld, ownerJkt: string | undefined): Trust {
  const { state } = w.server();
  if (state === undefined) throw new Refusal("unreachable", "no state yet");
  const bundle = readTrustBundle(utf8(state.trustBundle), w.clock());
  return new Map([
    [
      bundle.trustDomain,
      {
        origin: bundle.trustDomain,
        bundle,
        ownerPins: ownerJkt === undefined ? [] : [{ jkt: ownerJkt }],
        isInside: true,
        insecureAcceptServerEnrolment: false,
        insecureAcceptDevelopment: state.development,
      },
    ],
  ]);
}

interface Making {
  readonly entry: Entry;
  readonly facts: Facts;
  readonly note?: string | undefined;
  /** Whether an existing approval may be used; asking anew endorses no statement. */
  readonly approval: CheckedApproval | undefined;
}

/**
 * One credential request from the start: nonce, new key K, R signed by K, E by the proxy, N by the anchor (DESIGN 4).
 * @throws Refusal as the server says, `unreachable`, `clock_skewed`
 */
export async function requestCredential(
  w: ProxyWorld,
  entry: Entry,
  facts: Facts,
  note: string | undefined,
): Promise<Answered> {
  const { state } = w.server();
  if (state === undefined) throw new Refusal("unreachable", "the server was not heard yet");
  const anchor = await w.anchors.signer(entry.id);
  const scope = {
    entry,
    anchor: thumbprint(w.c, anchor.key),
    measurements: measured(facts),
    issuer: state.issuer,
    trustDomain: state.trustDomain,
  };
  const fresh = await w.uplink().nonce(w.server().seen);
  w.adoptTime(fresh.now); // before approvals are judged by it
  const approval = entry.binding === "owner" ? await chooseApproval(w, scope) : undefined;
  return send(w, { entry, facts, note, approval }, { anchor, issuer: state.issuer, fresh });
}

/** What one request is made from: a fresh nonce, and a key of its own. */
interface Parts extends Making {
  readonly issuer: string;
  readonly nonce: string;
  readonly now: number;
  readonly signer: Signer;
  readonly anchor: Signer;
  readonly agent: string;
}

/** R: signed by the key to be certified. */
function sealRequest(w: ProxyWorld, p: Parts): Promise<Signed<RequestClaims>> {
  const claims: RequestClaims = {
    aud: p.issuer,
    nonce: p.nonce,
    iat: p.now,
    exp: p.now + REQUEST_LIFE_SECONDS,
    sub: p.entry.id,
    anchor: thumbprint(w.c, p.anchor.key),
    ...(p.note === undefined ? {} : { note: p.note }),
  };
  return seal(w.c, REQUEST, claims, p.signer);
}

/** E: signed by the proxy, for this R, key and nonce. */
async function sealEvidence(
  w: ProxyWorld,
  p: Parts,
  request: Signed<RequestClaims>,
): Promise<Signed<EvidenceClaims>> {
  const host = await w.hostFacts();
  const claims: EvidenceClaims = {
    eatNonce: p.nonce,
    aud: p.issuer,
    iat: p.now,
    key: p.signer.key,
    req: request.digest,
    swname: "countersign-proxy",
    swversion: [w.version],
    ...(host.bootseed === undefined ? {} : { bootseed: host.bootseed }),
    ...submodsOf(p.facts, host.os),
  };
  return seal(w.c, EVIDENCE, claims, w.identity().signer);
}

/** N: the anchor signs for this key, under the approval that this proxy has checked. */
function sealEndorsement(w: ProxyWorld, p: Parts): Promise<Signed<EndorsementClaims>> {
  const claims: EndorsementClaims = {
    sub: p.agent,
    aud: p.issuer,
    jkt: thumbprint(w.c, p.signer.key),
    iat: p.now,
    exp: p.now + p.entry.grant.maxTtlSeconds,
    jti: base64url(w.random(JTI_BYTES)),
    ...(p.approval === undefined ? {} : { cs: p.approval.cs }),
  };
  return seal(w.c, ENDORSEMENT, claims, p.anchor);
}

async function send(
  w: ProxyWorld,
  making: Making,
  {
    anchor,
    issuer,
    fresh,
  }: { readonly anchor: Signer; readonly issuer: string; readonly fresh: NonceAnswer },
): Promise<Answered> {
  const agent = agentId(making.entry.id, thumbprint(w.c, anchor.key));
  const signer = generateSigner();
  const parts: Parts = {
    ...making,
    issuer,
    nonce: fresh.nonce,
    now: fresh.now,
    signer,
    anchor,
    agent,
  };
  const request = await sealRequest(w, parts);
  const evidence = await sealEvidence(w, parts, request);
  const endorsement = await sealEndorsement(w, parts);
  const answer = await w.uplink().request({
    request: request.octets,
    evidence: evidence.octets,
    endorsement: endorsement.octets,
  });
  if (answer.state === "asked") {
    const { id, deadline, next, reasons } = answer;
    const code = requestCode(w.c, request.octets);
    return { waiting: { agent, req: request.digest, code, id, deadline, next, reasons } };
  }
  const { approval, entry } = making;
  await checkIssued(w, answer, { agent, approval, signer, entry });
  return {
    held: heldOf(agent, answer, { approval, signer, evidence: evidence.octets, now: fresh.now }),
  };
}

type Issued = Extract<
  Awaited<ReturnType<ReturnType<ProxyWorld["uplink"]>["request"]>>,
  { state: "issued" }
>;

/** What comes back must be what was asked for, before anybody gets it. */
async function checkIssued(
  w: ProxyWorld,
  answer: Issued,
  of: {
    readonly agent: string;
    readonly approval: CheckedApproval | undefined;
    readonly signer: Signer;
    readonly entry: Entry;
  },
): Promise<void> {
  const proof = of.entry.binding === "owner" ? "logged" : "none";
  const trust = ownTrust(w, of.approval?.ownerJkt);
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
  if (verdict.agent !== of.agent || !sameKey(confirmation.key, of.signer.key))
    throw new Refusal("invalid_key", "issued to another agent or key");
}

function heldOf(
  agent: string,
  answer: Issued,
  of: {
    readonly approval: CheckedApproval | undefined;
    readonly signer: Signer;
    readonly evidence: string;
    readonly now: number;
  },
): Held {
  return {
    id: agent,
    signer: of.signer,
    wit: answer.wit,
    wic: answer.wic,
    bundle: answer.bundle,
    jti: answer.jti,
    n: answer.n,
    iat: of.now,
    exp: answer.expires_at,
    ...(of.approval === undefined ? {} : { cs: of.approval.cs }),
    ceiling: of.approval?.ceiling ?? [],
    isSingle: of.approval?.isSingle ?? false,
    evidence: of.evidence,
  };
}
