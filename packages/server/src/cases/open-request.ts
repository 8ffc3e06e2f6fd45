import {
  base64url,
  draftStatement,
  Refusal,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  STATEMENT_LIFE_SECONDS,
  statementId,
  writeStatement,
} from "@countersign/core";
import type { Statement } from "@countersign/core";
import type { AskRow, StatementRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { askOf, enrolledOf, findAsk } from "./asked.ts";
import { notEnrolled } from "./not-enrolled.ts";
import { mayAnswer, openForParty } from "./quorum.ts";

const NONCE_BYTES = 16;

/** What a renderer gets: it computes code and digest itself from these octets. */
export interface OpenedRequest {
  readonly id: string;
  readonly statement: Statement;
  /** R's octets. */
  readonly request: string;
  readonly row: AskRow;
}

/**
 * The owner opens a request for one of his keys: the statement is made now, with a fresh nonce (DESIGN 6). Where it takes
 * several owners, see `openForParty`.
 * @throws Refusal `not_found`, `already_decided`, `approval_expired`, `key_not_enrolled`, `key_suspended`,
 * `hold`, `halted`, `entry_unknown`
 */
export async function openRequest(
  w: World,
  idOrReq: string,
  jkt: string,
  isElsewhere: boolean,
): Promise<OpenedRequest> {
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
  if (entry.parties !== undefined) {
    const statement = await openForParty(w, row, entry, key);
    return { id: row.id, statement, request: row.request, row };
  }
  const statement = writeStatement(
    w.c,
    draftStatement(
      askOf(row),
      entry,
      enrolledOf(key),
      {
        issuer: w.config.issuer,
        trustDomain: w.config.trustDomain,
        jti: statementId(now, w.random),
        nonce: base64url(w.random(NONCE_BYTES)),
        decision: "approve",
        lifeSeconds: isElsewhere ? STATEMENT_LIFE_ELSEWHERE_SECONDS : STATEMENT_LIFE_SECONDS,
      },
      now,
    ),
  );
  const prepared: StatementRow = {
    jti: statement.body.jti,
    req: row.req,
    ownerJkt: jkt,
    bytes: statement.bytes,
    exp: statement.body.exp,
  };
  await w.store.commit({ changes: [{ put: "statement", row: prepared }] });
  return { id: row.id, statement, request: row.request, row };
}
