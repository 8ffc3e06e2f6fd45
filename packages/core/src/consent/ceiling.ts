import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import type { RefusalCode } from "../refusal.ts";

/** Whether what the actions do can be undone; absent means not known. */
export type ActionClass =
  | "read_only"
  | "reversible_write"
  | "irreversible_action"
  | "external_commitment"
  | "privileged_administration";

const CLASSES: readonly ActionClass[] = [
  "read_only",
  "reversible_write",
  "irreversible_action",
  "external_commitment",
  "privileged_administration",
];

/** One entry of a grant's ceiling: where the agent may go and what it may do there (formats.md 3). Closed. */
export interface CeilingEntry {
  readonly type: "mcp_tool" | "http_api";
  readonly locations: readonly string[];
  readonly actions: readonly string[];
  readonly class?: ActionClass;
  /** Counted by the service, not by us. */
  readonly max_calls?: number;
}

/**
 * Reads one ceiling entry.
 * @throws Refusal `code` for a type or member that is not known
 */
export function readCeiling(value: Json, code: RefusalCode): CeilingEntry {
  const members = new Members(value, code, "ceiling");
  const text = (name: string) => (item: Json) =>
    typeof item === "string" && item !== "" && item.length <= 512
      ? item
      : members.fail(name, "holds something that is not a short string");
  const kind = members.optional("class", (name) => members.choice(name, CLASSES));
  const maxCalls = members.optional("max_calls", (name) => members.integer(name, 1));
  const entry: CeilingEntry = {
    type: members.choice("type", ["mcp_tool", "http_api"] as const),
    locations: members.list("locations", text("locations"), 32),
    actions: members.list("actions", text("actions"), 64),
    ...(kind === undefined ? {} : { class: kind }),
    ...(maxCalls === undefined ? {} : { max_calls: maxCalls }),
  };
  members.end();
  return entry;
}
