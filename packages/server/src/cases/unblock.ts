import { Refusal } from "@countersign/core";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

/**
 * Lets an agent ask its owner again, whom he has denied before: from now on its denials count anew. It gives nothing.
 * @throws Refusal `not_found` where nothing of that name has an owner
 */
export async function unblock(w: World, entry: string, by: string): Promise<void> {
  const row = await w.store.entry(entry);
  if (row === undefined || row.removedAt !== undefined || row.body.binding !== "owner")
    throw new Refusal(
      "not_found",
      "no such agent with an owner",
      "See them: countersign agent list.",
    );
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.unblocked",
      t: now,
      actor: "owner",
      record: {
        v: 1,
        entry,
        owner: row.body.owner ?? "",
        ...(row.body.parties === undefined ? {} : { parties: row.body.parties }),
        by,
      },
    }),
    changes: [
      { put: "unblock", row: { entry, at: now } },
      { drop: "block", entry },
    ],
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("stale");
}
