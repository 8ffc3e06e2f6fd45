import { compareApprovals, readStatement } from "@countersign/core";
import type { ApprovalDiff, Statement } from "@countersign/core";
import type { World } from "../world.ts";

/** What differs from what this owner approved last for the entry; undefined where he never did. */
export async function sinceLastApproval(
  w: World,
  entry: string,
  now: Statement["body"],
): Promise<ApprovalDiff | undefined> {
  if (now.kind !== "credential") return undefined;
  const [last] = await w.store.grants({ owner: now.owner.id, entry });
  if (last === undefined) return undefined;
  const { body } = readStatement(w.c, last.statement, { preSigned: last.model === "agent" });
  return body.kind === "credential" ? compareApprovals(body, now) : undefined;
}
