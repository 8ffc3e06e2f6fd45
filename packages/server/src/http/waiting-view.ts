import type { JsonObject } from "@countersign/core";
import { outlineOf } from "../cases/outline.ts";
import type { AskRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { digitsView } from "./ask-view.ts";

/** Of one list: an owner reads no more than these at once. */
const MAX_OUTLINES = 50;

/**
 * What a list says beyond the question itself of those that the owner announced: what nobody announced costs nothing more.
 * @param jkt thumbprint of the key that he would sign with
 */
export function waitingView(w: World, jkt: string): (row: AskRow) => Promise<JsonObject> {
  let made = 0;
  return async (row) => {
    const isWaiting = row.state === "asked" && row.deadline > w.clock();
    if (!isWaiting || !row.expected || made >= MAX_OUTLINES) return {};
    made += 1;
    const outline = await outlineOf(w, row, jkt);
    return {
      ...(await digitsView(w, row)),
      ...(outline === undefined ? {} : { outline: { ...outline } }),
    };
  };
}
