import type { Digest, Jwk, Seconds } from "../crypto.ts";
import { assuranceOf } from "../consent/approval.ts";
import type { Approval } from "../consent/approval.ts";
import type {
  CredentialStatement,
  Measurement,
  OwnerKind,
  StatementView,
} from "../consent/statement.ts";
import { MAX_COUNT } from "../consent/statement-body.ts";
import type { IssuanceModel } from "../credential/owner-claim.ts";
import { VIEW_CREDENTIAL, VIEW_PARTIES } from "../consent/view.ts";
import { canonicalJson } from "../json/canonical.ts";
import { Refusal } from "../refusal.ts";
import { matchFor } from "./digits.ts";
import type { Entry } from "./entry.ts";
import type { Grant, Stop } from "./known.ts";
import { sameParties } from "./quorum.ts";
import type { Quorum } from "./quorum.ts";

/** A request that waits for its owner: what was verified when it came in. */
export interface Ask {
  readonly req: Digest;
  readonly entry: string;
  readonly agent: string;
  readonly anchor: string;
  readonly proxy: string;
  readonly owner: string;
  readonly measurements: readonly Measurement[];
  readonly state: "asked" | "approved" | "denied" | "expired" | "superseded";
  readonly deadline: Seconds;
}

/** A key of the owner as the server has it enrolled. */
export interface EnrolledKey {
  readonly jkt: string;
  readonly jwk: Jwk;
  readonly owner: string;
  readonly ownerKind: OwnerKind;
  /** Software keys make short grants only (DESIGN 6). */
  readonly isSoftware: boolean;
  readonly basis: string;
  readonly app?: string;
  /**
   * The server has verified an attestation of the key's hardware, and another key of the owner co-signed its adding.
   * Default false.
   */
  readonly isAttested?: boolean;
  readonly removedAt?: Seconds;
  readonly suspended?: boolean;
}

export const STATEMENT_LIFE_SECONDS = 300;
export const STATEMENT_LIFE_ELSEWHERE_SECONDS = 3600;
const STANDING_LENGTH_SECONDS = 7 * 86_400;
const SOFT_KEY_LENGTH_SECONDS = 86_400;
const SINGLE_LENGTH_SECONDS = 3600;

/** The grant that an entry asks for, with the defaults and caps of DESIGN 14 for this key. */
export function grantTerms(
  entry: Entry,
  key: Pick<EnrolledKey, "isSoftware">,
  now: Seconds,
): CredentialStatement["grant"] {
  const { grant: terms } = entry;
  const shortened = key.isSoftware && !entry.insecureSoftKeyStanding;
  const wanted = terms.lengthSeconds ?? STANDING_LENGTH_SECONDS;
  const length =
    terms.use === "single"
      ? SINGLE_LENGTH_SECONDS
      : shortened
        ? Math.min(wanted, SOFT_KEY_LENGTH_SECONDS)
        : wanted;
  const steady = Math.ceil((2 * terms.maxLive * length) / terms.maxTtlSeconds);
  return {
    use: terms.use,
    nbf: now,
    exp: now + length,
    max_ttl: terms.maxTtlSeconds,
    max_issue: terms.use === "single" ? 1 : (terms.maxIssue ?? steady),
    max_live: terms.use === "single" ? 1 : terms.maxLive,
    rekey: "endorsed",
    ceiling: terms.ceiling,
  };
}

/** What several owners signed fits no header once the log has grown: it must be there to be fetched. */
function checkShowable({ parties, evidence }: Entry): void {
  if (parties === undefined || evidence === "public") return;
  throw new Refusal(
    "malformed_request",
    "what several owners sign fits no header",
    "Let the server publish the evidence: leave --carried out.",
  );
}

/**
 * Refuses terms from which no statement could be made: a steady renewal of so many would need more credentials than
 * one approval can give. Said when the agent is registered, not to the owner who opens its first request.
 * @throws Refusal `malformed_request`
 */
export function checkTerms(entry: Entry): void {
  checkShowable(entry);
  const { max_issue: needed } = grantTerms(entry, { isSoftware: false }, 0);
  if (entry.binding === "none" || needed <= MAX_COUNT) return;
  throw new Refusal(
    "malformed_request",
    `max_issue would be ${needed}`,
    `One approval gives at most ${MAX_COUNT} credentials, and renewing so many needs ${needed}: write max_issue, a shorter length or a smaller max_live.`,
  );
}

/** What the server puts into a statement beside the ask. */
export interface StatementParts {
  readonly issuer: string;
  readonly trustDomain: string;
  readonly jti: string;
  /** 16 random octets, base64url. */
  readonly nonce: string;
  readonly decision: "approve" | "deny";
  /** How long the ceremony may take: 300 s, or 3600 s when signed elsewhere. */
  readonly lifeSeconds: Seconds;
  /** Where it takes several owners. */
  readonly quorum?: Quorum | undefined;
  /** The question's two digits, as `KnownOfApproval` has them. */
  readonly digits?: string | undefined;
}

/** The `view` of a statement, with the digits that its signer has typed. */
function viewOf(key: EnrolledKey, { quorum, digits }: StatementParts): StatementView {
  const view = quorum === undefined ? VIEW_CREDENTIAL : VIEW_PARTIES;
  const match = matchFor(digits, key, quorum);
  return match === undefined ? view : { ...view, match };
}

/** The statement made when the owner opens a request for one of his keys (DESIGN 6). */
export function draftStatement(
  ask: Ask,
  entry: Entry,
  key: EnrolledKey,
  parts: StatementParts,
  now: Seconds,
): CredentialStatement {
  const { quorum } = parts;
  const terms = grantTerms(entry, quorum ?? key, now);
  return {
    typ: "agent-consent/1",
    kind: "credential",
    decision: parts.decision,
    jti: parts.jti,
    aud: parts.issuer,
    td: parts.trustDomain,
    iat: now,
    exp: Math.min(now + parts.lifeSeconds, ask.deadline),
    nonce: parts.nonce,
    owner: { id: quorum === undefined ? ask.owner : key.owner, jkt: key.jkt },
    agent: { id: ask.agent, jkt: ask.anchor, meas: ask.measurements, host: ask.proxy },
    req: ask.req,
    grant: quorum === undefined ? terms : { ...terms, parties: quorum.parties },
    view: viewOf(key, parts),
  };
}

function sameMeasurements(a: readonly Measurement[], b: readonly Measurement[]): boolean {
  return canonicalJson([...a]) === canonicalJson([...b]);
}

/** What the server knows of an ask's entry and of the key that answers it. */
export interface KnownOfApproval {
  readonly entry: Entry | undefined;
  readonly key: EnrolledKey | undefined;
  /** Where the entry demands several owners. */
  readonly quorum?: Quorum | undefined;
  readonly stops: readonly Stop[];
  /** What the terminal of the run that asks shows; undefined where the question has no digits. */
  readonly digits: string | undefined;
  readonly issuer: string;
}

/**
 * Decides whether a verified signature of the owner makes the grant (or the denial) of this ask. The signature
 * decides, whoever brought it; everything it covers must be what was asked.
 * @throws Refusal `already_decided`, `approval_expired`, `halted`, `key_not_enrolled`, `key_suspended`, `approval_unsuitable`
 */
export function decideApproval(
  ask: Ask,
  approval: Approval,
  known: Omit<KnownOfApproval, "quorum">,
  now: Seconds,
): Grant {
  return grantOf(approval, checkAnswer(ask, approval, known, now), "server");
}

/**
 * Checks that a verified signature answers this ask, by a key that may. Whether it is enough is decided apart.
 * @throws Refusal as `decideApproval`; `stale` when the owners who must sign, or their keys, are others than it names
 */
export function checkAnswer(
  ask: Ask,
  approval: Approval,
  known: KnownOfApproval,
  now: Seconds,
): EnrolledKey {
  const { entry, quorum } = known;
  const { body } = approval.statement;
  const unsuitable = (why: string): never => {
    throw new Refusal("approval_unsuitable", why);
  };
  if (ask.state === "expired" || ask.state === "superseded" || now >= ask.deadline)
    throw new Refusal("approval_expired");
  if (ask.state !== "asked") throw new Refusal("already_decided");
  if (known.stops.length > 0) throw new Refusal("halted");
  const owner = quorum === undefined ? ask.owner : body.owner.id;
  const key = checkKey(known.key, owner);
  if (body.kind !== "credential") return unsuitable("the statement is of another kind");
  if (body.aud !== known.issuer) return unsuitable("aud");
  if (body.owner.id !== owner || body.owner.jkt !== key.jkt) return unsuitable("owner");
  if (now >= body.exp) throw new Refusal("approval_expired", "the statement has expired");
  if (body.req !== ask.req || body.agent.id !== ask.agent || body.agent.jkt !== ask.anchor)
    return unsuitable("agent or request");
  if (body.agent.host !== undefined && body.agent.host !== ask.proxy) return unsuitable("host");
  if (!sameMeasurements(body.agent.meas, ask.measurements)) return unsuitable("measurements");
  if (entry === undefined || entry.binding !== "owner" || entry.owner !== ask.owner)
    return unsuitable("the registration changed");
  if (entry.proxy !== ask.proxy) return unsuitable("the agent is registered on another host now");
  if ((entry.parties === undefined) !== (quorum === undefined))
    return unsuitable("the registration takes several owners, and one has signed");
  if (body.view.match !== matchFor(known.digits, key, quorum))
    return unsuitable("the two digits of the agent's terminal");
  // it names the signer too: that is a rule of the statement
  if (!sameParties(body.grant.parties, quorum?.parties))
    throw new Refusal("stale", "the owners who must sign, or their keys, have changed");
  if (!insideEntry(body.grant, grantTerms(entry, quorum ?? key, body.grant.nbf)))
    return unsuitable("the grant is wider than the registration allows");
  return key;
}

/** The key, enrolled for this owner and neither removed nor suspended. @throws Refusal `key_not_enrolled`, `key_suspended` */
export function checkKey(key: EnrolledKey | undefined, owner: string): EnrolledKey {
  if (key === undefined || key.removedAt !== undefined || key.owner !== owner)
    throw new Refusal("key_not_enrolled");
  if (key.suspended === true) throw new Refusal("key_suspended");
  return key;
}

/** What a verified approval gives, by a key as it is enrolled. */
export function grantOf(approval: Approval, key: EnrolledKey, model: IssuanceModel): Grant {
  return {
    cs: approval.statement.cs,
    statement: approval.statement.body,
    ownerKey: key.jwk,
    ownerKind: key.ownerKind,
    basis: key.basis,
    assurance: assuranceOf(approval.facts, key.ownerKind, key.isAttested === true),
    model,
  };
}

/** Whether a grant lies inside what the registration would have asked for at the same start. */
export function insideEntry(
  grant: CredentialStatement["grant"],
  cap: CredentialStatement["grant"],
): boolean {
  const approved = new Set(cap.ceiling.map((item) => canonicalJson(item)));
  const ceilingFits =
    cap.ceiling.length === 0 ||
    (grant.ceiling.length > 0 && grant.ceiling.every((item) => approved.has(canonicalJson(item))));
  return (
    ceilingFits &&
    (grant.use === cap.use || grant.use === "single") &&
    grant.exp <= cap.exp &&
    grant.max_ttl <= cap.max_ttl &&
    grant.max_issue <= cap.max_issue &&
    grant.max_live <= cap.max_live
  );
}

/**
 * Whether what the first party was shown may still be shown to the next: not over, about the same owners and keys, and
 * inside what the registration allows now.
 */
export function isStanding(
  { exp, grant }: CredentialStatement,
  entry: Entry,
  quorum: Quorum,
  now: Seconds,
): boolean {
  return (
    now < exp &&
    sameParties(grant.parties, quorum.parties) &&
    insideEntry(grant, grantTerms(entry, quorum, grant.nbf))
  );
}
