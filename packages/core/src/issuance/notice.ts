import type { Digest, Seconds } from "../crypto.ts";
import { isDigest } from "../json/read.ts";
import { isObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";

/** What happened to an owner's keys, or to his printed codes. */
export type KeyChange =
  | "added"
  | "removed"
  | "suspended"
  | "resumed"
  | "recovery_announced"
  | "recovery_cancelled"
  | "recovered"
  | "codes_made";

/** By the types of the log. Whoever has a session can make codes, and keeps them when it is over. */
const CHANGES: Readonly<Record<string, KeyChange>> = {
  "key.added": "added",
  "key.removed": "removed",
  "key.suspended": "suspended",
  "key.resumed": "resumed",
  "key.recovery_announced": "recovery_announced",
  "key.recovery_cancelled": "recovery_cancelled",
  "key.recovered": "recovered",
  "owner.stop_codes_made": "codes_made",
  "admin.stop_codes_made": "codes_made",
};

export const KEY_CHANGES: readonly KeyChange[] = [...new Set(Object.values(CHANGES))];

/** Types of log rows that a notice may come of. */
export const NOTICE_TYPES: readonly string[] = ["approval.asked", ...Object.keys(CHANGES)];

/** What an owner is to hear of. */
export type NoticeCause =
  | {
      readonly kind: "request";
      readonly owners: readonly string[];
      readonly entry: string;
      readonly req: Digest;
    }
  | { readonly kind: "key"; readonly owners: readonly string[]; readonly change: KeyChange };

/** Notices of questions within an hour: of one agent, and to one owner of all agents. */
export const NOTICES_PER_AGENT = 3;
export const NOTICES_PER_OWNER = 10;
export const NOTICE_WINDOW_SECONDS = 3600;
/** From the first question that is withheld until the digest that speaks of it: others may join it. */
export const DIGEST_DELAY_SECONDS = 600;

/** What one owner was told in the last hour, and what he was not. */
export interface NoticeBudget {
  /** Notices of questions, oldest first. */
  readonly sent: readonly { readonly entry: string; readonly at: Seconds }[];
  /** When the last digest went out. */
  readonly digestAt?: Seconds;
  /** When the first question was withheld of which no digest speaks yet. */
  readonly withheldAt?: Seconds;
}

/** Of an owner who was told nothing. */
export const UNTOLD: NoticeBudget = { sent: [] };

/** `Array.isArray` does not narrow lists that are read only. */
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function ownersIn({ owner, parties }: JsonObject): readonly string[] {
  const several: Json = isObject(parties) ? (parties["owners"] ?? []) : [];
  const all: readonly Json[] = [owner ?? "", ...(isList(several) ? several : [])];
  return [...new Set(all.filter((one): one is string => typeof one === "string" && one !== ""))];
}

/**
 * What a log row gives notice of (owner.md 1.7): a question that its owner announced, and whatever happens to his keys. A
 * question that nobody announced makes none: it must not be able to call for anybody.
 * @param record what the row says; an empty object where it was erased
 */
export function noticeCause(type: string, record: JsonObject): NoticeCause | undefined {
  const owners = ownersIn(record);
  if (owners.length === 0) return undefined;
  if (type !== "approval.asked") {
    const change = Object.hasOwn(CHANGES, type) ? CHANGES[type] : undefined;
    return change === undefined ? undefined : { kind: "key", owners, change };
  }
  const { expected, entry, req } = record;
  if (expected !== true || typeof entry !== "string" || !isDigest(req)) return undefined;
  return { kind: "request", owners, entry, req };
}

/** A clock that was set leaves neither silence for long nor a second hour's notices at once. */
const isRecent = (at: Seconds, now: Seconds): boolean => Math.abs(now - at) < NOTICE_WINDOW_SECONDS;

/**
 * Whether an owner is told of one more question: at most three an hour of one agent and ten of all; the rest waits for a
 * digest. Notices of his keys are not counted and never withheld: whoever would hide one could use the budget up before.
 */
export function decideNotice(
  budget: NoticeBudget,
  entry: string,
  now: Seconds,
): { readonly isSent: boolean; readonly budget: NoticeBudget } {
  const sent = budget.sent.filter(({ at }) => isRecent(at, now));
  const ofAgent = sent.filter((one) => one.entry === entry).length;
  if (ofAgent < NOTICES_PER_AGENT && sent.length < NOTICES_PER_OWNER)
    return { isSent: true, budget: { ...budget, sent: [...sent, { entry, at: now }] } };
  return { isSent: false, budget: { ...budget, withheldAt: budget.withheldAt ?? now } };
}

/** When the next digest of an owner is due, at most one an hour; `undefined` where nothing is withheld. */
export function digestDueAt(
  { withheldAt, digestAt }: NoticeBudget,
  now: Seconds,
): Seconds | undefined {
  if (withheldAt === undefined) return undefined;
  const first = Math.min(withheldAt, now) + DIGEST_DELAY_SECONDS;
  if (digestAt === undefined || !isRecent(digestAt, now)) return first;
  return Math.max(first, digestAt + NOTICE_WINDOW_SECONDS);
}

/** The budget after a digest, or after it turned out that nothing waits any more. */
export function digestDone(budget: NoticeBudget, now: Seconds, isSent: boolean): NoticeBudget {
  const { withheldAt: _told, ...rest } = budget;
  return isSent ? { ...rest, digestAt: now } : rest;
}
