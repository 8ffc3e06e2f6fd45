import type { Digest, Jwk, Seconds } from "../crypto.ts";
import type { IssuanceModel } from "../credential/owner-claim.ts";
import type { CredentialStatement, OwnerKind } from "../consent/statement.ts";
import type { Entry } from "./entry.ts";
import type { Announcement } from "./expectation.ts";

/** An approved statement and what was done under it. */
export interface Grant {
  readonly cs: Digest;
  readonly statement: CredentialStatement;
  readonly ownerKey: Jwk;
  readonly ownerKind: OwnerKind;
  /** How the server knows the owner's key: `admin`, `pinned`, `tofu`, … */
  readonly basis: string;
  readonly assurance: number;
  readonly model: IssuanceModel;
  readonly endedAt?: Seconds;
}

export type StopScope = "agent" | "entry" | "grant" | "owner" | "proxy" | "domain";

/** A stop that is in force. */
export interface Stop {
  readonly id: string;
  readonly scope: StopScope;
  readonly target: string;
  readonly since: Seconds;
}

/** Everything the store knows that a decision about one request needs, read at one `epoch`. */
export interface Known {
  readonly entry?: Entry;
  /** The grant that the endorsement names, if it exists. */
  readonly grant?: Grant;
  /** Credentials issued under that grant, and those of them that are unexpired. */
  readonly issued: number;
  readonly live: number;
  readonly stops: readonly Stop[];
  readonly epoch: number;
  /** Set while the server holds: the reason. */
  readonly hold?: string;
  /** Open questions beside the entry's own; `ofOwnerExpected`: those of `ofOwner` that he announced. */
  readonly pending: {
    readonly ofOwnerAtProxy: number;
    readonly ofOwner: number;
    readonly ofOwnerExpected: number;
  };
  /** The newest announcement of a start of this entry on its proxy, spent or over as it may be. */
  readonly announcement?: Announcement;
  /** Users whose runs on this proxy the owner has listed as his own. */
  readonly listedUids: readonly number[];
  /** Until when this entry may not ask again, after denials. */
  readonly askBlockedUntil?: Seconds;
  /** Whether the owner has denied this entry so often that only he lets it ask again. Default false. */
  readonly isAskBlocked?: boolean;
  /** Digests of the measurements of the agent's live grants. */
  readonly approvedMeasurements: readonly { readonly n: string; readonly d: Digest }[];
}
