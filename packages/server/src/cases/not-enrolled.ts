import { Refusal } from "@countersign/core";
import type { World } from "../world.ts";

/** The refusal for a key that is not enrolled; for one that is announced it says when it will be. */
export async function notEnrolled(w: World, jkt: string): Promise<Refusal> {
  const [recovery] = await w.store.recoveries({ jkt, state: "announced" });
  if (recovery === undefined) return new Refusal("key_not_enrolled");
  const at = new Date(recovery.enabledAt * 1000).toISOString().slice(0, 16).replace("T", " ");
  return new Refusal(
    "key_not_enrolled",
    "its recovery is announced",
    `The key is enabled at ${at} UTC, unless its recovery is cancelled.`,
  );
}
