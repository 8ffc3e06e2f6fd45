import type { World } from "../world.ts";
import { askedOf } from "./asked.ts";
import { logRow } from "./record.ts";

const NOTE_KEPT_SECONDS = 30 * 86_400;

/** Ends questions whose deadline has passed, each with its log row; the answer that comes later finds it over. */
export async function expireAsks(w: World): Promise<number> {
  const now = w.clock();
  const over = (await w.store.asks({ state: "asked" })).filter((row) => now >= row.deadline);
  for (const row of over)
    await w.store.commit({
      log: logRow(w, {
        type: "approval.expired",
        t: now,
        actor: "server",
        record: { v: 1, ...askedOf(row) },
      }),
      changes: [
        { set: "ask", req: row.req, fields: { state: "expired", decidedAt: now } },
        { drop: "ceremony", req: row.req },
      ],
      expect: { ask: { req: row.req, state: "asked" } },
    });
  return over.length;
}

/** Drops what has served: single-use rows whose time is over, and the agent's words of questions decided long ago. */
export async function sweep(w: World): Promise<void> {
  const now = w.clock();
  await w.store.commit({
    changes: [
      { sweep: "expired", now },
      { erase: "requests", decidedBefore: now - NOTE_KEPT_SECONDS },
    ],
  });
}
