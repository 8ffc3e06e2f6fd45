import type { Seconds } from "@countersign/core";

/** A credential's life. */
export interface Span {
  readonly from: Seconds;
  readonly until: Seconds;
}

export interface CredentialSpan extends Span {
  /** Ordinal under its approval. */
  readonly n: number | undefined;
  readonly seq: number;
}

/** What ended or forbade credentials. */
export interface LifeFacts {
  /** Newest first. */
  readonly credentials: readonly CredentialSpan[];
  /** Approvals, each until it ended. */
  readonly grants: readonly Span[];
  /** Since when what is stopped now is stopped. */
  readonly stops: readonly Seconds[];
}

/** Why there was no credential, as far as it is known. */
export type GapReason = "stopped" | "no approval" | "not renewed";

export interface Gap extends Span {
  readonly why: GapReason;
}

export interface Bar extends CredentialSpan {
  /** Row that it is drawn in, from 0. */
  readonly lane: number;
  readonly isAlive: boolean;
}

/** The last lives of an agent, ready to be drawn. */
export interface Life extends Span {
  readonly now: Seconds;
  readonly bars: readonly Bar[];
  readonly gaps: readonly Gap[];
  /** About when the newest credential is renewed: at half its life. Absent: it is not. */
  readonly next?: Seconds;
}

const USUAL_LIFE_SECONDS = 900;
/** How many lives of a credential are shown before now, and after it. */
const LIVES_BEFORE = 3;
export const MAX_LANES = 3;

function whyNone(gap: Span, { grants, stops }: LifeFacts): GapReason {
  if (stops.some((since) => since < gap.until)) return "stopped";
  const isAllowed = grants.some(({ from, until }) => from < gap.until && until > gap.from);
  return isAllowed ? "not renewed" : "no approval";
}

/** Where between the first credential that is known and now there was none. */
function gapsOf(facts: LifeFacts, now: Seconds): readonly Gap[] {
  const oldestFirst = facts.credentials.toSorted((a, b) => a.from - b.from);
  const gaps: Gap[] = [];
  let covered: Seconds | undefined;
  const note = (until: Seconds): void => {
    if (covered === undefined || covered >= until) return;
    const gap = { from: covered, until };
    gaps.push({ ...gap, why: whyNone(gap, facts) });
  };
  for (const { from, until } of oldestFirst) {
    note(Math.min(from, now));
    covered = Math.max(covered ?? until, until);
  }
  note(now);
  return gaps;
}

/** Gives each credential the first row that is free where it begins. */
function barsOf(spans: readonly CredentialSpan[], now: Seconds): readonly Bar[] {
  const ends: Seconds[] = [];
  return spans
    .toSorted((a, b) => a.from - b.from)
    .map((span) => {
      const free = ends.findIndex((end) => end <= span.from);
      const lane = Math.min(free < 0 ? ends.length : free, MAX_LANES - 1);
      ends[lane] = span.until;
      return { ...span, lane, isAlive: span.from <= now && now < span.until };
    });
}

/**
 * A bar for each credential, with the gaps between them and why (console.md 5). Pure: what is not known is not made up.
 */
export function lifeOf(facts: LifeFacts, now: Seconds): Life {
  const [newest] = facts.credentials;
  const length = newest === undefined ? USUAL_LIFE_SECONDS : newest.until - newest.from;
  const window = { from: now - LIVES_BEFORE * length, until: now + length };
  const shows = ({ from, until }: Span): boolean => until > window.from && from < window.until;
  const isGoing =
    newest !== undefined &&
    now < newest.until &&
    facts.stops.length === 0 &&
    facts.grants.some(({ from, until }) => from <= now && now < until);
  const half = newest === undefined ? now : newest.from + Math.floor(length / 2);
  return {
    ...window,
    now,
    bars: barsOf(facts.credentials.filter(shows), now),
    gaps: gapsOf(facts, now).filter(shows),
    ...(isGoing ? { next: Math.max(half, now) } : {}),
  };
}
