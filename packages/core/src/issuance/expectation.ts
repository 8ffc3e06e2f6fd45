import type { Digest, Seconds } from "../crypto.ts";
import type { RunFact } from "../evidence/run.ts";

/** How long an announced start is waited for (owner.md 1.7). */
export const EXPECTATION_LIFE_SECONDS = 600;

/** That a start of an entry on its proxy is expected: one at a time. */
export interface Announcement {
  /** Who said so: the owner himself; or a run of a user whom he listed. */
  readonly by: "owner" | "run";
  readonly madeAt: Seconds;
  readonly exp: Seconds;
  /** The question that it was spent on. */
  readonly spentBy?: Digest;
}

/** What is known when a question is about to be put. */
export interface ExpectationCase {
  readonly announcement?: Announcement | undefined;
  /** How the program was started, by the proxy's word. */
  readonly run?: RunFact | undefined;
  /** Whether the owner listed the user of that run, on this proxy. */
  readonly isListed: boolean;
  /** Whether another program than the approved one asks. */
  readonly isChanged: boolean;
}

/** Whether the owner expects the question, and what becomes of the announcement with it. */
export interface Expected {
  readonly isExpected: boolean;
  /** The announcement that this question spends: the standing one, or one that the run makes. */
  readonly spends?: "announcement" | "run";
  /** The question that matched before: two that match are both unexpected. */
  readonly spoils?: Digest;
}

const SKEW_SECONDS = 60;
const UNEXPECTED: Expected = { isExpected: false };

/** A run counts as announced while it is young; one from the future is none. */
function isFresh({ since }: RunFact, now: Seconds): boolean {
  return since <= now + SKEW_SECONDS && now < since + EXPECTATION_LIFE_SECONDS;
}

/**
 * Whether somebody who may say so has announced this start (owner.md 1.7). The owner's own word covers whatever program
 * is started then; a run of a user whom he listed covers only the program that he approved, or a first one.
 */
export function judgeExpectation(of: ExpectationCase, now: Seconds): Expected {
  const { announcement: standing, run, isListed, isChanged } = of;
  const isStanding = standing !== undefined && now < standing.exp;
  if (isStanding && standing.spentBy !== undefined)
    return { isExpected: false, spoils: standing.spentBy };
  if (isStanding && (standing.by === "owner" || !isChanged))
    return { isExpected: true, spends: "announcement" };
  if (isStanding || run === undefined || !isListed || isChanged || !isFresh(run, now))
    return UNEXPECTED;
  return { isExpected: true, spends: "run" };
}
