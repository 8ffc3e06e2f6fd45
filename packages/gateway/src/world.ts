import type { Crypto, Random, Seconds } from "@countersign/core";
import type { Log, Target, Timers } from "@countersign/node";
import type { Queue } from "./relay/queue.ts";

/** Connections to the server. State streams hold theirs, so they have a set of their own. */
export interface ServerTargets {
  readonly calls: Target;
  readonly streams: Target;
}

/** Everything the gateway of one trust domain works with; made once by `main`, or by a test. */
export interface GatewayWorld {
  readonly c: Crypto;
  readonly random: Random;
  readonly clock: () => Seconds;
  readonly timers: Timers;
  readonly log: Log;
  readonly trustDomain: string;
  /** Ids of the proxies that it serves. */
  readonly proxies: ReadonlySet<string>;
  readonly queue: Queue;
  /** Thumbprint of this gateway's present key. */
  keyThumbprint(): string;
  /**
   * Exchanges with the server by this gateway's own certificate, which stays the same until `act` has ended: a
   * superseded one that is used after its successor counts as a copy in other hands.
   */
  useServer<T>(act: (server: ServerTargets) => Promise<T>): Promise<T>;
}
