import {
  base64url,
  decideDigits,
  draftStatement,
  Refusal,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  STATEMENT_LIFE_SECONDS,
  statementId,
  writeStatement,
} from "@countersign/core";
import type { CredentialStatement, Entry, Quorum, Statement } from "@countersign/core";
import type { DigitsRow } from "../store/digits-row.ts";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { askOf, enrolledOf, findAsk } from "./asked.ts";
import { countMistyped } from "./digits.ts";
import { notEnrolled } from "./not-enrolled.ts";
import { mayAnswer, openForParty, quorumFor } from "./quorum.ts";

const MAX_TRIES = 3;
const NONCE_BYTES = 16;

/** What a renderer gets: it computes code and digest itself from these octets. */
export interface OpenedRequest {
  readonly statement: Statement;
  /** R's octets. */
  readonly request: string;
}

/** There is no statement before the digits of the agent's terminal were typed. */
export interface DigitsWanted {
  readonly triesLeft: number;
  /** What the statement would say, to be compared with what was approved last; nobody can sign it. */
  readonly draft: CredentialStatement;
  readonly request: string;
}

/** How a request is opened. */
export interface Opening {
  readonly jkt: string;
  /** What was typed of the digits that the agent's terminal shows. */
  readonly match?: string | undefined;
  /** Whether the statement is signed elsewhere, which takes longer. */
  readonly isElsewhere: boolean;
  /** Who opens it, as the log names him. */
  readonly by: string;
}

/** What a statement is made from, as it is now. */
interface Case {
  readonly row: AskRow;
  readonly request: string;
  readonly key: OwnerKeyRow;
  readonly entry: Entry;
  readonly digits: DigitsRow | undefined;
}

/**
 * The owner opens a request for one of his keys: the statement is made now, with a fresh nonce (DESIGN 6). Where somebody
 * sits at the terminal that asks, not before its two digits were typed. Where it takes several owners, see `openForParty`.
 * @throws Refusal `not_found`, `already_decided`, `approval_expired`, `key_not_enrolled`, `key_suspended`,
 * `hold`, `halted`, `entry_unknown`, `malformed_request`, `digits_mismatched`, `stale`
 */
export async function openRequest(
  w: World,
  idOrReq: string,
  opening: Opening,
): Promise<OpenedRequest | DigitsWanted> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const opened = await tryOnce(w, await load(w, idOrReq, opening.jkt), opening);
    if (opened !== "conflict") return opened;
  }
  throw new Refusal("stale");
}

/**
 * What a key would sign of a question as it is now. It is kept nowhere, so that nobody can sign it.
 * @throws Refusal as `openRequest`, but for what is typed
 */
export async function draftFor(
  w: World,
  idOrReq: string,
  jkt: string,
): Promise<CredentialStatement> {
  const of = await load(w, idOrReq, jkt);
  return draftOf(w, of, { isElsewhere: false }, await quorumFor(w, of.entry));
}

async function load(w: World, idOrReq: string, jkt: string): Promise<Case> {
  const now = w.clock();
  const row = await findAsk(w, idOrReq);
  if (row.state === "expired" || row.state === "superseded" || now >= row.deadline)
    throw new Refusal("approval_expired");
  if (row.state !== "asked" || row.request === undefined) throw new Refusal("already_decided");
  const key = await w.store.ownerKey(jkt);
  const { proxy, agent } = row;
  const known = await w.store.known({ proxy, agent, entry: row.entry, now });
  if (key === undefined || key.removedAt !== undefined) throw await notEnrolled(w, jkt);
  if (!mayAnswer(row, known.entry?.body, key.owner)) throw new Refusal("key_not_enrolled");
  if (key.suspendedAt !== undefined) throw new Refusal("key_suspended");
  if (known.hold !== undefined) throw new Refusal("hold", known.hold);
  if (known.stops.length > 0) throw new Refusal("halted");
  const entry = known.entry?.body;
  if (entry === undefined) throw new Refusal("entry_unknown");
  if (entry.proxy !== row.proxy)
    throw new Refusal("approval_unsuitable", "the agent is registered on another host now");
  return { row, request: row.request, key, entry, digits: await w.store.digits(row.req) };
}

async function tryOnce(
  w: World,
  of: Case,
  opening: Opening,
): Promise<OpenedRequest | DigitsWanted | "conflict"> {
  const { row, request, key, entry, digits } = of;
  const ruling = decideDigits(opening.match, digits, { ownerKind: key.kind });
  if (ruling.do === "ask") {
    const quorum = await quorumFor(w, entry);
    return { triesLeft: ruling.triesLeft, draft: draftOf(w, of, opening, quorum), request };
  }
  if (ruling.do !== "open") {
    if (digits === undefined) throw new TypeError("wrong digits of a question without any");
    return countMistyped(w, { row, known: digits, jkt: key.jkt, by: opening.by }, ruling);
  }
  if (entry.parties !== undefined)
    return { statement: await openForParty(w, row, entry, key, digits), request };
  const statement = writeStatement(w.c, draftOf(w, of, opening, undefined));
  const { bytes, body } = statement;
  const prepared = { jti: body.jti, req: row.req, ownerJkt: key.jkt, bytes, exp: body.exp };
  const opened = { note: "opened", req: row.req, owner: key.owner, at: body.iat } as const;
  const committed = await w.store.commit({
    changes: [{ put: "statement", row: prepared }, opened],
    // right digits came in time only while the last wrong ones have not denied it
    expect: { ask: { req: row.req, state: "asked" } },
  });
  return committed === "conflict" || committed === "used" ? "conflict" : { statement, request };
}

function draftOf(
  w: World,
  { row, entry, key, digits }: Case,
  { isElsewhere }: Pick<Opening, "isElsewhere">,
  quorum: Quorum | undefined,
): CredentialStatement {
  const now = w.clock();
  const parts = {
    issuer: w.config.issuer,
    trustDomain: w.config.trustDomain,
    jti: statementId(now, w.random),
    nonce: base64url(w.random(NONCE_BYTES)),
    decision: "approve",
    lifeSeconds: isElsewhere ? STATEMENT_LIFE_ELSEWHERE_SECONDS : STATEMENT_LIFE_SECONDS,
    quorum,
    digits: digits?.digits,
  } as const;
  return draftStatement(askOf(row), entry, enrolledOf(key), parts, now);
}
