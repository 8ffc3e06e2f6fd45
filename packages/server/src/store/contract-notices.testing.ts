import { expect, it } from "vitest";
import { UNTOLD } from "@countersign/core";
import * as f from "./fixtures.testing.ts";
import type { NoticeChange, NoticeRow, WebhookRow } from "./notice-store.ts";
import type { Store } from "./store.ts";

const NOTICE = { id: "ntc_a", owner: f.OWNER, kind: "digest", waiting: 2, at: f.NOW } as const;

const noticeRow = (n: number, change: Partial<NoticeRow> = {}): NoticeRow => ({
  key: `webhook wh_a ntc_${n}`,
  channel: "webhook",
  target: "wh_a",
  notice: { ...NOTICE, exp: f.NOW + 3600 },
  n,
  ...change,
});

const WEBHOOK: WebhookRow = {
  id: "wh_a",
  owner: f.OWNER,
  url: "https://hooks.example.com/",
  generation: 1,
  madeAt: f.NOW,
  failures: 0,
};

/** What is kept of notices. @param open the store of the test that runs */
export function noticeRules(open: () => Store): void {
  const write = (...notices: readonly NoticeChange[]): Promise<unknown> =>
    open().commit({ changes: [], notices });

  it("begins to tell at its own first row", async () => {
    expect(await open().noticeCursor()).toEqual({ log: 1, seq: 0 });
    await write({ put: "noticeCursor", cursor: { log: 2, seq: 41 } });
    expect(await open().noticeCursor()).toEqual({ log: 2, seq: 41 });
  });

  it("keeps the outbox in order, each row once, until it is dropped", async () => {
    const other = noticeRow(3, { key: "push p ntc_3", channel: "push", target: "p" });
    await write({ put: "notice", row: noticeRow(2) }, { put: "notice", row: other });
    await write({ put: "notice", row: noticeRow(1) });
    await write({ put: "notice", row: noticeRow(2, { n: 9 }) }); // is there already
    expect(await open().notices()).toEqual([noticeRow(1), noticeRow(2), other]);
    await write({ drop: "notice", key: noticeRow(1).key });
    await write({ drop: "notice", key: "nothing" });
    expect(await open().notices()).toEqual([noticeRow(2), other]);
    await write({ drop: "notices", channel: "webhook", target: "wh_a" });
    expect(await open().notices()).toEqual([other]);
  });

  it("writes cursor, outbox and budget together, or nothing of them", async () => {
    const decision = {
      changes: [],
      notices: [
        { put: "noticeCursor", cursor: { log: 1, seq: 7 } },
        { put: "notice", row: noticeRow(1) },
      ],
      expect: { epoch: 99 },
    } as const;
    expect(await open().commit(decision)).toBe("conflict");
    expect(await open().notices()).toEqual([]);
    expect((await open().noticeCursor()).seq).toBe(0);
  });

  it("finds the owners of whom something is withheld", async () => {
    const told = { owner: f.OWNER, budget: UNTOLD, withheld: false };
    const withheld = {
      owner: `${f.OWNER}2`,
      budget: { sent: [{ entry: f.ENTRY, at: f.NOW }], withheldAt: f.NOW },
      withheld: true,
    };
    await write({ put: "noticeBudget", row: told }, { put: "noticeBudget", row: withheld });
    expect(await open().noticeBudget(f.OWNER)).toEqual(told);
    expect(await open().withheldNotices()).toEqual([withheld]);
    await write({ put: "noticeBudget", row: { ...withheld, withheld: false } });
    expect(await open().withheldNotices()).toEqual([]);
  });

  it("changes members of a webhook, takes others away, and none of one that was removed", async () => {
    await write({ put: "webhook", row: WEBHOOK });
    const failing = { failures: 3, failingSince: f.NOW, disabledWhy: "failing" } as const;
    await write({ set: "webhook", id: "wh_a", fields: failing });
    expect(await open().webhook("wh_a")).toEqual({ ...WEBHOOK, ...failing });
    const well = { failures: 0, failingSince: undefined, disabledWhy: undefined };
    await write({ set: "webhook", id: "wh_a", fields: well });
    expect(await open().webhooks(f.OWNER)).toEqual([WEBHOOK]);
    expect(await open().webhooks("another")).toEqual([]);
    await write({ drop: "webhook", id: "wh_a" });
    await write({ set: "webhook", id: "wh_a", fields: failing });
    expect(await open().webhooks()).toEqual([]);
  });
}
