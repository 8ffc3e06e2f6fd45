import { base64url } from "@countersign/core";
import type { World } from "../world.ts";

/** A random id that people type behind a command: none begins as an option does, or has its end lost in an underline. */
export function typedId(w: Pick<World, "random">, byteCount: number): string {
  return base64url(w.random(byteCount)).replaceAll("_", "x").replaceAll("-", "y");
}
