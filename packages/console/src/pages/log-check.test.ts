import { describe, expect, it } from "vitest";
import { Ledger } from "./log-check.ts";
import type { LogPart } from "./log-check.ts";

const entries = (seqs: readonly number[], bad: readonly number[] = []): LogPart["entries"] =>
  seqs.map((seq) => ({
    seq,
    type: "approval.asked",
    t: 1000,
    record: {},
    proof: "",
    ...(bad.includes(seq) ? { problem: "not there" } : {}),
  }));
const part = (change: Partial<LogPart>): LogPart => ({
  entries: entries([9, 8, 7]),
  next: 7,
  size: 10,
  now: 1000,
  isKnown: true,
  ...change,
});

const OLDER = part({ entries: entries([4, 2]), next: 0 });

describe("the result", () => {
  it.each<readonly [string, readonly LogPart[], boolean, RegExp]>([
    ["of a part", [part({})], true, /^The newest 3 of your entries up to \S+ are in the log\. Ch/],
    ["of all", [part({}), OLDER], true, /^All 5 of your entries up to \S+ are in the log\. Ch/],
    [
      "of one",
      [part({ entries: entries([3]), next: 0 })],
      true,
      /^1 entry of yours up to \S+ is in the log\./,
    ],
    [
      "where one is not there",
      [part({ entries: entries([9, 8], [8]) }), OLDER],
      false,
      /^1 of 4 entries is not in the log\./,
    ],
    ["of another log", [part({ isKnown: false }), OLDER], false, /^This is another log than/],
  ])("%s says so", (_name, parts, isGood, words) => {
    const ledger = new Ledger();
    for (const one of parts) ledger.take(one);
    expect(ledger.result()).toEqual({ isGood, words: expect.stringMatching(words) as string });
  });

  it("counts an entry once, however often it was judged, by the last word on it", () => {
    const ledger = new Ledger();
    ledger.take(part({}));
    ledger.take(part({ entries: entries([9, 8, 7], [7]) }));
    expect(ledger.result().words).toMatch(/^1 of 3 entries/);
  });

  it("forgets what does not reach up to the newest: it would have a gap", () => {
    const ledger = new Ledger();
    ledger.take(part({}));
    ledger.take(OLDER);
    ledger.take(part({ entries: entries([60, 59]), next: 59 }), true);
    expect([ledger.count, ledger.next]).toEqual([2, 59]);
  });
});
