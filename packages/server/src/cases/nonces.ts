import { NONCE_LIFE_SECONDS } from "@countersign/core";
import type { Seconds } from "@countersign/core";

/** When a nonce can no longer be accepted, and its single-use row may go. */
export function nonceUntil(now: Seconds): Seconds {
  return now + NONCE_LIFE_SECONDS + 60;
}
