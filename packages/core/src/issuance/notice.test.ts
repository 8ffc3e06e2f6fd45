import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json/strict.ts";
import {
  decideNotice,
  DIGEST_DELAY_SECONDS,
  digestDone,
  digestDueAt,
  NOTICE_TYPES,
  NOTICE_WINDOW_SECONDS,
  noticeCause,
  NOTICES_PER_AGENT,
  NOTICES_PER_OWNER,
  UNTOLD,
} from "./notice.ts";
import type { NoticeBudget } from "./notice.ts";

const NOW = 1_800_000_000;
const OWNER = "urn:agent-owner:example.org:7Qm0Zs6Yw1";
const ENTRY = "spiffe://example.org/agent/mailer";
const REQ = `sha-256:${"A".repeat(43)}`;
const asked: JsonObject = { v: 1, owner: OWNER, entry: ENTRY, req: REQ, expected: true };

describe("which log rows give notice", () => {
  it.each([
    ["a question that was announced", "approval.asked", {}, "request"],
    ["one that nobody announced", "approval.asked", { expected: false }, "nothing"],
    ["one that does not say", "approval.asked", { expected: undefined }, "nothing"],
    ["one that says it otherwise", "approval.asked", { expected: "true" }, "nothing"],
    ["one of nobody", "approval.asked", { owner: "" }, "nothing"],
    ["one without a request", "approval.asked", { req: "sha-256:x" }, "nothing"],
    ["one without an agent", "approval.asked", { entry: 1 }, "nothing"],
    ["a key that was added", "key.added", {}, "key"],
    ["one that was removed", "key.removed", {}, "key"],
    ["one that was suspended", "key.suspended", {}, "key"],
    ["one that signs again", "key.resumed", {}, "key"],
    ["a recovery that was announced", "key.recovery_announced", {}, "key"],
    ["one that was cancelled", "key.recovery_cancelled", {}, "key"],
    ["one that came about", "key.recovered", {}, "key"],
    ["printed codes that he made", "owner.stop_codes_made", {}, "key"],
    ["printed codes that were made for him", "admin.stop_codes_made", {}, "key"],
    ["a name of every object", "constructor", {}, "nothing"],
    ["a key of the server's", "key.enrolled", {}, "nothing"],
    ["a decision", "approval.approved", {}, "nothing"],
    ["an issue", "credential.issued", {}, "nothing"],
  ] as [string, string, JsonObject, string][])("%s: %s", (_what, type, change, kind) => {
    const cause = noticeCause(type, { ...asked, ...change });
    expect(cause?.kind ?? "nothing").toBe(kind);
    if (kind !== "nothing") expect(NOTICE_TYPES).toContain(type);
  });

  it("an erased record gives none", () => {
    for (const type of NOTICE_TYPES) expect(noticeCause(type, {})).toBeUndefined();
  });

  it("each of several owners is meant, and nobody twice", () => {
    const parties = { m: 2, owners: [OWNER, "urn:agent-owner:example.org:another1"] };
    expect(noticeCause("approval.asked", { ...asked, parties })?.owners).toEqual(parties.owners);
  });
});

/** How often an owner is told, of questions at these instants. */
function told(questions: readonly (readonly [at: number, entry: string])[]): {
  readonly sent: number;
  readonly budget: NoticeBudget;
} {
  let budget = UNTOLD;
  let sent = 0;
  for (const [at, entry] of questions) {
    const ruling = decideNotice(budget, entry, NOW + at);
    budget = ruling.budget;
    sent += Number(ruling.isSent);
  }
  return { sent, budget };
}

const ofOne = (count: number, everySeconds: number): [number, string][] =>
  Array.from({ length: count }, (_, n) => [n * everySeconds, ENTRY]);
const ofMany = (count: number): [number, string][] =>
  Array.from({ length: count }, (_, n) => [n, `${ENTRY}-${n}`]);

describe("the budget of notices", () => {
  it.each([
    ["the first", ofOne(1, 0), 1],
    ["as many of one agent as may be", ofOne(NOTICES_PER_AGENT, 1), NOTICES_PER_AGENT],
    ["one more of it", ofOne(NOTICES_PER_AGENT + 1, 1), NOTICES_PER_AGENT],
    ["one more of it, an hour after the first", [...ofOne(3, 1), [3600, ENTRY]], 4],
    ["one more of it, a second too early", [...ofOne(3, 1), [3599, ENTRY]], 3],
    ["ten thousand of one agent", ofOne(10_000, 0), NOTICES_PER_AGENT],
    ["as many of an owner as may be", ofMany(NOTICES_PER_OWNER), NOTICES_PER_OWNER],
    ["one more", ofMany(NOTICES_PER_OWNER + 1), NOTICES_PER_OWNER],
    ["one of an agent that said nothing yet", [...ofOne(9, 1), [10, `${ENTRY}-2`]], 4],
    ["after a clock that was ahead by a day", [...ofOne(3, 1), [-86_400, ENTRY]], 4],
    ["after one that was ahead by a minute", [...ofOne(3, 1), [-60, ENTRY]], 3],
  ] as [string, [number, string][], number][])("%s: %i", (_what, questions, sent) => {
    expect(told(questions).sent).toBe(sent);
  });

  it("never tells of more than ten in an hour, nor of more than three of one agent, whatever is asked", () => {
    const question = fc.tuple(fc.nat(400), fc.nat(6));
    fc.assert(
      fc.property(fc.array(question, { maxLength: 120 }), (steps) => {
        let budget = UNTOLD;
        let now = NOW;
        const sent: { at: number; entry: string }[] = [];
        for (const [after, agent] of steps) {
          now += after;
          const entry = `${ENTRY}-${agent}`;
          const ruling = decideNotice(budget, entry, now);
          budget = ruling.budget;
          if (ruling.isSent) sent.push({ at: now, entry });
          expect(budget.sent.length).toBeLessThanOrEqual(NOTICES_PER_OWNER);
          const recent = sent.filter(({ at }) => now - at < NOTICE_WINDOW_SECONDS);
          expect(recent.length).toBeLessThanOrEqual(NOTICES_PER_OWNER);
          expect(recent.filter((one) => one.entry === entry).length).toBeLessThanOrEqual(
            NOTICES_PER_AGENT,
          );
        }
      }),
    );
  });
});

describe("the digest", () => {
  const { budget } = told(ofOne(5, 10)); // the fourth, after 30 s, is the first that is withheld

  it("is due ten minutes after the first question that was withheld", () => {
    expect(digestDueAt(budget, NOW + 40)).toBe(NOW + 30 + DIGEST_DELAY_SECONDS);
  });

  it("is due for nobody of whom nothing is withheld", () => {
    expect(digestDueAt(UNTOLD, NOW)).toBeUndefined();
    expect(digestDueAt(told(ofOne(3, 10)).budget, NOW)).toBeUndefined();
  });

  it.each([
    ["it was sent", true, NOW + 630],
    ["nothing waited any more", false, undefined],
  ])("says so once: %s", (_what, isSent, digestAt) => {
    const done = digestDone(budget, NOW + 630, isSent);
    expect(digestDueAt(done, NOW + 700)).toBeUndefined();
    expect(done).toEqual({ sent: budget.sent, ...(digestAt === undefined ? {} : { digestAt }) });
  });

  it("comes once an hour at most", () => {
    const done = digestDone(budget, NOW + 630, true);
    const again = decideNotice(done, ENTRY, NOW + 640).budget;
    expect(digestDueAt(again, NOW + 640)).toBe(NOW + 630 + NOTICE_WINDOW_SECONDS);
    expect(digestDueAt(again, NOW + 86_400)).toBe(NOW + 640 + DIGEST_DELAY_SECONDS);
  });

  it("is not put off by a clock that was ahead", () => {
    const ahead = { sent: [], withheldAt: NOW + 86_400, digestAt: NOW + 86_400 };
    expect(digestDueAt(ahead, NOW)).toBe(NOW + DIGEST_DELAY_SECONDS);
  });
});
