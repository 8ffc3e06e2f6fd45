import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { habitWords, readHabits } from "./habit-words.ts";
import { HABITS_SECONDS, habitsOf } from "./habits.ts";
import type { EndedAsk } from "./habits.ts";

const NOW = 1_800_000_000;

/** Questions that ended one after another, the newest a minute ago. */
function ended(count: number, change: Partial<EndedAsk> & { readonly after?: number } = {}) {
  const { after, ...rest } = change;
  return Array.from({ length: count }, (_, i): EndedAsk => {
    const at = NOW - 60 * (i + 1);
    const opened = after === undefined ? {} : { openedAt: at - after };
    return { how: "approved", by: "person", at, ...opened, ...rest };
  });
}
const denied = (count: number): readonly EndedAsk[] => ended(count, { how: "denied" });

const ANSWER: JsonObject = {
  owner: "urn:agent-owner:example.org:owner-one",
  since: NOW - HABITS_SECONDS,
  decided: 12,
  approved: 11,
  expired: 1,
  unseen: 0,
  by_machine: 2,
  timed: 11,
  median_seconds: 1,
  signs: ["signed_at_once"],
};

describe("habits that a server answers", () => {
  it("are read, and what is not known here is left out", () => {
    const wanted = {
      decided: 12,
      approved: 11,
      expired: 1,
      unseen: 0,
      byMachine: 2,
      timed: 11,
      medianSeconds: 1,
      signs: ["signed_at_once"],
    };
    expect(readHabits(ANSWER)).toEqual(wanted);
    expect(readHabits({ ...ANSWER, signs: ["dozes", "signed_at_once"], more: 1 })).toEqual(wanted);
    const { median_seconds: _none, ...untimed } = ANSWER;
    expect(readHabits(untimed)).not.toHaveProperty("medianSeconds");
  });

  it.each<readonly [string, JsonObject]>([
    ["no count", { decided: "12" }],
    ["less than nothing", { unseen: -1 }],
    ["half a second", { median_seconds: 0.5 }],
    ["no signs", { signs: "none" }],
    ["a list of signs without end", { signs: Array.from({ length: 17 }, () => "x") }],
  ])("are not %s", async (_name, change) => {
    expect(await outcomeOf(() => readHabits({ ...ANSWER, ...change }))).toBe("malformed_request");
  });
});

describe("signs that texts are signed unread (owner.md 1.7)", () => {
  it.each<readonly [string, readonly EndedAsk[], readonly string[]]>([
    ["nothing asked", [], []],
    ["ten signed within a second", ended(10, { after: 1 }), ["signed_at_once"]],
    ["ten signed in the second of their opening", ended(10, { after: 0 }), ["signed_at_once"]],
    ["ten signed after two", ended(10, { after: 2 }), []],
    ["nine signed within a second", ended(9, { after: 1 }), []],
    [
      "as many after one second as after two",
      [...ended(5, { after: 1 }), ...ended(5, { after: 2 })],
      ["signed_at_once"],
    ],
    [
      "as many after one second as after three",
      [...ended(5, { after: 1 }), ...ended(5, { after: 3 })],
      [],
    ],
    ["ten of whose opening nothing is known", ended(10), []],
    ["ten that were signed before they were opened", ended(10, { after: -1 }), []],
    ["ten denied within a second", ended(10, { how: "denied", after: 1 }), []],
    ["a program that signs at once", ended(50, { by: "machine", after: 0 }), []],
    ["fifty approved", ended(50, { after: 60 }), ["always_approved"]],
    ["forty-nine approved", ended(49, { after: 60 }), []],
    ["forty-nine approved, one denied", [...ended(49), ...denied(1)], []],
    ["fifty approved at once", ended(50, { after: 1 }), ["signed_at_once", "always_approved"]],
    [
      "fifty approved after one was denied",
      [...ended(50), { how: "denied", by: "person", at: NOW - 86_400 }],
      ["always_approved"],
    ],
    ["fifty, half of them a program's", [...ended(25), ...ended(25, { by: "machine" })], []],
    ["fifty approved, long ago", ended(50, { at: NOW - HABITS_SECONDS }), []],
    [
      "fifty approved, not so long ago",
      ended(50, { at: NOW - HABITS_SECONDS + 1 }),
      ["always_approved"],
    ],
    ["fifty in the future", ended(50, { at: NOW + 1 }), []],
  ])("%s", (_name, questions, signs) => {
    expect(habitsOf(questions, NOW).signs).toEqual(signs);
  });

  it("does not depend on the order", () => {
    const questions = [...ended(60, { after: 1 }), ...denied(3)];
    expect(habitsOf(questions.toReversed(), NOW)).toEqual(habitsOf(questions, NOW));
  });
});

describe("how an owner decides", () => {
  it("is counted over the newest fifty decisions, machines apart", () => {
    const habits = habitsOf(
      [
        ...ended(40, { after: 9 }),
        ...denied(8),
        ...ended(7, { by: "machine", after: 0 }),
        ...ended(2, { how: "expired", by: "person" }),
        ...ended(1, { how: "expired", after: 30 }),
      ],
      NOW,
    );
    expect(habits).toEqual({
      decided: 48,
      approved: 40,
      expired: 3,
      unseen: 2,
      byMachine: 7,
      timed: 40,
      medianSeconds: 9,
      signs: [],
    });
  });

  it("counts what ended unanswered only since the oldest of these decisions", () => {
    const long: EndedAsk = { how: "expired", by: "person", at: NOW - 86_400 };
    expect(habitsOf([...ended(50), long], NOW)).toMatchObject({ decided: 50, expired: 0 });
    expect(habitsOf([...ended(49), long], NOW)).toMatchObject({ decided: 49, expired: 1 });
  });

  it.each<readonly [number[], number]>([
    [[7], 7],
    [[1, 2], 1.5],
    [[9, 1, 4], 4],
    [[1, 1, 8, 8], 4.5],
  ])("takes the median: of %j it is %d", (times, median) => {
    const questions = times.map((after, i): EndedAsk => ({
      how: "approved",
      by: "person",
      at: NOW - i,
      openedAt: NOW - i - after,
    }));
    expect(habitsOf(questions, NOW).medianSeconds).toBe(median);
  });

  it.each<readonly [string, readonly EndedAsk[], readonly string[]]>([
    ["nothing", [], ["Nothing was decided in the last 30 days."]],
    [
      "one approval",
      ended(1, { after: 8 }),
      ["Of the last 1 decision, 1 approved.", "One signature came within 9 s of opening the text."],
    ],
    [
      "much",
      [
        ...ended(3, { after: 30 }),
        ...denied(1),
        ...ended(2, { how: "expired" }),
        ...ended(1, { by: "machine" }),
      ],
      [
        "Of the last 4 decisions, 3 approved.",
        "Half of 3 signatures came within 31 s of opening the text.",
        "2 requests ended without an answer, none of them opened.",
        "1 approval by programs and devices, counted apart.",
      ],
    ],
    [
      "requests that nobody answered",
      [...ended(1, { how: "expired" }), ...ended(2, { how: "expired", after: 5 })],
      [
        "Nothing was decided in the last 30 days.",
        "3 requests ended without an answer, 1 of them never opened.",
      ],
    ],
    [
      "one that nobody opened",
      ended(1, { how: "expired" }),
      [
        "Nothing was decided in the last 30 days.",
        "1 request ended without an answer, never opened.",
      ],
    ],
  ])("is said in words: %s", (_name, questions, figures) => {
    expect(habitWords(habitsOf(questions, NOW))).toEqual({ signs: [], figures });
  });

  it("says what stands out first, and what to do", () => {
    expect(habitWords(habitsOf(ended(50, { after: 0 }), NOW))).toEqual({
      signs: [
        "Half of the last 50 signatures came within 1 s of opening the text. Read the changes before you sign.",
        "All of the last 50 were approved. Deny what you do not recognise: nothing of yours breaks.",
      ],
      figures: ["Of the last 50 decisions, 50 approved."],
    });
  });
});
