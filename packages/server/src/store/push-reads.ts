import { PUSH_SUBSCRIPTIONS } from "./push-sql.ts";
import type { PushReads, PushSubscriptionRow } from "./push-store.ts";
import * as q from "./queries.ts";
import type { Sqlite } from "./sqlite.ts";

/** Reads of where notices are pushed. */
export abstract class SqlitePushReads implements PushReads {
  /** Reads what is released. */
  protected abstract select<T>(read: (db: Sqlite) => T): Promise<T>;

  pushSubscription(id: string): Promise<PushSubscriptionRow | undefined> {
    return this.select((db) => q.find(db, PUSH_SUBSCRIPTIONS, "id = :key", id));
  }

  pushSubscriptionAt(endpoint: string): Promise<PushSubscriptionRow | undefined> {
    return this.select((db) => q.find(db, PUSH_SUBSCRIPTIONS, "endpoint = :key", endpoint));
  }

  pushSubscriptions(owner: string): Promise<readonly PushSubscriptionRow[]> {
    const of = { owner: ["owner = :owner", owner] } as const;
    return this.select((db) => q.select(db, PUSH_SUBSCRIPTIONS, of, "made_at DESC, id"));
  }
}
