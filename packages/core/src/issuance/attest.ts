import type { Crypto, Jwk, Seconds } from "../crypto.ts";
import { EVIDENCE } from "../evidence/eat.ts";
import type { EvidenceClaims } from "../evidence/eat.ts";
import { agentId } from "../identifier/workload.ts";
import { sameKey, thumbprint } from "../jose/jwk.ts";
import { open } from "../jose/signed.ts";
import type { Signed } from "../jose/signed.ts";
import { Refusal } from "../refusal.ts";
import { ENDORSEMENT } from "./endorsement.ts";
import type { EndorsementClaims } from "./endorsement.ts";
import { OWNER_TTL_CAP_SECONDS, UNBOUND_TTL_CAP_SECONDS } from "./entry.ts";
import { REQUEST, REQUEST_LIFE_SECONDS } from "./request.ts";
import type { RequestClaims } from "./request.ts";

/** R, E and N as posted: three compact JWS. */
export interface PostedRequest {
  readonly request: string;
  readonly evidence: string;
  readonly endorsement: string;
}

/** Who posted it (from the TLS certificate) and what this server is. */
export interface AttestContext {
  readonly proxy: string;
  readonly proxyKey: Jwk;
  readonly issuer: string;
  /** Throws for a nonce that is not of this server for this proxy, or old. */
  readonly checkNonce: (nonce: string) => void;
}

/** Three signed objects that belong together. Nothing of the store was asked yet. */
export interface Belonging {
  readonly request: Signed<RequestClaims>;
  readonly evidence: Signed<EvidenceClaims>;
  readonly endorsement: Signed<EndorsementClaims>;
  readonly agent: string;
  readonly anchor: string;
}

const SKEW_SECONDS = 60;

function checkTimes(iat: Seconds, exp: Seconds, now: Seconds): void {
  if (iat > now + SKEW_SECONDS) throw new Refusal("not_yet_valid");
  if (now > exp + SKEW_SECONDS) throw new Refusal("request_expired");
}

/** What R must say to be for this server, now. */
export type RequestContext = Pick<AttestContext, "issuer" | "checkNonce">;

/**
 * Opens R and checks that it is for this server, under a nonce that is good, and in its time.
 * @throws Refusal codes of `open`; `request_invalid`, `request_expired`, `not_yet_valid`, and those of `checkNonce`
 */
export async function checkRequest(
  c: Crypto,
  octets: string,
  context: RequestContext,
  now: Seconds,
): Promise<Signed<RequestClaims>> {
  const request = await open(c, REQUEST, octets);
  const r = request.claims;
  if (r.aud !== context.issuer) throw new Refusal("request_invalid", "aud is another server");
  context.checkNonce(r.nonce);
  checkTimes(r.iat, r.exp, now);
  if (r.exp - r.iat > REQUEST_LIFE_SECONDS) throw new Refusal("request_invalid", "lives too long");
  return request;
}

/**
 * Judges an R that an agent made with a key of its own, at the door that it came through: as the server will, and
 * that it names this door's entry and this installation. Nothing of it chooses a name.
 * @throws Refusal as `checkRequest`
 */
export async function checkOwnRequest(
  c: Crypto,
  octets: string,
  context: RequestContext & { readonly entry: string; readonly anchor: string },
  now: Seconds,
): Promise<Signed<RequestClaims>> {
  const request = await checkRequest(c, octets, context, now);
  const { sub, anchor } = request.claims;
  if (sub !== context.entry) throw new Refusal("request_invalid", "sub is not this door's entry");
  if (anchor !== context.anchor) throw new Refusal("request_invalid", "another installation");
  return request;
}

/**
 * Opens R, N and E and checks that they are of one request, one key, one anchor, one proxy and one nonce (I-5 … I-8).
 * @throws Refusal codes of `open`; `request_invalid`, `request_expired`, `not_yet_valid`, `endorsement_invalid`, `evidence_invalid`, and those of `checkNonce`
 */
export async function checkBelonging(
  c: Crypto,
  posted: PostedRequest,
  context: AttestContext,
  now: Seconds,
): Promise<Belonging> {
  const request = await checkRequest(c, posted.request, context, now);
  const r = request.claims;
  const agent = agentId(r.sub, r.anchor);
  const endorsement = await openEndorsement(
    c,
    posted.endorsement,
    { request, agent, issuer: context.issuer },
    now,
  );
  const evidence = await openEvidence(c, posted.evidence, { request, context }, now);
  return { request, evidence, endorsement, agent, anchor: r.anchor };
}

async function openEndorsement(
  c: Crypto,
  octets: string,
  of: { readonly request: Signed<RequestClaims>; readonly agent: string; readonly issuer: string },
  now: Seconds,
): Promise<Signed<EndorsementClaims>> {
  const n = await open(c, ENDORSEMENT, octets);
  const wrong = (why: string): never => {
    throw new Refusal("endorsement_invalid", why);
  };
  if (thumbprint(c, n.key) !== of.request.claims.anchor) return wrong("signed by another anchor");
  if (n.claims.sub !== of.agent) return wrong("names another agent");
  if (n.claims.aud !== of.issuer) return wrong("aud is another server");
  if (n.claims.jkt !== thumbprint(c, of.request.key)) return wrong("endorses another key");
  if (sameKey(n.key, of.request.key)) return wrong("the anchor endorses itself");
  if (n.claims.iat > now + SKEW_SECONDS || now >= n.claims.exp) return wrong("is not valid now");
  const cap = n.claims.cs === undefined ? UNBOUND_TTL_CAP_SECONDS : OWNER_TTL_CAP_SECONDS;
  return n.claims.exp - n.claims.iat > cap ? wrong("lives too long") : n;
}

async function openEvidence(
  c: Crypto,
  octets: string,
  of: { readonly request: Signed<RequestClaims>; readonly context: AttestContext },
  now: Seconds,
): Promise<Signed<EvidenceClaims>> {
  const e = await open(c, EVIDENCE, octets, [of.context.proxyKey]);
  const wrong = (why: string): never => {
    throw new Refusal("evidence_invalid", why);
  };
  if (e.claims.eatNonce !== of.request.claims.nonce)
    return wrong("nonce is not the one of the request");
  if (e.claims.aud !== of.context.issuer) return wrong("aud is another server");
  if (e.claims.req !== of.request.digest) return wrong("is for another request");
  if (!sameKey(e.claims.key, of.request.key)) return wrong("is for another key");
  if (e.claims.iat > now + SKEW_SECONDS || now - e.claims.iat > REQUEST_LIFE_SECONDS + SKEW_SECONDS)
    return wrong("is not fresh");
  return e;
}
