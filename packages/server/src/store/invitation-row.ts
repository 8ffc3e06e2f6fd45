import type { JsonObject, Seconds } from "@countersign/core";

/** A person's invitation to make a key on the console's pages. Of its code the keyed hash is stored. */
export interface InvitationRow {
  readonly hash: string;
  /** Short random name. */
  readonly id: string;
  /** Owner id. */
  readonly owner: string;
  readonly by: string;
  readonly madeAt: Seconds;
  readonly exp: Seconds;
  /** Thumbprint of the key of the owner that must sign for the new one. Absent where he has none: it is a first key. */
  readonly coSigner?: string;
  /** What the new key has signed, while and since it waits for the co-signer: it is enrolled by that one's signature. */
  readonly offer?: OfferedKey;
  /** When the key was enrolled. */
  readonly usedAt?: Seconds;
  /** Thumbprint of the key that was offered or enrolled with it. */
  readonly jkt?: string;
  readonly cancelledAt?: Seconds;
  readonly cancelledBy?: InvitationEnder;
}

/** As it was posted, and verified then. */
export interface OfferedKey {
  readonly statement: string;
  readonly sig: JsonObject;
  readonly comment: string;
}

/** Who ends an invitation that made no key: somebody on its page, the owner at his terminal, or a code typed twice. */
export type InvitationEnder = "page" | "terminal" | "twice";
