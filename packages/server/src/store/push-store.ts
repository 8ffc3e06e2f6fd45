import type { Seconds } from "@countersign/core";
import type { PushSubscription } from "../push/subscription.ts";

/** A browser of an owner that takes notices. The row goes with the key in whose session it was made. */
export interface PushSubscriptionRow extends PushSubscription {
  /** Of owner and endpoint (`pushSubscriptionId`). */
  readonly id: string;
  readonly owner: string;
  /** Thumbprint of the key of that session. */
  readonly jkt: string;
  /** What the owner calls the device. */
  readonly name: string;
  readonly madeAt: Seconds;
}

/** Effects on where notices are pushed. */
export type PushChange =
  /**
   * An endpoint is one browser, of one owner. Of one owner the newest `keep` stay. "conflict" for a key that is removed or
   * suspended, and for an endpoint that another owner has.
   */
  | { readonly put: "pushSubscription"; readonly row: PushSubscriptionRow; readonly keep: number }
  /** May hit none. */
  | { readonly drop: "pushSubscription"; readonly id: string };

/** What is kept of them; as `Store`. */
export interface PushReads {
  pushSubscription(id: string): Promise<PushSubscriptionRow | undefined>;
  /** The one that has this endpoint. */
  pushSubscriptionAt(endpoint: string): Promise<PushSubscriptionRow | undefined>;
  /** Newest first. */
  pushSubscriptions(owner: string): Promise<readonly PushSubscriptionRow[]>;
}
