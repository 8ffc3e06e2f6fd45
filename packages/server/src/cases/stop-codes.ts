import {
  base64url,
  makeStopCode,
  readStopCode,
  Refusal,
  STOP_CODE_COUNT,
  stopCodePayload,
} from "@countersign/core";
import type { LeafType, Seconds } from "@countersign/core";
import type { OwnerRow, StopCodeRow, StopRow } from "../store/rows.ts";
import type { Change, Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { STOP_ID_BYTES } from "./halt.ts";
import { cancelledBy } from "./recovery-cancel.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

/** Who acts with a code, as the log names him. */
const BY = "stop code";

const invalid = (): Refusal => new Refusal("stop_code_invalid");

function hashOf(w: World, code: string): string {
  return base64url(w.keys.mac(stopCodePayload(code)));
}

/**
 * Makes the owner's codes, which replace those that he had. They are given out here and kept nowhere.
 * @returns in the order in which the store keeps their hashes, so that a used one is known by its number on the paper
 */
export async function makeStopCodes(
  w: World,
  owner: OwnerRow,
  by: string,
  actor: "admin" | "owner" = "admin",
): Promise<readonly string[]> {
  const now = w.clock();
  const made = Array.from({ length: STOP_CODE_COUNT }, () => {
    const code = makeStopCode(w.random);
    return { code, hash: hashOf(w, code) };
  }).toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
  const codes = made.map(({ code }) => code);
  const rows = made.map(({ hash }): StopCodeRow => ({ hash, owner: owner.id, madeAt: now }));
  const committed = await w.store.commit({
    log: logRow(w, {
      type: `${actor}.stop_codes_made`,
      t: now,
      actor,
      record: { v: 1, owner: owner.id, count: codes.length, by },
    }),
    changes: [
      { drop: "stopCodes", owner: owner.id },
      ...rows.map((row): Change => ({ put: "stopCode", row })),
    ],
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("stale");
  return codes;
}

/** What a code is used for. */
export type StopCodeUse =
  | { readonly do: "stop" }
  | { readonly do: "remove_key"; readonly jkt: string }
  | { readonly do: "cancel_recovery" };

/** What was done, as far as whoever holds a code may know it. */
export interface StopCodeUsed {
  readonly done: StopCodeUse["do"];
  readonly at: Seconds;
  /** Codes of the same paper that are good still. */
  readonly codesLeft: number;
}

/** The part of a decision that is particular to one use. */
interface Effect {
  readonly type: LeafType;
  readonly reason?: string;
  readonly record: object;
  readonly changes: readonly Change[];
  readonly expect?: Decision["expect"];
}

function stopEffect(w: World, owner: string, now: Seconds): Effect {
  const stop: StopRow = {
    id: typedId(w, STOP_ID_BYTES),
    scope: "owner",
    target: owner,
    since: now,
    by: BY,
    reason: "",
  };
  return {
    type: "halt.set",
    reason: "owner",
    record: { v: 1, ...stop },
    changes: [
      { put: "stop", row: stop },
      { end: "grants", scope: "owner", target: owner, at: now, why: "halted: owner" },
    ],
  };
}

async function removeEffect(w: World, owner: string, jkt: string, now: Seconds): Promise<Effect> {
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.owner !== owner || key.removedAt !== undefined)
    throw new Refusal(
      "not_found",
      "no such key of this owner",
      "Give its whole thumbprint. The code was not used.",
    );
  return {
    type: "key.removed",
    record: { v: 1, owner, key: jkt, by: BY },
    changes: [
      { set: "ownerKey", jkt, fields: { removedAt: now } },
      { end: "grants", scope: "ownerKey", target: jkt, at: now, why: "key removed" },
      { bump: "bundleSequence" },
    ],
  };
}

async function cancelEffect(w: World, owner: string, now: Seconds): Promise<Effect> {
  const [pending] = await w.store.recoveries({ owner, state: "announced" });
  if (pending === undefined)
    throw new Refusal("not_found", "no recovery is announced", "The code was not used.");
  const { type, record, changes, expect } = cancelledBy(pending, BY, now);
  return { type, record, changes, expect };
}

/**
 * Uses one printed code: stops everything of its owner, or takes one of his keys away, or cancels a recovery of him. One
 * commit, in which the code is spent. Whatever is wrong with a code, the answer is the same.
 * @throws Refusal `stop_code_invalid`; with a good code that stays unspent: `not_found`, `stale`
 */
export async function useStopCode(
  w: World,
  typed: string,
  use: StopCodeUse,
): Promise<StopCodeUsed> {
  const now = w.clock();
  const code = readStopCode(typed);
  // looked up in any case, so that a malformed one takes as long
  const row = await w.store.stopCode(hashOf(w, code ?? ""));
  if (code === undefined || row === undefined || row.usedAt !== undefined) throw invalid();
  const { hash, owner } = row;
  const effect =
    use.do === "stop"
      ? stopEffect(w, owner, now)
      : use.do === "remove_key"
        ? await removeEffect(w, owner, use.jkt, now)
        : await cancelEffect(w, owner, now);
  const { type, reason, record, changes, expect } = effect;
  const committed = await w.store.commit({
    log: logRow(w, {
      type,
      t: now,
      actor: "owner",
      record,
      ...(reason === undefined ? {} : { reason }),
    }),
    changes: [...changes, { set: "stopCode", hash, fields: { usedAt: now } }],
    once: [{ kind: "code", value: hash, until: Number.MAX_SAFE_INTEGER }],
    bumpEpoch: true,
    ...(expect === undefined ? {} : { expect }),
  });
  if (committed === "used") throw invalid();
  if (committed === "conflict")
    throw (await w.store.stopCode(hash)) === undefined ? invalid() : new Refusal("stale");
  const left = (await w.store.stopCodes(owner)).filter(({ usedAt }) => usedAt === undefined);
  return { done: use.do, at: now, codesLeft: left.length };
}
