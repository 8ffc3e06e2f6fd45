import type { Seconds } from "@countersign/core";
import type { InvitationRow, RecoveryRow, StopCodeRow, UnblockRow } from "./rows.ts";

/** Effects of decisions about owners beside their keys; as `Change`. */
export type OwnerChange =
  | { readonly put: "stopCode"; readonly row: StopCodeRow }
  | { readonly put: "recovery"; readonly row: RecoveryRow }
  | { readonly put: "unblock"; readonly row: UnblockRow }
  | { readonly put: "invitation"; readonly row: InvitationRow }
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
      readonly fields: Partial<Pick<InvitationRow, "usedAt" | "jkt" | "cancelledAt">>;
    }
  /** Takes the invitations of an owner away that were not used; may hit none. */
  | { readonly drop: "invitations"; readonly owner: string }
  /** Takes an owner's printed codes away; may hit none. */
  | { readonly drop: "stopCodes"; readonly owner: string };

/** What is kept of owners beside their keys; as `Store`. */
export interface OwnerReads {
  stopCode(hash: string): Promise<StopCodeRow | undefined>;
  /** Used ones too. */
  stopCodes(owner: string): Promise<readonly StopCodeRow[]>;
  invitation(hashOrId: string): Promise<InvitationRow | undefined>;
  recovery(id: string): Promise<RecoveryRow | undefined>;
  /** Newest first. */
  recoveries(filter?: {
    readonly owner?: string;
    readonly jkt?: string;
    readonly state?: RecoveryRow["state"];
  }): Promise<readonly RecoveryRow[]>;
}
