import type { JsonObject } from "@countersign/core";
import { number, optional } from "./read.ts";
import { moment } from "./ui/time.ts";

/** Why a key signs nothing any more, in a sentence; undefined while it does. */
export function standing(key: JsonObject, now: number): string | undefined {
  const removed = optional(key, "removed_at", number);
  if (removed !== undefined) return `Removed ${moment(removed, now)}`;
  const suspended = optional(key, "suspended_at", number);
  if (suspended === undefined) return undefined;
  return `Suspended ${moment(suspended, now)}: it approves nothing. Use another key, and tell your administrator.`;
}
