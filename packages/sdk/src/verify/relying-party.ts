import {
  atLeast,
  audienceOf,
  credentialsOf,
  FOREIGN_PROOF_LIFE_SECONDS,
  OWN_PROOF_LIFE_SECONDS,
  presentedOf,
  ProofRefusal,
  readTrust,
  readTrustBundle,
  Refusal,
  verify,
  verifyWit,
  verifyWpt,
  witTrustOf,
} from "@countersign/core";
import type {
  Bundle,
  Bytes,
  Demand,
  DomainTrust,
  HeaderLines,
  ReplayStore,
  Seconds,
  Trust,
  Verdict,
  VerifiedProof,
  VerifiedWit,
} from "@countersign/core";
import { evidenceInHeader, fetchEvidence } from "./evidence.ts";
import { step } from "./refused.ts";
import { settingsOf } from "./settings.ts";
import type { RelyingPartyOptions, Settings } from "./settings.ts";

/** A request as far as its caller is concerned. A proof covers neither method nor body. */
export interface IncomingRequest {
  /** Request target as received, query included: `/mail?draft=1`. */
  readonly path: string;
  /** Lines as received, repeats included. Values that a platform has joined with a comma are refused. */
  readonly headers: HeaderLines;
}

/** An authenticated caller, and what is proved of its owner. Whether it may do what it asks is the service's decision. */
export interface Caller extends Verdict {
  /** Address that the proof was made for: one of the resources with the request's path. */
  readonly audience: string;
  /** `Txn-Token` that the proof covers. */
  readonly txnToken?: string;
  /** Context headers that the proof covers, by lower-case name. */
  readonly context: ReadonlyMap<string, string>;
}

export interface RelyingParty {
  /**
   * Judges a request: token, proof, owner's approval, bounds; offline unless `evidence` says otherwise. A proof passes
   * once; it is spent last, so that a refused request may be sent again.
   * @throws LinkRefusal naming the step or link, with the code of its reason; `problemFor` makes the answer
   */
  readonly verifyRequest: (request: IncomingRequest) => Promise<Caller>;
  /**
   * Takes a newer trust bundle for one configured trust domain, as published at `/bundle`.
   * @throws Refusal `unknown_trust_domain`, `trust_bundle_changed`, `trust_bundle_invalid`, `indeterminate`; the
   * bundle held stays
   */
  readonly refreshTrust: (bundle: Bytes | string) => void;
}

function audiencesOf(resources: readonly string[], path: string): readonly string[] {
  if (!path.startsWith("/")) throw new Refusal("malformed_request", "the target is not a path");
  return resources.map((base) => audienceOf(base + path));
}

/** A store that notes what is to be spent, and spends it when everything else held. */
function spentLast(replay: ReplayStore): { store: ReplayStore; spend: () => Promise<void> } {
  let asked: Parameters<ReplayStore["first"]> | undefined;
  return {
    store: {
      first: (...use) => {
        asked = use;
        return Promise.resolve("first");
      },
    },
    spend: async () => {
      const use = asked === undefined ? "unavailable" : await replay.first(...asked);
      if (use === "used") throw new ProofRefusal("replayed");
      if (use !== "first") throw new Refusal("indeterminate", "the replay store has no answer");
    },
  };
}

function inDate(domain: DomainTrust | undefined, now: Seconds): DomainTrust {
  if (domain === undefined) throw new Refusal("unknown_trust_domain");
  if (now >= domain.bundle.exp)
    throw new Refusal("indeterminate", "the trust bundle is past its exp");
  return domain;
}

async function findEvidence(
  s: Settings,
  headers: HeaderLines,
  wit: VerifiedWit,
  domain: DomainTrust,
  now: Seconds,
): Promise<Bundle | undefined> {
  const sent = evidenceInHeader(headers);
  if (sent !== undefined) return sent;
  const known = s.remembered.get(wit.digest);
  if (known !== undefined && now < known.until) return known.bundle;
  s.remembered.delete(wit.digest);
  const { evidence = "header" } = s.options;
  const { owner, jti } = wit;
  if (evidence === "header" || owner === undefined || jti === undefined) return undefined;
  if (domain.evidenceOrigin === undefined) return undefined;
  return fetchEvidence(evidence.fetch, domain.evidenceOrigin, owner, jti);
}

/** The trust with a newer bundle of one domain. */
function refreshed(trust: Trust, input: Bytes | string, now: Seconds): Trust {
  const { trustDomain } = readTrustBundle(input, now);
  const domain = trust.get(trustDomain);
  if (domain === undefined) throw new Refusal("unknown_trust_domain", trustDomain);
  const bundle = readTrustBundle(input, now, domain.bundle);
  return new Map([...trust, [trustDomain, { ...domain, bundle }]]);
}

/** Who calls: token and proof. The proof is not spent yet. */
async function authenticate(
  s: Settings,
  trust: Trust,
  { path, headers }: IncomingRequest,
  now: Seconds,
): Promise<{ domain: DomainTrust; proved: VerifiedProof; spend: () => Promise<void> }> {
  const shown = await step("request", () => credentialsOf(headers));
  const audiences = await step("request", () => audiencesOf(s.resources, path));
  const wit = await step("wit", () =>
    verifyWit(s.c, shown.wit, witTrustOf(s.c, trust), now, s.credentialSkew),
  );
  const domain = await step("trust", () => inDate(trust.get(wit.sub.origin), now));
  const single = spentLast(s.replay);
  const proved = await step("proof", () =>
    verifyWpt(s.plain, {
      proof: shown.proof,
      wit,
      headers,
      audiences,
      contextHeaders: s.contextHeaders,
      maxLifeSeconds: domain.isInside ? OWN_PROOF_LIFE_SECONDS : FOREIGN_PROOF_LIFE_SECONDS,
      now,
      ...s.proofSkew,
      replay: single.store,
    }),
  );
  return { domain, proved, spend: single.spend };
}

async function judge(s: Settings, trust: Trust, request: IncomingRequest): Promise<Caller> {
  const now = s.options.clock();
  const { domain, proved, spend } = await authenticate(s, trust, request, now);
  const { wit, aud: audience, txnToken, context } = proved;
  const bundle = atLeast(s.proof, "verified")
    ? await step("evidence", () => findEvidence(s, request.headers, wit, domain, now))
    : undefined;
  const demand: Demand = {
    ...s.options.demand,
    ...s.credentialSkew,
    proof: s.proof,
    resource: audience,
  };
  const presented = presentedOf(wit.octets, undefined, bundle);
  const verdict = await verify(s.c, presented, trust, demand, now);
  await step("replay", spend);
  if (bundle !== undefined) s.remembered.set(wit.digest, { bundle, until: wit.exp });
  return { ...verdict, audience, ...(txnToken === undefined ? {} : { txnToken }), context };
}

/**
 * A service that checks its callers: who the agent is, and that its owner approved it.
 * @throws Refusal `configuration_invalid`, `indeterminate` for a trust file that is out of date
 */
export function relyingParty(options: RelyingPartyOptions): RelyingParty {
  const settings = settingsOf(options);
  const { clock, trust: given } = options;
  const isRead = typeof given !== "string" && !(given instanceof Uint8Array);
  let trust: Trust = isRead ? given : readTrust(given, clock());
  return {
    // one request is judged by one trust, whatever is refreshed meanwhile
    verifyRequest: (request) => judge(settings, trust, request),
    refreshTrust: (input) => {
      trust = refreshed(trust, input, clock());
    },
  };
}
