import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { audienceOf } from "../proof/audience.ts";
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

/** Whether the text is an http or https address in printable ASCII, hosts as A-labels, without user, query, fragment. */
function isLocation(text: string): boolean {
  try {
    return !/[?#]/.test(text) && audienceOf(text) !== "";
  } catch {
    return false;
  }
}

/**
 * Reads one ceiling entry.
 * @throws Refusal `code` for a type or member that is not known, and a location that no service could match
 */
export function readCeiling(value: Json, code: RefusalCode): CeilingEntry {
  const members = new Members(value, code, "ceiling");
  const action = (item: Json): string =>
    typeof item === "string" && item !== "" && item.length <= 512
      ? item
      : members.fail("actions", "holds something that is not a short string");
  const location = (item: Json): string =>
    typeof item === "string" && item.length <= 512 && isLocation(item)
      ? item
      : members.fail("locations", "holds something that is not an http or https address");
  const kind = members.optional("class", (name) => members.choice(name, CLASSES));
  const maxCalls = members.optional("max_calls", (name) => members.integer(name, 1));
  const entry: CeilingEntry = {
    type: members.choice("type", ["mcp_tool", "http_api"] as const),
    locations: members.list("locations", location, 32),
    actions: members.list("actions", action, 64),
    ...(kind === undefined ? {} : { class: kind }),
    ...(maxCalls === undefined ? {} : { max_calls: maxCalls }),
  };
  members.end();
  return entry;
}
