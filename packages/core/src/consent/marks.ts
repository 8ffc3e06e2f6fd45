import type { ActionClass, CeilingEntry } from "./ceiling.ts";
import type { CredentialStatement } from "./statement.ts";

/** Why a line of the signed text is marked, so that it must have been seen before signing (console.md 6.2). */
export type Mark =
  | "any_host"
  | "no_limit"
  | "any_place"
  | "any_action"
  | "unknown"
  | Exclude<ActionClass, "read_only" | "reversible_write">;

function classMarks({ class: known }: CeilingEntry): readonly Mark[] {
  return known === "read_only" || known === "reversible_write" ? [] : [known ?? "unknown"];
}

/** Of the line of one ceiling entry; none for a line that is not marked. */
export function marksOf(entry: CeilingEntry): readonly Mark[] {
  return [
    ...(entry.locations.length === 0 ? (["any_place"] as const) : []),
    ...(entry.actions.length === 0 ? (["any_action"] as const) : []),
    ...classMarks(entry),
  ];
}

/** The marked lines of a text, in their order, each by its marks: what a list may say of it before it is opened. */
export function markedLines({
  agent,
  grant,
}: Pick<CredentialStatement, "agent" | "grant">): readonly (readonly Mark[])[] {
  const lines: readonly (readonly Mark[])[] = [
    agent.host === undefined ? ["any_host"] : [],
    ...(grant.ceiling.length === 0 ? [["no_limit"] as const] : grant.ceiling.map(marksOf)),
  ];
  return lines.filter((marks) => marks.length > 0);
}
