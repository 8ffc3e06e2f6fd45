import type { NoticeBudget } from "@countersign/core";
import type { Notice } from "../notices/notice.ts";

/** A notice that waits for one target of one channel. */
export interface NoticeRow {
  /** Channel, target and notice, by spaces. */
  readonly key: string;
  readonly channel: string;
  readonly target: string;
  readonly notice: Notice;
  /** In this order the target gets them. */
  readonly n: number;
}

/** What an owner was told lately. */
export interface NoticeBudgetRow {
  readonly owner: string;
  readonly budget: NoticeBudget;
  /** Whether something is withheld, of which a digest has to speak. */
  readonly withheld: boolean;
}

/** The first log row whose notices are not in the outbox yet. */
export interface NoticeCursor {
  /** Number of the log. */
  readonly log: number;
  readonly seq: number;
}

/** Effects on what owners are told: no decisions about anybody, and no log rows. None of them can conflict. */
export type NoticeChange =
  /** One that is there already stays. */
  | { readonly put: "notice"; readonly row: NoticeRow }
  | { readonly put: "noticeBudget"; readonly row: NoticeBudgetRow }
  | { readonly put: "noticeCursor"; readonly cursor: NoticeCursor }
  | { readonly drop: "notice"; readonly key: string }
  /** Everything that waits for a target. */
  | { readonly drop: "notices"; readonly channel: string; readonly target: string };

/** What is kept of notices; as `Store`. */
export interface NoticeReads {
  noticeCursor(): Promise<NoticeCursor>;
  /** The whole outbox, in order; it is bounded by what may wait for each target. */
  notices(): Promise<readonly NoticeRow[]>;
  noticeBudget(owner: string): Promise<NoticeBudgetRow | undefined>;
  /** Of owners of whom something is withheld. */
  withheldNotices(): Promise<readonly NoticeBudgetRow[]>;
}
