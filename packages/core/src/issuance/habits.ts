import type { Seconds } from "../crypto.ts";

/** How far back is looked. */
export const HABITS_SECONDS: Seconds = 30 * 86_400;
/** A person's decisions that are looked at, the newest ones. */
const MAX_DECISIONS = 50;
/** Fewer signatures than this say nothing of a habit. */
const MIN_TIMED = 10;
/** Nobody reads the changes in less. */
const READING_SECONDS: Seconds = 2;
/** Of so many in a hundred decisions approved, or more than that, none was weighed. */
const MAX_APPROVED_PERCENT = 98;

/** A question that an owner was asked, as it ended. */
export interface EndedAsk {
  readonly how: "approved" | "denied" | "expired";
  /** When it ended for this owner. */
  readonly at: Seconds;
  /** When he first had its text; absent: never, or not known. */
  readonly openedAt?: Seconds;
  /** A program's signature, a device's or a gateway's is never a person's. */
  readonly by: "person" | "machine";
}

/** What speaks for texts that are signed unread (owner.md 1.7). */
export type HabitSign = "signed_at_once" | "always_approved";

/** How an owner decides: figures over his last 50 decisions within 30 days, and what they are a sign of. */
export interface Habits {
  /** By a person: approved or denied. */
  readonly decided: number;
  readonly approved: number;
  /** In the time that these decisions span: ended without an answer, and of those never opened. */
  readonly expired: number;
  readonly unseen: number;
  /** Approved by programs, devices and gateways within the 30 days; in none of the other figures. */
  readonly byMachine: number;
  /** Approvals of which it is known when their text was opened. */
  readonly timed: number;
  /** From opening to signing, the median; absent where none is timed. The instants are whole seconds. */
  readonly medianSeconds?: Seconds;
  readonly signs: readonly HabitSign[];
}

function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

function signsOf(habits: Omit<Habits, "signs">): readonly HabitSign[] {
  const { decided, approved, timed, medianSeconds = READING_SECONDS } = habits;
  const isFast = timed >= MIN_TIMED && medianSeconds < READING_SECONDS;
  const isAlways = decided >= MAX_DECISIONS && approved * 100 > decided * MAX_APPROVED_PERCENT;
  return [
    ...(isFast ? (["signed_at_once"] as const) : []),
    ...(isAlways ? (["always_approved"] as const) : []),
  ];
}

/**
 * What an owner's answers say of how he gives them. It is shown and counted, and decides nothing.
 * @param ended in any order; what is older than 30 days, or in the future, does not count
 */
export function habitsOf(ended: readonly EndedAsk[], now: Seconds): Habits {
  const recent = ended
    .filter(({ at }) => at > now - HABITS_SECONDS && at <= now)
    .toSorted((a, b) => b.at - a.at);
  const people = recent.filter(({ by }) => by === "person");
  const decided = people.filter(({ how }) => how !== "expired").slice(0, MAX_DECISIONS);
  const from = decided.length < MAX_DECISIONS ? 0 : (decided.at(-1)?.at ?? 0);
  const expired = people.filter(({ how, at }) => how === "expired" && at >= from);
  const approved = decided.filter(({ how }) => how === "approved");
  const times = approved.flatMap(({ at, openedAt }) =>
    openedAt === undefined || openedAt > at ? [] : [at - openedAt],
  );
  const medianSeconds = medianOf(times);
  const figures = {
    decided: decided.length,
    approved: approved.length,
    expired: expired.length,
    unseen: expired.filter(({ openedAt }) => openedAt === undefined).length,
    byMachine: recent.filter(({ by, how }) => by === "machine" && how === "approved").length,
    timed: times.length,
    ...(medianSeconds === undefined ? {} : { medianSeconds }),
  };
  return { ...figures, signs: signsOf(figures) };
}
