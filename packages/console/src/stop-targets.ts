import type { JsonObject } from "@countersign/core";
import { nameOf, text } from "./read.ts";
import type { Target } from "./stopper.ts";

export const counted = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;
export const nameOfAgent = (agent: JsonObject): string => nameOf(text(agent, "entry"));
export const isStopped = (agent: JsonObject): boolean => agent["state"] === "stopped";

/** `mailer`, `mailer and ledger`, `mailer, ledger and triage`. */
export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

/** Of one host: every agent of the owner's there, each by a stop of its own. The host itself is not his. */
export function hostTarget(host: string, agents: readonly JsonObject[]): Target {
  const what = counted(agents.length, "agent");
  return {
    label: "Stop…",
    name: `Stop ${what} on ${host}…`,
    question: `Stop ${listed(agents.map(nameOfAgent))} on ${host}?`,
    whom: agents.length === 1 ? "it" : "them",
    orders: agents.map((agent) => ({ scope: "entry", target: text(agent, "entry") })),
  };
}

export function agentTarget(entry: string, label: string): Target {
  const name = nameOf(entry);
  return {
    label,
    name: `Stop ${name}…`,
    question: `Stop ${name}?`,
    whom: "it",
    orders: [{ scope: "entry", target: entry }],
  };
}
