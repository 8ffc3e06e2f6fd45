import type { JsonObject } from "@countersign/core";
import { text } from "./read.ts";
import type { MarkState } from "./ui/mark.ts";

const STATES: Readonly<Record<string, readonly [mark: MarkState, words: string]>> = {
  waiting: ["agent", "waits for you"],
  approved: ["signed", "approved"],
  stopped: ["stopped", "stopped"],
  idle: ["nobody", "no approval"],
};

/** The mark and the words of an agent's state. */
export const stateOf = (agent: JsonObject): readonly [mark: MarkState, words: string] =>
  STATES[text(agent, "state")] ?? ["nobody", "not known"];
