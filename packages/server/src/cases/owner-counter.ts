import { checkEligibility, counterStep, Refusal } from "@countersign/core";
import type { Digest, Seconds, SignatureFacts } from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { Change, Expectation, Once } from "../store/store.ts";
import type { World } from "../world.ts";
import { nonceUntil } from "./nonces.ts";
import { logRow } from "./record.ts";

/** A key, as it was read before its signature was judged, and what that verified signature says. */
export interface SigningKey {
  readonly row: OwnerKeyRow;
  readonly facts: SignatureFacts;
}

/** What a signature is over, and uses up: a statement, or the nonce of a sign-in. */
export type Spent = { readonly jti: string; readonly cs: Digest } | { readonly nonce: string };

/** What a decision that rests on owners' signatures adds to its commit. */
export interface MovedCounters {
  readonly changes: readonly Change[];
  /** Two decisions at once with one counter cannot both pass. */
  readonly ownerKeys: NonNullable<Expectation["ownerKeys"]>;
}

function onceOf(spent: Spent, now: Seconds): Once {
  return "nonce" in spent
    ? { kind: "nonce", value: spent.nonce, until: nonceUntil(now) }
    : { kind: "jti", value: spent.jti, until: Number.MAX_SAFE_INTEGER };
}

/**
 * Judges the counters of verified signatures over one statement or nonce, last of all checks: a signature that makes
 * nothing suspends nothing. A counter that went back suspends its key, in a commit that uses up what was signed: the
 * very signature that was accepted before, sent again, is "used" and no second signature.
 * @returns "used" and "conflict" as the commit says: load again
 * @throws Refusal `counter_regressed`; `signature_invalid` where the key may be copied and was registered otherwise
 */
export async function moveCounters(
  w: World,
  keys: readonly SigningKey[],
  spent: Spent,
): Promise<MovedCounters | "used" | "conflict"> {
  const changes: Change[] = [];
  for (const { row, facts } of keys) {
    checkEligibility(row.authenticator?.backupEligible, facts);
    const step = counterStep(row.counter, facts.counter);
    if (step === "regressed") return suspend(w, { row, facts }, spent);
    if (step === "advanced" && facts.counter !== undefined)
      changes.push({ set: "ownerKey", jkt: row.jkt, fields: { counter: facts.counter } });
  }
  const ownerKeys = keys.map(({ row: { jkt, counter } }) =>
    counter === undefined ? { jkt } : { jkt, counter },
  );
  return { changes, ownerKeys };
}

async function suspend(
  w: World,
  { row, facts }: SigningKey,
  spent: Spent,
): Promise<"used" | "conflict"> {
  const now = w.clock();
  const { jkt, owner, counter } = row;
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "key.suspended",
      t: now,
      actor: "server",
      reason: "counter_regressed",
      record: {
        v: 1,
        owner,
        key: jkt,
        kind: facts.kind,
        stored: counter ?? 0,
        shown: facts.counter ?? 0,
        ...("cs" in spent ? { cs: spent.cs } : {}),
      },
    }),
    changes: [{ set: "ownerKey", jkt, fields: { suspendedAt: now } }],
    once: [onceOf(spent, now)],
    expect: { ownerKeys: [counter === undefined ? { jkt } : { jkt, counter }] },
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") return committed;
  w.log.warn("key.suspended", { owner, jkt, stored: counter ?? 0, shown: facts.counter ?? 0 });
  throw new Refusal("counter_regressed", `key ${jkt.slice(0, 8)} is suspended`);
}

/** Takes a suspension away: an admin act, logged. The counter stays where it was. @throws Refusal `not_found`, `stale` */
export async function resumeKey(w: World, jkt: string, by: string): Promise<void> {
  const epoch = await w.store.epoch();
  const key = await w.store.ownerKey(jkt);
  if (key?.suspendedAt === undefined || key.removedAt !== undefined)
    throw new Refusal("not_found", "no such suspended key");
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "key.resumed",
      t: w.clock(),
      actor: "admin",
      record: { v: 1, owner: key.owner, key: jkt, since: key.suspendedAt, by },
    }),
    changes: [{ set: "ownerKey", jkt, fields: { suspendedAt: undefined } }],
    expect: { epoch }, // another suspension is another question
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
}
