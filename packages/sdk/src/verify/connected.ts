import {
  atLeast,
  fieldLines,
  isDevelopment,
  presentedOf,
  Refusal,
  verify,
  verifyTlsLeaf,
  verifyWit,
  witOf,
  witTrustOf,
} from "@countersign/core";
import type {
  Bytes,
  Demand,
  DomainTrust,
  HeaderLines,
  Presented,
  Seconds,
  Trust,
  Verdict,
} from "@countersign/core";
import { step, STEPS } from "./refused.ts";
import type { Caller, IncomingRequest } from "./relying-party.ts";
import type { Settings } from "./settings.ts";
import { audiencesOf, findEvidence, inDate } from "./steps.ts";

/** Who has shown a certificate in a TLS handshake that demanded one. */
export interface TlsPeer {
  /** DER of the leaf. */
  readonly leaf: Bytes;
  /** The trust domain whose `roots`, and no others, the TLS stack has verified it with. */
  readonly origin: string;
}

const TXN_HEADER = "txn-token";

/** The one line of a header; over TLS nobody else can have added another. @throws Refusal `malformed_request` */
function onlyLine(headers: HeaderLines, name: string): string | undefined {
  const [value, ...more] = fieldLines(headers, name.toLowerCase());
  if (more.length > 0) throw new Refusal("malformed_request", `${name} stands twice`);
  return value;
}

interface Sent {
  readonly txnToken?: string;
  readonly context: ReadonlyMap<string, string>;
}

function sentIn(s: Settings, headers: HeaderLines): Sent {
  const txnToken = onlyLine(headers, TXN_HEADER);
  const context = s.contextHeaders.flatMap((name) => {
    const value = onlyLine(headers, name);
    return value === undefined ? [] : [[name.toLowerCase(), value] as const];
  });
  return { ...(txnToken === undefined ? {} : { txnToken }), context: new Map(context) };
}

interface Connected {
  readonly agent: string;
  readonly expiresAt: Seconds;
  readonly domain: DomainTrust;
}

function judgePeer(s: Settings, trust: Trust, peer: TlsPeer, now: Seconds): Connected {
  const { origin } = peer;
  const domain = trust.get(origin);
  if (domain === undefined) throw new Refusal("unknown_trust_domain", origin);
  const how = { purpose: "client", now, ...s.credentialSkew } as const;
  const { leaf, workload } = verifyTlsLeaf(s.c, { leaf: peer.leaf, origin, ...how });
  if (isDevelopment(domain) && !domain.insecureAcceptDevelopment)
    throw new Refusal("development_refused", origin);
  return { agent: workload.uri, expiresAt: leaf.notAfter, domain };
}

/** All that a certificate says by itself. */
function bareVerdict({ agent, expiresAt, domain }: Connected): Verdict {
  return {
    agent,
    proof: "none",
    log: "unchecked",
    revocation: "expiry only",
    development: isDevelopment(domain),
    expiresAt,
    links: [{ id: "peer", title: STEPS.peer, result: "ok" }],
  };
}

/** An approval reaches the service if it reaches one of its names. */
async function verifyForAny(
  s: Settings,
  of: { readonly presented: Presented; readonly trust: Trust; readonly now: Seconds },
  audiences: readonly string[],
): Promise<readonly [Verdict, string]> {
  const [audience = "", ...others] = audiences;
  const demand: Demand = {
    ...s.options.demand,
    ...s.credentialSkew,
    proof: s.proof,
    resource: audience,
  };
  try {
    return [await verify(s.c, of.presented, of.trust, demand, of.now), audience];
  } catch (error) {
    const isElsewhere = error instanceof Refusal && error.code === "outside_ceiling";
    if (!isElsewhere || others.length === 0) throw error;
    return verifyForAny(s, of, others);
  }
}

/**
 * Judges a request that came over mutual TLS. The certificate is the caller; what he sends beside it can only add what
 * his owner said, and never another name: token and certificate must be of one issue.
 */
export async function judgeConnected(
  s: Settings,
  trust: Trust,
  { path, headers }: IncomingRequest,
  peer: TlsPeer,
): Promise<Caller> {
  const now = s.options.clock();
  const connected = await step("peer", () => judgePeer(s, trust, peer, now));
  const domain = await step("trust", () => inDate(connected.domain, now));
  const audiences = await step("request", () => audiencesOf(s.resources, path));
  const sent = await step("request", () => sentIn(s, headers));
  const { oa, kinds } = s.options.demand ?? {};
  const isNameEnough = s.proof === "none" && oa === undefined && kinds === undefined;
  if (isNameEnough && fieldLines(headers, "workload-identity-token").length === 0)
    return { ...bareVerdict(connected), audience: audiences[0] ?? "", ...sent };
  const wit = await step("wit", () =>
    verifyWit(s.c, witOf(headers), witTrustOf(s.c, trust), now, s.credentialSkew),
  );
  const bundle = atLeast(s.proof, "verified")
    ? await step("evidence", () => findEvidence(s, headers, wit, domain, now))
    : undefined;
  const presented = { ...presentedOf(wit.octets, undefined, bundle), tlsLeaf: peer.leaf };
  const [verdict, audience] = await verifyForAny(s, { presented, trust, now }, audiences);
  if (bundle !== undefined) s.remembered.set(wit.digest, { bundle, until: wit.exp });
  return { ...verdict, audience, ...sent };
}
