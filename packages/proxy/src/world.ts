import type { ConsentPages, Crypto, ProxyState, Random, Seconds, Seen } from "@countersign/core";
import type { Log, Timers } from "@countersign/node";
import type { HostFacts } from "@countersign/core";
import type { Anchors } from "./keys/anchors.ts";
import type { Identity } from "./keys/identity.ts";
import type { Linked } from "./uplink/link.ts";

/** What the server last said, and whether it can be heard. */
export interface ServerView {
  /** Undefined until the first message. */
  readonly state: ProxyState | undefined;
  readonly isConnected: boolean;
  /** When something came last, if only a heartbeat: after a suspend, a connection may look alive and not be. */
  readonly heardAt: Seconds;
  readonly seen: Seen | undefined;
  /** Where owners sign with WebAuthn, as the first trust bundle said that was heard. Undefined until then: nowhere. */
  readonly pages: ConsentPages | undefined;
}

/** Everything the proxy works with; made once by `main`, or by a test with clocks and keys of its own. */
export interface ProxyWorld {
  readonly c: Crypto;
  readonly random: Random;
  /** The server's time as far as it is known: the host's clock, corrected. */
  readonly clock: () => Seconds;
  readonly timers: Timers;
  readonly log: Log;
  readonly anchors: Anchors;
  readonly version: string;
  /** Id of the owner's gateway that is called in the server's place; absent where the server itself is. */
  readonly gateway?: string;
  identity(): Identity;
  /** Calls of the server that belong together, with one identity. Not to be nested. */
  useLink<T>(act: (link: Pick<Linked, "identity" | "uplink">) => Promise<T>): Promise<T>;
  server(): ServerView;
  hostFacts(): Promise<{ readonly os: HostFacts; readonly bootseed?: string }>;
  /** Judges the server's clock against ours and adopts it. @throws Refusal `clock_skewed` */
  adoptTime(serverNow: Seconds): void;
}
