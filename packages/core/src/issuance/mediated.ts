import type { Seconds } from "../crypto.ts";
import type { Approval } from "../consent/approval.ts";
import type { CredentialStatement, Measurement } from "../consent/statement.ts";
import { agentId } from "../identifier/workload.ts";
import type { Signed } from "../jose/signed.ts";
import { Refusal } from "../refusal.ts";
import { decideApproval, draftStatement, STATEMENT_LIFE_SECONDS } from "./approve.ts";
import type { Ask, EnrolledKey } from "./approve.ts";
import type { Entry } from "./entry.ts";
import type { Grant, Stop } from "./known.ts";
import type { RequestClaims } from "./request.ts";

const SKEW_SECONDS = 60;

const SEVERAL = "the registration takes several owners: they sign where all are asked";
const unsuitable = (why: string): never => {
  throw new Refusal("approval_unsuitable", why);
};

/** What a gateway makes a statement from: R as the proxy sent it, and what the proxy's evidence says. */
export interface MediatedMaterial {
  readonly request: Signed<RequestClaims>;
  readonly entry: Entry;
  readonly proxy: string;
  readonly measurements: readonly Measurement[];
  readonly issuer: string;
  readonly trustDomain: string;
}

/** What is made anew for each statement. */
export interface MediatedParts {
  readonly jti: string;
  /** 16 random octets, base64url. */
  readonly nonce: string;
}

/**
 * The statement that an owner's gateway signs over an R on its way to the server (DESIGN 4, owner-mediated). Its nonce
 * is its own, and it lives 300 s.
 * @throws Refusal `approval_unsuitable` where the registration names no owner, or several
 */
export function draftMediated(
  of: MediatedMaterial,
  key: EnrolledKey,
  parts: MediatedParts,
  now: Seconds,
): CredentialStatement {
  const { entry, proxy, measurements, issuer, trustDomain } = of;
  const { anchor } = of.request.claims;
  if (entry.owner === undefined) return unsuitable("the registration names no owner");
  if (entry.parties !== undefined) return unsuitable(SEVERAL);
  const ask: Ask = {
    req: of.request.digest,
    entry: entry.id,
    agent: agentId(entry.id, anchor),
    anchor,
    proxy,
    owner: entry.owner,
    measurements,
    state: "asked",
    deadline: now + STATEMENT_LIFE_SECONDS,
  };
  const lifeSeconds = STATEMENT_LIFE_SECONDS;
  return draftStatement(
    ask,
    entry,
    key,
    { issuer, trustDomain, ...parts, decision: "approve", lifeSeconds },
    now,
  );
}

/** What the server knows when a gateway brings an approval. */
export interface KnownOfMediated {
  /** Whether an administrator has named this owner for this gateway. */
  readonly signsForOwner: boolean;
  readonly entry: Entry | undefined;
  readonly key: EnrolledKey | undefined;
  /** Stops in force that touch it. */
  readonly stops: readonly Stop[];
  /** Whether this very statement was ever stopped: that burns it, also when the stop was lifted. */
  readonly wasStopped: boolean;
  /** Whether the server made the statement itself: then it is for the decision call alone. */
  readonly isOfServer: boolean;
  /** When the server was last recovered: what it knew of uses and stops before that may be lost. */
  readonly recoveredAt?: Seconds;
  /** Thumbprints of the keys of the proxy and of the gateway. */
  readonly attesterKeys: readonly string[];
  readonly issuer: string;
  readonly trustDomain: string;
}

/**
 * Nobody sits at a gateway: what signs there is a machine, and is shown as one. Where it runs beside or inside the
 * proxy, owner and attester would be one if they shared a key.
 */
function checkSigner(
  ask: Ask,
  body: CredentialStatement,
  { key, attesterKeys }: KnownOfMediated,
): void {
  if (key?.ownerKind === "person") unsuitable("a person's key does not sign in a gateway");
  if ([ask.anchor, ...attesterKeys].includes(body.owner.jkt))
    throw new Refusal("key_reused", "the owner's key is one of those that attest");
}

/** Fresh: made for this request, not kept for another day. */
function checkTimes(body: CredentialStatement, known: KnownOfMediated, now: Seconds): void {
  if (body.exp - body.iat > STATEMENT_LIFE_SECONDS) unsuitable("the statement lives too long");
  if (body.iat > now + SKEW_SECONDS) unsuitable("signed in the future");
  if (now >= body.grant.exp) throw new Refusal("approval_expired", "the grant is over");
  if (body.grant.nbf > now + SKEW_SECONDS) unsuitable("the grant begins later");
  if (known.recoveredAt !== undefined && body.iat <= known.recoveredAt + SKEW_SECONDS)
    unsuitable("signed before the server was recovered: it may have been used or stopped");
}

/**
 * Decides whether an approval that the owner's gateway made answers the question that its proxy asked (DESIGN 4,
 * owner-mediated). What it covers must be what was asked, inside what the registration allows: it is refused
 * otherwise, never clamped.
 * @throws Refusal `gateway_not_allowed`, `halted`, `statement_invalid`, `key_reused`, and as `decideApproval`
 */
export function decideMediated(
  ask: Ask,
  approval: Approval,
  known: KnownOfMediated,
  now: Seconds,
): Grant {
  const { body } = approval.statement;
  if (!known.signsForOwner)
    throw new Refusal("gateway_not_allowed", "the owner is not one that it signs for");
  if (known.wasStopped) throw new Refusal("halted", "this approval was stopped before it came");
  if (known.isOfServer)
    throw new Refusal("statement_invalid", "made by the server: for the decision call");
  if (known.entry?.parties !== undefined) return unsuitable(SEVERAL);
  checkSigner(ask, body, known);
  if (body.td !== known.trustDomain) return unsuitable("td");
  checkTimes(body, known, now);
  // a gateway looks at no terminal
  return { ...decideApproval(ask, approval, { ...known, digits: undefined }, now), model: "owner" };
}
