import { utf8 } from "@countersign/core";
import type { Digest, Seconds } from "@countersign/core";
import { SqliteNoticeReads } from "./notice-reads.ts";
import { decidedAsks } from "./decided.ts";
import { endedAsks } from "./opened.ts";
import type { EndedAskRow } from "./opened.ts";
import type { OwnerReads } from "./owner-store.ts";
import * as q from "./queries.ts";
import type { DigitsRow } from "./digits-row.ts";
import type { InvitationRow } from "./invitation-row.ts";
import type { AskRow, LogRow, RecoveryRow, StarterRow, StopCodeRow } from "./rows.ts";
import * as t from "./tables.ts";

/** Reads of what is kept of owners beside their keys. */
export abstract class SqliteOwnerReads extends SqliteNoticeReads implements OwnerReads {
  logRowsHolding(text: string, from: number, to: number): Promise<readonly LogRow[]> {
    return this.select((db) => q.logRowsHolding(db, utf8(text), from, to));
  }

  stopCode(hash: string): Promise<StopCodeRow | undefined> {
    return this.select((db) => q.find(db, t.STOP_CODES, "hash = :key", hash));
  }

  stopCodes(owner: string): Promise<readonly StopCodeRow[]> {
    const of = { owner: ["owner = :owner", owner] } as const;
    return this.select((db) => q.select(db, t.STOP_CODES, of, "made_at, hash"));
  }

  digits(req: Digest): Promise<DigitsRow | undefined> {
    return this.select((db) => q.find(db, t.DIGITS, "req = :key", req));
  }

  invitation(hashOrId: string): Promise<InvitationRow | undefined> {
    return this.select((db) => q.find(db, t.INVITATIONS, "hash = :key OR id = :key", hashOrId));
  }

  recovery(id: string): Promise<RecoveryRow | undefined> {
    return this.select((db) => q.find(db, t.RECOVERIES, "id = :key", id));
  }

  recoveries(
    filter: NonNullable<Parameters<OwnerReads["recoveries"]>[0]> = {},
  ): Promise<readonly RecoveryRow[]> {
    const { owner, jkt, state } = filter;
    const of = {
      owner: ["owner = :owner", owner],
      jkt: ["jkt = :jkt", jkt],
      state: ["state = :state", state],
    } as const;
    return this.select((db) => q.select(db, t.RECOVERIES, of, "announced_at DESC, id"));
  }

  endedAsks(owner: string, since: Seconds): Promise<readonly EndedAskRow[]> {
    return this.select((db) => endedAsks(db, owner, since));
  }

  decidedAsks(owner: string | undefined, count: number): Promise<readonly AskRow[]> {
    return this.select((db) => decidedAsks(db, owner, count));
  }

  starters(owner: string): Promise<readonly StarterRow[]> {
    const of = { owner: ["owner = :owner", owner] } as const;
    return this.select((db) => q.select(db, t.STARTERS, of, "proxy, uid"));
  }
}
