import type { RefusalCode } from "../refusal.ts";

const PASSING: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "unreachable",
  "indeterminate",
  "hold",
  "stale",
  "clock_skewed",
  "nonce_expired",
  "nonce_unknown",
  "internal",
  "rate_limited",
  "too_many_live",
  "request_expired",
]);

/** Whether a renewal that was refused so is tried again: nobody said no to it. */
export function isPassing(code: RefusalCode): boolean {
  return PASSING.has(code);
}
