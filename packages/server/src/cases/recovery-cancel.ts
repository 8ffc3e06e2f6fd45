import {
  base64url,
  fromBase64url,
  isKeyStatement,
  readOwnerSignature,
  readStatement,
  Refusal,
  STATEMENT_LIFE_SECONDS,
  statementId,
  thumbprint,
  verifyOwnerSignature,
  writeStatement,
} from "@countersign/core";
import type { JsonObject, KeyStatement, LeafType, Seconds, Statement } from "@countersign/core";
import type { OwnerKeyRow, RecoveryRow } from "../store/rows.ts";
import type { Change, Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

const NONCE_BYTES = 16;

/** The decision that ends a recovery before its time. */
export function cancelledBy(
  { id, owner, jkt }: RecoveryRow,
  by: string,
  now: Seconds,
): {
  readonly type: LeafType;
  readonly record: object;
  readonly changes: readonly Change[];
  readonly expect: NonNullable<Decision["expect"]>;
} {
  return {
    type: "key.recovery_cancelled",
    record: { v: 1, recovery: id, owner, key: jkt, by },
    changes: [{ set: "recovery", id, fields: { state: "cancelled", decidedAt: now } }],
    expect: { recovery: { id, state: "announced" } },
  };
}

/** @throws Refusal `already_decided` */
export async function cancel(
  w: World,
  recovery: RecoveryRow,
  by: string,
  actor: "owner" | "admin",
): Promise<void> {
  const now = w.clock();
  const { type, record, changes, expect } = cancelledBy(recovery, by, now);
  const committed = await w.store.commit({
    log: logRow(w, { type, t: now, actor, record }),
    changes,
    expect,
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("already_decided");
}

/** @throws Refusal `not_found`, `already_decided` */
async function pendingOf(w: World, id: string): Promise<RecoveryRow> {
  const recovery = await w.store.recovery(id);
  if (recovery === undefined)
    throw new Refusal("not_found", "no such recovery", "See them: countersign owner recover list.");
  if (recovery.state !== "announced") throw new Refusal("already_decided");
  return recovery;
}

/** An administrator cancels it; needs no signature: stopping is easy. @throws Refusal `not_found`, `already_decided` */
export async function cancelRecovery(w: World, id: string, by: string): Promise<void> {
  await cancel(w, await pendingOf(w, id), by, "admin");
}

/** An enabled key of the owner, which may cancel. @throws Refusal `key_not_enrolled`, `key_suspended` */
async function keyOf(w: World, recovery: RecoveryRow, jkt: string): Promise<OwnerKeyRow> {
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.owner !== recovery.owner || key.removedAt !== undefined)
    throw new Refusal("key_not_enrolled");
  if (key.suspendedAt !== undefined) throw new Refusal("key_suspended");
  return key;
}

/**
 * The denial that one of the owner's keys signs to cancel: the announced key statement with `decision: deny`, which no
 * relying party takes for an enrolment.
 * @throws Refusal `not_found`, `already_decided`, `key_not_enrolled`, `key_suspended`
 */
export async function openCancellation(
  w: World,
  id: string,
  jkt: string,
): Promise<Statement<KeyStatement>> {
  const recovery = await pendingOf(w, id);
  await keyOf(w, recovery, jkt);
  const announced = readStatement(w.c, recovery.statement);
  if (!isKeyStatement(announced)) throw new TypeError("a recovery rests on a key statement");
  const now = w.clock();
  const denial = writeStatement(w.c, {
    ...announced.body,
    decision: "deny",
    jti: statementId(now, w.random),
    iat: now,
    exp: now + STATEMENT_LIFE_SECONDS,
    nonce: base64url(w.random(NONCE_BYTES)),
  });
  const { jti, exp } = denial.body;
  const prepared = { jti, req: denial.cs, ownerJkt: jkt, bytes: denial.bytes, exp };
  await w.store.commit({ changes: [{ put: "statement", row: prepared }] });
  return denial;
}

/**
 * A valid signature of one of the owner's keys under the denial cancels, whoever posts it.
 * @throws Refusal `statement_invalid`, `approval_expired`, `signature_invalid`; as `openCancellation`
 */
export async function cancelBySignature(
  w: World,
  id: string,
  posted: { readonly statement: string; readonly sig: JsonObject },
): Promise<void> {
  const recovery = await pendingOf(w, id);
  const statement = readStatement(w.c, fromBase64url(posted.statement));
  const { body } = statement;
  const prepared = await w.store.statement(body.jti);
  const isOurs =
    isKeyStatement(statement) &&
    statement.body.key.jkt === recovery.jkt &&
    body.decision === "deny" &&
    prepared?.req === statement.cs;
  if (!isOurs || prepared === undefined)
    throw new Refusal("statement_invalid", "not the denial of this recovery");
  if (w.clock() >= body.exp) throw new Refusal("approval_expired", "the statement has expired");
  const { jwk, app } = await keyOf(w, recovery, prepared.ownerJkt);
  await verifyOwnerSignature(w.c, {
    statementBytes: statement.bytes,
    signature: readOwnerSignature(posted.sig),
    key: { jwk, ...(app === undefined ? {} : { app }) },
    pages: w.config.consent,
  });
  await cancel(w, recovery, thumbprint(w.c, jwk), "owner");
}
