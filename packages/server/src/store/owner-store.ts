import type { Digest, Seconds } from "@countersign/core";
import type { DigitsRow } from "./digits-row.ts";
import type { NoticeReads } from "./notice-store.ts";
import type { PushReads } from "./push-store.ts";
import type { EndedAskRow } from "./opened.ts";
import type { InvitationRow } from "./invitation-row.ts";
import type {
  AnnouncementRow,
  AskRow,
  BlockRow,
  LogRow,
  RecoveryRow,
  StarterRow,
  StopCodeRow,
  UnblockRow,
} from "./rows.ts";

/** Effects of decisions about owners beside their keys; as `Change`. */
export type OwnerChange =
  | { readonly put: "stopCode"; readonly row: StopCodeRow }
  | { readonly put: "recovery"; readonly row: RecoveryRow }
  | { readonly put: "unblock"; readonly row: UnblockRow }
  | { readonly put: "invitation"; readonly row: InvitationRow }
  | { readonly put: "block"; readonly row: BlockRow }
  | { readonly put: "digits"; readonly row: DigitsRow }
  | { readonly put: "announcement"; readonly row: AnnouncementRow }
  | { readonly put: "starter"; readonly row: StarterRow }
  | {
      readonly set: "stopCode";
      readonly hash: string;
      readonly fields: { readonly usedAt: Seconds };
    }
  | {
      readonly set: "recovery";
      readonly id: string;
      readonly fields: Pick<RecoveryRow, "state" | "decidedAt">;
    }
  | {
      readonly set: "invitation";
      readonly hash: string;
      readonly fields: Partial<
        Pick<InvitationRow, "offer" | "usedAt" | "jkt" | "cancelledAt" | "cancelledBy">
      >;
    }
  /** Takes the invitations of an owner away that made no key; may hit none. */
  | { readonly drop: "invitations"; readonly owner: string }
  /** Takes an owner's printed codes away; may hit none. */
  | { readonly drop: "stopCodes"; readonly owner: string }
  /** May hit none. */
  | { readonly drop: "starter"; readonly id: string }
  | { readonly drop: "block"; readonly entry: string }
  /** That an owner has the text of a question; the first time stays. May hit none: it is decided already. */
  | {
      readonly note: "opened";
      readonly req: Digest;
      readonly owner: string;
      readonly at: Seconds;
    };

/** What must still be true of what owners have said and typed; as `Expectation`. */
export interface OwnerExpectation {
  /** The digits of a question, as often typed wrong as when they were read. */
  readonly digits?: Pick<DigitsRow, "req" | "failures">;
  /** The newest announcement of an entry on a proxy, as it was read; `madeAt` absent: there is none. */
  readonly announcement?: {
    readonly entry: string;
    readonly proxy: string;
    readonly madeAt?: Seconds;
    readonly spentBy?: Digest;
  };
}

/** What owners have said beforehand about one request; as `KnownRows`. */
export interface KnownBeforehand {
  /** The entry's newest announcement on this proxy, whether spent or over. */
  readonly announcement?: AnnouncementRow;
  /** Users whom an owner of the entry has listed on this proxy. */
  readonly listedUids: readonly number[];
  /** Whether an owner has blocked the entry until he lets it ask again. */
  readonly isBlocked: boolean;
}

/** What is kept of owners beside their keys; as `Store`. */
export interface OwnerReads extends NoticeReads, PushReads {
  /**
   * Rows of the log with from ≤ seq < to whose record holds this text somewhere, the newest first, at most 100: found
   * without reading the others, so that one reader of a long log holds nobody up. What a record says is for the caller to
   * look at.
   */
  logRowsHolding(text: string, from: number, to: number): Promise<readonly LogRow[]>;
  stopCode(hash: string): Promise<StopCodeRow | undefined>;
  /** Used ones too, by when they were made, then by their hashes as ASCII sorts them: the order on the owner's paper. */
  stopCodes(owner: string): Promise<readonly StopCodeRow[]>;
  /** Absent where the question has none, and once it is over. */
  digits(req: Digest): Promise<DigitsRow | undefined>;
  invitation(hashOrId: string): Promise<InvitationRow | undefined>;
  recovery(id: string): Promise<RecoveryRow | undefined>;
  /** Questions to an owner that ended after an instant, alone or among several, newest first, at most 1000. */
  endedAsks(owner: string, since: Seconds): Promise<readonly EndedAskRow[]>;
  /** Questions that have ended, to an owner, alone or among several, or to all; the newest decision first. */
  decidedAsks(owner: string | undefined, count: number): Promise<readonly AskRow[]>;
  /** Of an owner, by host and user. */
  starters(owner: string): Promise<readonly StarterRow[]>;
  /** Newest first. */
  recoveries(filter?: {
    readonly owner?: string;
    readonly jkt?: string;
    readonly state?: RecoveryRow["state"];
  }): Promise<readonly RecoveryRow[]>;
}
