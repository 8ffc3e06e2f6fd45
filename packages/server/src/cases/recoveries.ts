import { fromBase64url, isKeyStatement, readStatement, Refusal } from "@countersign/core";
import type { JsonObject, KeyStatement, Seconds, Statement } from "@countersign/core";
import type { OwnerKeyRow, RecoveryRow } from "../store/rows.ts";
import type { Change, Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { coSignerThumbprints, othersOf } from "./owner-chain.ts";
import { moveCounters } from "./owner-counter.ts";
import type { MovedCounters } from "./owner-counter.ts";
import { verifiedKey } from "./owners.ts";
import type { PostedKey, VerifiedKey } from "./owners.ts";
import { logRow, newSalt } from "./record.ts";
import { cancel } from "./recovery-cancel.ts";
import { typedId } from "./typed-id.ts";

const RECOVERY_ID_BYTES = 6;
/** How many other persons enable a new key at once. */
const PERSONS_NEEDED = 2;
const MAX_TRIES = 3;

/** A new key that is to be the only one, and the statement that made it. */
interface NewKey {
  readonly row: OwnerKeyRow;
  readonly statement: Statement<KeyStatement>;
}

/** What a commit rests on beside the epoch. */
interface Guard {
  readonly epoch: number;
  readonly moved?: MovedCounters;
  readonly recovery?: RecoveryRow;
}

function recoveredLog(
  w: World,
  { row, statement: { cs } }: NewKey,
  actor: "owner" | "admin",
  t: Seconds,
): NonNullable<Decision["log"]> {
  const { owner, jkt, kind, basis } = row;
  const salt = newSalt(w);
  return logRow(w, {
    type: "key.recovered",
    t,
    actor,
    record: { v: 1, owner, key: jkt, kind, basis, cs, co_signers: coSignerThumbprints(w, row) },
    forms: [{ name: "key", salt, payload: fromBase64url(cs.slice("sha-256:".length)) }],
  });
}

/** The lost keys go, what they approved ends and is not moved, and the new key is there: one commit. */
async function commitRecovered(
  w: World,
  key: NewKey,
  actor: "owner" | "admin",
  { epoch, moved, recovery }: Guard,
): Promise<"written" | "used" | "conflict"> {
  const now = w.clock();
  const { row, statement } = key;
  const lost = (await w.store.ownerKeys(row.owner)).filter((one) => one.removedAt === undefined);
  const done = { state: "recovered", decidedAt: now } as const;
  const committed = await w.store.commit({
    log: recoveredLog(w, key, actor, now),
    changes: [
      ...(moved?.changes ?? []),
      ...lost.flatMap(({ jkt }): readonly Change[] => [
        { set: "ownerKey", jkt, fields: { removedAt: now } },
        { end: "grants", scope: "ownerKey", target: jkt, at: now, why: "key lost" },
      ]),
      { put: "ownerKey", row },
      { drop: "invitations", owner: row.owner },
      { bump: "bundleSequence" },
      ...(recovery === undefined
        ? []
        : [{ set: "recovery", id: recovery.id, fields: done } satisfies Change]),
    ],
    once: [
      { kind: "jti", value: statement.body.jti, until: Number.MAX_SAFE_INTEGER },
      { kind: "key", value: row.jkt, until: Number.MAX_SAFE_INTEGER },
    ],
    expect: {
      epoch,
      ...(moved === undefined ? {} : { ownerKeys: moved.ownerKeys }),
      ...(recovery === undefined ? {} : { recovery: { id: recovery.id, state: "announced" } }),
    },
    bumpEpoch: true,
    issues: true,
  });
  return typeof committed === "string" ? committed : "written";
}

/** What became of a recovery that was posted. */
export type RecoveryAnswer =
  | { readonly state: "recovered"; readonly row: OwnerKeyRow }
  | { readonly state: "announced"; readonly recovery: RecoveryRow };

/**
 * A new key for an owner who lost every one. With signatures of two other persons it is enabled at once; without any it
 * is announced, and enabled after the configured delay unless somebody cancels it (owner.md 1.10).
 * @param by who announces it, as the log names him
 * @throws Refusal `co_signers_insufficient` with one other person, `recovery_pending`, `not_found` for an owner who never had a
 * key, `replayed`, `stale`; as `verifiedKey`
 */
export async function recover(w: World, posted: PostedKey, by: string): Promise<RecoveryAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const epoch = await w.store.epoch();
    const find = (owner: string): ReturnType<typeof othersOf> =>
      othersOf(w, owner, posted.coSignatures);
    const verified = await verifiedKey(w, posted, find, w.clock());
    const { row, statement, signing } = verified;
    if ((await w.store.ownerKeys(row.owner)).length === 0)
      throw new Refusal(
        "not_found",
        "the owner never had a key",
        "Enrol the first one: countersign owner enrol.",
      );
    const persons = new Set(signing.map((one) => one.row.owner)).size;
    if (persons === 0)
      return { state: "announced", recovery: await announce(w, { row, statement }, by) };
    if (persons < PERSONS_NEEDED)
      throw new Refusal(
        "co_signers_insufficient",
        `one other person signed, and ${PERSONS_NEEDED} are needed`,
      );
    const outcome = await recoverAtOnce(w, verified, epoch);
    if (outcome === "written") return { state: "recovered", row };
    if (outcome === "used") throw new Refusal("replayed", "the statement or key was used");
    if (attempt === MAX_TRIES) throw new Refusal("stale");
  }
}

/** Two persons outvote what waits on an administrator's word alone: that is cancelled first. */
async function recoverAtOnce(
  w: World,
  { row, statement, signing }: VerifiedKey,
  epoch: number,
): Promise<"written" | "used" | "conflict"> {
  const [pending] = await w.store.recoveries({ owner: row.owner, state: "announced" });
  if (pending !== undefined) await cancel(w, pending, "two other persons", "owner");
  const moved = await moveCounters(w, signing, { jti: statement.body.jti, cs: statement.cs });
  if (typeof moved === "string") return moved;
  return commitRecovered(w, { row, statement }, "owner", { epoch, moved });
}

async function announce(w: World, { row, statement }: NewKey, by: string): Promise<RecoveryRow> {
  const now = w.clock();
  const { statement: octets, ...key } = row;
  const recovery: RecoveryRow = {
    id: typedId(w, RECOVERY_ID_BYTES),
    owner: row.owner,
    jkt: row.jkt,
    key: key as unknown as JsonObject, // plain data
    statement: octets,
    announcedAt: now,
    enabledAt: now + w.config.recoveryDelaySeconds,
    state: "announced",
  };
  const { id, owner, jkt, enabledAt } = recovery;
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "key.recovery_announced",
      t: now,
      actor: "admin",
      record: { v: 1, recovery: id, owner, key: jkt, cs: statement.cs, enabled_at: enabledAt, by },
    }),
    changes: [{ put: "recovery", row: recovery }], // one an owner: the store refuses a second
    issues: true,
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("recovery_pending");
  return recovery;
}

/** One that was announced and whose time has come, unless it was cancelled meanwhile. */
async function enable(w: World, recovery: RecoveryRow): Promise<boolean> {
  const statement = readStatement(w.c, recovery.statement);
  if (!isKeyStatement(statement)) throw new TypeError("a recovery rests on a key statement");
  const kept = recovery.key as unknown as Omit<OwnerKeyRow, "statement">; // as `announce` has put it
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const epoch = await w.store.epoch();
    const row = { ...kept, statement: recovery.statement, addedAt: w.clock() };
    const outcome = await commitRecovered(w, { row, statement }, "admin", { epoch, recovery });
    if (outcome === "written") return true;
    if ((await w.store.recovery(recovery.id))?.state !== "announced") return false;
  }
  return false; // the next round tries again
}

/** Enables every recovery that is due. @returns how many */
export async function enableRecoveries(w: World): Promise<number> {
  if (w.store.hold() !== undefined) return 0;
  const now = w.clock();
  const announced = await w.store.recoveries({ state: "announced" });
  let enabled = 0;
  for (const recovery of announced)
    if (now >= recovery.enabledAt && (await enable(w, recovery))) enabled += 1;
  return enabled;
}
