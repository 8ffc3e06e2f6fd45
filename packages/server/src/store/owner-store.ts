import type { Seconds } from "@countersign/core";
import type { RecoveryRow, StopCodeRow, UnblockRow } from "./rows.ts";

/** Effects of decisions about owners beside their keys; as `Change`. */
export type OwnerChange =
  | { readonly put: "stopCode"; readonly row: StopCodeRow }
  | { readonly put: "recovery"; readonly row: RecoveryRow }
  | { readonly put: "unblock"; readonly row: UnblockRow }
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
  /** Takes an owner's printed codes away; may hit none. */
  | { readonly drop: "stopCodes"; readonly owner: string };

/** What is kept of owners beside their keys; as `Store`. */
export interface OwnerReads {
  stopCode(hash: string): Promise<StopCodeRow | undefined>;
  /** Used ones too. */
  stopCodes(owner: string): Promise<readonly StopCodeRow[]>;
  recovery(id: string): Promise<RecoveryRow | undefined>;
  /** Newest first. */
  recoveries(filter?: {
    readonly owner?: string;
    readonly jkt?: string;
    readonly state?: RecoveryRow["state"];
  }): Promise<readonly RecoveryRow[]>;
}
