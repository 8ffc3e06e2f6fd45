import {
  atLeast,
  credentialsOf,
  FOREIGN_PROOF_LIFE_SECONDS,
  OWN_PROOF_LIFE_SECONDS,
  presentedOf,
  ProofRefusal,
  readTrust,
  Refusal,
  verify,
  verifyWit,
  verifyWpt,
  witTrustOf,
} from "@countersign/core";
import type {
  Bytes,
  Demand,
  DomainTrust,
  HeaderLines,
  ReplayStore,
  Seconds,
  Trust,
  Verdict,
  VerifiedProof,
} from "@countersign/core";
import { judgeConnected } from "./connected.ts";
import type { TlsPeer } from "./connected.ts";
import { refreshed, rootsOf } from "./trusted.ts";
import type { TlsRoots } from "./trusted.ts";
import { step } from "./refused.ts";
import { settingsOf } from "./settings.ts";
import type { RelyingPartyOptions, Settings } from "./settings.ts";
import { audiencesOf, findEvidence, inDate } from "./steps.ts";

/** A request as far as its caller is concerned. A proof covers neither method nor body. */
export interface IncomingRequest {
  /** Request target as received, query included: `/mail?draft=1`. */
  readonly path: string;
  /** Lines as received, repeats included. Values that a platform has joined with a comma are refused. */
  readonly headers: HeaderLines;
}

/** An authenticated caller, and what is proved of its owner. Whether it may do what it asks is the service's decision. */
export interface Caller extends Verdict {
  /** Address that the proof was made for: one of the resources with the request's path. Over mutual TLS: that the approval reaches. */
  readonly audience: string;
  /** `Txn-Token` that the proof, or TLS, covers. */
  readonly txnToken?: string;
  /** Context headers that the proof, or TLS, covers, by lower-case name. */
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
   * Judges a request over mutual TLS: the handshake has proved the caller's key, so there is no proof, and nothing is
   * spent. Where more than his name is demanded, he sends his token, of the same issue, and the owner's approval.
   * @throws LinkRefusal naming the step or link, with the code of its reason
   */
  readonly verifyConnected: (request: IncomingRequest, peer: TlsPeer) => Promise<Caller>;
  /**
   * The roots to hand to a TLS stack that shall let in callers of one trust domain, and no others.
   * @param origin default: the only one that is configured
   * @throws Refusal `configuration_invalid`, `indeterminate` where the trust bundle is out of date
   */
  readonly roots: (origin?: string) => TlsRoots;
  /**
   * Takes a newer trust bundle for one configured trust domain, as published at `/bundle`.
   * @throws Refusal `unknown_trust_domain`, `trust_bundle_changed`, `trust_bundle_invalid`, `indeterminate`; the
   * bundle held stays
   */
  readonly refreshTrust: (bundle: Bytes | string) => void;
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
    verifyConnected: (request, peer) => judgeConnected(settings, trust, request, peer),
    roots: (origin) => rootsOf(trust, origin, clock()),
    refreshTrust: (input) => {
      trust = refreshed(trust, input, clock());
    },
  };
}
