import type { JsonObject } from "@countersign/core";
import type { AskRow } from "../store/rows.ts";

/** A question as owners are shown it in lists. */
export function askView(row: AskRow): JsonObject {
  const { req, id, entry, agent, proxy, owner, reasons, expected, createdAt, deadline, state } =
    row;
  return {
    req,
    id,
    entry,
    agent,
    proxy,
    owner,
    reasons: reasons.map((reason) => ({ ...reason })),
    expected,
    created_at: createdAt,
    deadline,
    state,
  };
}
