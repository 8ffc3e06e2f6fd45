import { NOTICE_BUDGETS, noticeCursor, NOTICES, WEBHOOKS } from "./notice-sql.ts";
import type {
  NoticeBudgetRow,
  NoticeCursor,
  NoticeReads,
  NoticeRow,
  WebhookRow,
} from "./notice-store.ts";
import { SqlitePushReads } from "./push-reads.ts";
import * as q from "./queries.ts";

/** Reads of what is kept of notices. */
export abstract class SqliteNoticeReads extends SqlitePushReads implements NoticeReads {
  noticeCursor(): Promise<NoticeCursor> {
    return this.select(noticeCursor);
  }

  notices(): Promise<readonly NoticeRow[]> {
    return this.select((db) => q.select(db, NOTICES, {}, "n, key"));
  }

  noticeBudget(owner: string): Promise<NoticeBudgetRow | undefined> {
    return this.select((db) => q.find(db, NOTICE_BUDGETS, "owner = :key", owner));
  }

  withheldNotices(): Promise<readonly NoticeBudgetRow[]> {
    const withheld = { withheld: ["withheld = :withheld", 1] } as const;
    return this.select((db) => q.select(db, NOTICE_BUDGETS, withheld, "owner"));
  }

  webhook(id: string): Promise<WebhookRow | undefined> {
    return this.select((db) => q.find(db, WEBHOOKS, "id = :key", id));
  }

  webhooks(owner?: string): Promise<readonly WebhookRow[]> {
    const of = { owner: ["owner = :owner", owner] } as const;
    return this.select((db) => q.select(db, WEBHOOKS, of, "made_at, id"));
  }
}
