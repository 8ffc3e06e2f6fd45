import { describe, expect, it } from "vitest";
import { d, NOW } from "./attested.testing.ts";
import { judgeExpectation } from "./expectation.ts";
import type { Announcement, Expected, ExpectationCase } from "./expectation.ts";

const SAID: Announcement = { by: "owner", madeAt: NOW - 60, exp: NOW + 540 };
const RUN = { uid: 1001, since: NOW - 60 };
const NOBODY: ExpectationCase = { isListed: false, isChanged: false };
const BY_RUN: ExpectationCase = { ...NOBODY, run: RUN, isListed: true };
const RUN_SAID: Announcement = { ...SAID, by: "run" };

const YES: Expected = { isExpected: true, spends: "announcement" };
const BY_ITS_RUN: Expected = { isExpected: true, spends: "run" };
const NO: Expected = { isExpected: false };

type Row = readonly [string, ExpectationCase, Expected];
const ROWS: readonly Row[] = [
  ["announced by the owner", { ...NOBODY, announcement: SAID }, YES],
  ["announced by nobody", NOBODY, NO],
  [
    "announced by the owner, for a changed program",
    { ...NOBODY, announcement: SAID, isChanged: true },
    YES,
  ],
  [
    "announced in the last second of ten minutes",
    { ...NOBODY, announcement: { ...SAID, exp: NOW + 1 } },
    YES,
  ],
  ["announced more than ten minutes ago", { ...NOBODY, announcement: { ...SAID, exp: NOW } }, NO],
  [
    "the second that matches one announcement",
    { ...NOBODY, announcement: { ...SAID, spentBy: d(5) } },
    { ...NO, spoils: d(5) },
  ],
  [
    "after an announcement that was spent and is over",
    { ...NOBODY, announcement: { ...SAID, exp: NOW, spentBy: d(5) } },
    NO,
  ],
  ["from a run of a listed user", BY_RUN, BY_ITS_RUN],
  ["from a run of a user who is not listed", { ...BY_RUN, isListed: false }, NO],
  ["from no run, of a listed user", { ...NOBODY, isListed: true }, NO],
  ["from a run of a listed user, of a changed program", { ...BY_RUN, isChanged: true }, NO],
  [
    "from a run of a listed user that began long ago",
    { ...BY_RUN, run: { ...RUN, since: NOW - 600 } },
    NO,
  ],
  [
    "from a run of a listed user that has not begun",
    { ...BY_RUN, run: { ...RUN, since: NOW + 61 } },
    NO,
  ],
  [
    "from a run whose announcement was spent",
    { ...BY_RUN, announcement: { ...RUN_SAID, spentBy: d(5) } },
    { ...NO, spoils: d(5) },
  ],
  [
    "from a run of a listed user, beside what its owner announced",
    { ...BY_RUN, announcement: SAID },
    YES,
  ],
  [
    "of a changed program, where only a run announced one",
    { ...BY_RUN, announcement: RUN_SAID, isChanged: true },
    NO,
  ],
];

describe("a question that an owner expects (owner.md 1.7)", () => {
  it.each(ROWS)("%s → %#", (_name, of, wanted) => {
    expect(judgeExpectation(of, NOW)).toEqual(wanted);
  });
});
