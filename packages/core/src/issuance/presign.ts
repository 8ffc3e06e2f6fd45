import type { Seconds } from "../crypto.ts";
import type { Approval } from "../consent/approval.ts";
import type { CredentialStatement, Measurement } from "../consent/statement.ts";
import { agentId } from "../identifier/workload.ts";
import type { Signed } from "../jose/signed.ts";
import { Refusal } from "../refusal.ts";
import { checkKey, draftStatement, grantOf, grantTerms, insideEntry } from "./approve.ts";
import type { Ask, EnrolledKey } from "./approve.ts";
import type { Entry } from "./entry.ts";
import type { Grant, Stop } from "./known.ts";
import type { RequestClaims } from "./request.ts";

/** How long R and the statement of an approval that was signed beforehand may wait (DESIGN 14). */
export const PRESIGNED_LIFE_SECONDS: Seconds = 7 * 86_400;
const SKEW_SECONDS = 60;

const unsuitable = (why: string): never => {
  throw new Refusal("approval_unsuitable", why);
};

/** Signatures of several owners are gathered by the server, once somebody has asked. */
function refuseParties({ parties }: Entry): void {
  if (parties === undefined) return;
  throw new Refusal(
    "approval_unsuitable",
    `the registration takes ${parties.m} owners`,
    "What takes several owners cannot be signed beforehand: let the agent ask, and each of them approve.",
  );
}

/** What a statement that is signed beforehand is made from: what the proxy of this host knows and measured. */
export interface PresignedMaterial {
  readonly request: Signed<RequestClaims>;
  readonly entry: Entry;
  readonly proxy: string;
  readonly measurements: readonly Measurement[];
  readonly issuer: string;
  readonly trustDomain: string;
}

/**
 * The statement over an R that nobody but this host has seen: R's nonce is its own, and it ends with R.
 * @throws Refusal `approval_unsuitable` where the registration names no owner
 */
export function draftPresigned(
  of: PresignedMaterial,
  key: EnrolledKey,
  jti: string,
  now: Seconds,
): CredentialStatement {
  const { entry, proxy, measurements, issuer, trustDomain } = of;
  const { anchor, exp, nonce } = of.request.claims;
  if (entry.owner === undefined) return unsuitable("the registration names no owner");
  refuseParties(entry);
  const ask: Ask = {
    req: of.request.digest,
    entry: entry.id,
    agent: agentId(entry.id, anchor),
    anchor,
    proxy,
    owner: entry.owner,
    measurements,
    state: "asked",
    deadline: exp,
  };
  const lifeSeconds = PRESIGNED_LIFE_SECONDS;
  const parts = { issuer, trustDomain, jti, nonce, decision: "approve", lifeSeconds } as const;
  return draftStatement(ask, entry, key, parts, now);
}

/** R, opened, with the owner's verified approval over it, as one proxy brought them. */
export interface PresignedConsent {
  readonly request: Signed<RequestClaims>;
  readonly approval: Approval;
  /** Id of the proxy that brought it. */
  readonly proxy: string;
}

/** What the server knows of it. */
export interface KnownOfPresigned {
  readonly entry: Entry | undefined;
  readonly key: EnrolledKey | undefined;
  /** Stops in force that touch it. */
  readonly stops: readonly Pick<Stop, "scope">[];
  /** Whether this very statement was ever stopped: that burns it, also when the stop was lifted. */
  readonly wasStopped: boolean;
  /** Whether the server made the statement itself: then it is for the decision call alone. */
  readonly isOfServer: boolean;
  /** When the server was last recovered: what it knew of uses and stops before that may be lost. */
  readonly recoveredAt?: Seconds;
  readonly issuer: string;
  readonly trustDomain: string;
}

/** R under the agent's own nonce, with a life of up to 7 d. */
function checkRequest({ aud, iat, exp }: RequestClaims, issuer: string, now: Seconds): void {
  if (aud !== issuer) throw new Refusal("request_invalid", "aud is another server");
  if (iat > now + SKEW_SECONDS) throw new Refusal("not_yet_valid");
  if (now >= exp) throw new Refusal("request_expired");
}

/** That the owner approved this R, this installation and this host, and nothing else. */
function checkSubject(of: PresignedConsent, body: CredentialStatement): void {
  const { claims, digest } = of.request;
  if (body.req !== digest) unsuitable("another request");
  if (body.nonce !== claims.nonce) unsuitable("the nonce is not that of the request");
  if (body.agent.jkt !== claims.anchor) unsuitable("another installation");
  if (body.agent.id !== agentId(claims.sub, claims.anchor)) unsuitable("another agent");
  if (body.agent.host !== undefined && body.agent.host !== of.proxy) unsuitable("another host");
}

/** A statement that begins later, or a grant that does, would stretch the days that were approved. */
function checkTimes(body: CredentialStatement, now: Seconds): void {
  if (now >= body.exp) throw new Refusal("approval_expired", "the statement has expired");
  if (body.iat > now + SKEW_SECONDS) unsuitable("signed in the future");
  if (now >= body.grant.exp) throw new Refusal("approval_expired", "the grant is over");
  if (body.grant.nbf > now + SKEW_SECONDS) unsuitable("the grant begins later");
}

/**
 * Decides whether an approval that the owner signed before the server was asked makes its grant (DESIGN 4,
 * agent-mediated). What it covers must be what the registration allows now: it is refused otherwise, never clamped.
 * Nothing is issued from this R.
 * @throws Refusal `halted`, `statement_invalid`, `request_invalid`, `request_expired`, `not_yet_valid`, `entry_unknown`,
 * `entry_not_served`, `key_not_enrolled`, `key_suspended`, `approval_expired`, `approval_unsuitable`
 */
export function decidePresigned(
  of: PresignedConsent,
  known: KnownOfPresigned,
  now: Seconds,
): Grant {
  const { body } = of.approval.statement;
  const { entry } = known;
  if (known.stops.length > 0) throw new Refusal("halted");
  if (known.wasStopped) throw new Refusal("halted", "this approval was stopped before it came");
  if (known.isOfServer)
    throw new Refusal("statement_invalid", "made by the server: for the decision call");
  checkRequest(of.request.claims, known.issuer, now);
  if (entry === undefined || entry.id !== of.request.claims.sub) throw new Refusal("entry_unknown");
  if (entry.proxy !== of.proxy) throw new Refusal("entry_not_served");
  if (body.aud !== known.issuer) return unsuitable("aud");
  if (body.td !== known.trustDomain) return unsuitable("td");
  if (entry.binding !== "owner" || entry.owner !== body.owner.id)
    return unsuitable("the registration names another owner");
  refuseParties(entry);
  const key = checkKey(known.key, entry.owner);
  if (body.owner.jkt !== key.jkt) return unsuitable("owner");
  checkSubject(of, body);
  if (body.view.match !== undefined) return unsuitable("digits, and nobody has asked yet");
  checkTimes(body, now);
  if (known.recoveredAt !== undefined && body.iat <= known.recoveredAt + SKEW_SECONDS)
    return unsuitable("signed before the server was recovered: it may have been used or stopped");
  if (!insideEntry(body.grant, grantTerms(entry, key, body.grant.nbf)))
    return unsuitable("the grant is wider than the registration allows");
  return grantOf(of.approval, key, "agent");
}
