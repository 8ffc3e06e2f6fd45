import type { ProxyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";
import { STOP_ID_BYTES } from "./halt.ts";
import { typedId } from "./typed-id.ts";

/** Halts a proxy whose identity was used from two places: its grants end until it is enrolled again (DESIGN 3). */
export async function markForked(w: World, proxy: ProxyRow, serial: string): Promise<void> {
  const now = w.clock();
  await w.store.commit({
    log: logRow(w, {
      type: "halt.set",
      t: now,
      actor: "server",
      reason: "proxy_forked",
      record: { v: 1, scope: "proxy", target: proxy.id, serial, live: proxy.liveSerial },
    }),
    changes: [
      { set: "proxy", id: proxy.id, fields: { state: "halted", forkedAt: now } },
      {
        put: "stop",
        row: {
          id: typedId(w, STOP_ID_BYTES),
          scope: "proxy",
          target: proxy.id,
          since: now,
          by: "server",
          reason: "proxy_forked",
        },
      },
      { end: "grants", scope: "proxy", target: proxy.id, at: now, why: "proxy forked" },
    ],
    bumpEpoch: true,
  });
  w.log.error("proxy.forked", { proxy: proxy.id });
}
