import type { Seconds } from "@countersign/core";

/** What must hold before a page lets its reader sign (console.md 6). Pure: the page tells, this decides. */
export interface GateState {
  /** Whether digits of the agent's terminal are asked for, and whether the server took those typed. */
  readonly digits: "none" | "wanted" | "matched";
  /** How many marked lines the text has, and which of them were seen whole for a second or had focus. */
  readonly markedCount: number;
  readonly seen: ReadonlySet<number>;
  /** Last second at which the text may be signed, and at which the request ends. */
  readonly textEnds: Seconds;
  readonly requestEnds: Seconds;
  readonly isOnline: boolean;
  /** A ceremony or a call is under way. */
  readonly isBusy: boolean;
}

/** How often a page looks whether it still holds. */
export const TICK_MS = 1000;

export type Step = "digits" | "marked" | "online" | "text" | "request";

/** What is missing, in the order in which a reader does it. Empty: Approve may be pressed. */
export function missing(state: GateState, now: Seconds): readonly Step[] {
  const steps: Step[] = [];
  if (now >= state.requestEnds) return ["request"];
  if (!state.isOnline) steps.push("online");
  if (state.digits === "wanted") steps.push("digits");
  if (state.seen.size < state.markedCount) steps.push("marked");
  if (now >= state.textEnds) steps.push("text");
  return steps;
}

/** A press that comes so soon after Approve was turned on, or after the page came back, was not meant for it. */
export const SETTLE_MS = 500;

/** Whether a press counts. Times in milliseconds of one steady clock. */
export function isMeant(pressedAtMs: number, turnedOnAtMs: number, shownAtMs: number): boolean {
  return pressedAtMs - Math.max(turnedOnAtMs, shownAtMs) >= SETTLE_MS;
}

const WORDS: { readonly [S in Step]: string } = {
  digits: "First type the two digits.",
  marked: "First read every marked line.",
  online: "This browser is offline. Nothing is sent later by itself.",
  text: "This text can no longer be signed. It is made anew.",
  request: "The request has ended.",
};

/** Why Approve is off, in one sentence; undefined when it is on. */
export function reason(steps: readonly Step[]): string | undefined {
  const [first] = steps;
  return first === undefined ? undefined : WORDS[first];
}
