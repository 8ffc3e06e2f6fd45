import type { NoticeBudget, Seconds } from "@countersign/core";
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

/** An address that an owner's notices are posted to. Its secret is stored nowhere: the server's MAC key makes it. */
export interface WebhookRow {
  readonly id: string;
  readonly owner: string;
  readonly url: string;
  /** Counts from 1; a rotation is the next one. */
  readonly generation: number;
  /** Until when the secret of the generation before signs too. */
  readonly oldUntil?: Seconds;
  readonly madeAt: Seconds;
  /** Attempts that failed since the last one that was taken, and when the first of them was. */
  readonly failures: number;
  readonly failingSince?: Seconds;
  readonly disabledAt?: Seconds;
  /** `gone`: the receiver said so. `failing`: it took nothing for days. */
  readonly disabledWhy?: "gone" | "failing";
}

type Optional<T> = { readonly [M in keyof T]?: T[M] | undefined };
/** What changes of a webhook. */
export type WebhookFields = Partial<Pick<WebhookRow, "generation" | "failures">> &
  Optional<Pick<WebhookRow, "oldUntil" | "failingSince" | "disabledAt" | "disabledWhy">>;

/** Effects on what owners are told, and where. None of them can conflict. */
export type NoticeChange =
  /** One that is there already stays. */
  | { readonly put: "notice"; readonly row: NoticeRow }
  | { readonly put: "noticeBudget"; readonly row: NoticeBudgetRow }
  | { readonly put: "noticeCursor"; readonly cursor: NoticeCursor }
  | { readonly put: "webhook"; readonly row: WebhookRow }
  /** What is there and undefined is taken away. Hits nothing where the webhook was removed meanwhile. */
  | { readonly set: "webhook"; readonly id: string; readonly fields: WebhookFields }
  | { readonly drop: "webhook"; readonly id: string }
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
  webhook(id: string): Promise<WebhookRow | undefined>;
  /** Disabled ones too, oldest first. @param owner absent: of every owner */
  webhooks(owner?: string): Promise<readonly WebhookRow[]>;
}
