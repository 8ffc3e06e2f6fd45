import { Members } from "../json/read.ts";
import type { JsonObject } from "../json/strict.ts";
import type { Habits, HabitSign } from "./habits.ts";

const MAX_SIGNS = 16;

/** Both instants are whole seconds: less than one more went by between them. */
const within = (seconds: number): string => `${Math.floor(seconds) + 1} s`;

const SIGNS: Readonly<Record<HabitSign, (habits: Habits) => string>> = {
  signed_at_once: ({ timed, medianSeconds = 0 }) =>
    `Half of the last ${timed} signatures came within ${within(medianSeconds)} of opening the text. Read the changes before you sign.`,
  always_approved: ({ approved }) =>
    `All of the last ${approved} were approved. Deny what you do not recognise: nothing of yours breaks.`,
};

const numbered = (n: number, one: string, many = `${one}s`): string =>
  `${n} ${n === 1 ? one : many}`;

function figures(habits: Habits): readonly string[] {
  const { decided, approved, expired, unseen, byMachine, timed, medianSeconds, signs } = habits;
  const lines = [
    decided === 0
      ? "Nothing was decided in the last 30 days."
      : `Of the last ${numbered(decided, "decision")}, ${approved} approved.`,
  ];
  if (medianSeconds !== undefined && !signs.includes("signed_at_once"))
    lines.push(
      timed === 1
        ? `One signature came within ${within(medianSeconds)} of opening the text.`
        : `Half of ${timed} signatures came within ${within(medianSeconds)} of opening the text.`,
    );
  if (expired > 0)
    lines.push(
      `${numbered(expired, "request")} ended without an answer${unseen === 0 ? "" : `, ${unseen === expired ? (unseen === 1 ? "never opened" : "none of them opened") : `${unseen} of them never opened`}`}.`,
    );
  if (byMachine > 0)
    lines.push(`${numbered(byMachine, "approval")} by programs and devices, counted apart.`);
  return lines;
}

/** How an owner decides, as he and his administrator read it: what stands out first. */
export interface HabitWords {
  readonly signs: readonly string[];
  readonly figures: readonly string[];
}

export function habitWords(habits: Habits): HabitWords {
  return { signs: habits.signs.map((sign) => SIGNS[sign](habits)), figures: figures(habits) };
}

/**
 * The figures as a server answers them. A sign that is not known here is left out.
 * @throws Refusal `malformed_request`
 */
export function readHabits(answer: JsonObject): Habits {
  const members = new Members(answer, "malformed_request", "habits");
  const count = (name: string): number => members.integer(name, 0, Number.MAX_SAFE_INTEGER);
  const signs = members.list("signs", (value) => value, MAX_SIGNS);
  const medianSeconds = members.optional("median_seconds", count);
  return {
    decided: count("decided"),
    approved: count("approved"),
    expired: count("expired"),
    unseen: count("unseen"),
    byMachine: count("by_machine"),
    timed: count("timed"),
    ...(medianSeconds === undefined ? {} : { medianSeconds }),
    signs: (Object.keys(SIGNS) as HabitSign[]).filter((sign) => signs.includes(sign)), // its keys, by its type
  };
}
