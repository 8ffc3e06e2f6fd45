import type { Metrics } from "@countersign/node";
import type { NoticesOptions } from "./dispatcher.ts";

/** Counts what becomes of notices, by channel. */
export function watchNotices(
  metrics: Metrics,
): Required<Pick<NoticesOptions, "watch" | "watchWithheld">> {
  const notices = metrics.counter(
    "countersign_notices_total",
    "Attempts to bring notices to owners, by channel and what became of them.",
  );
  const withheld = metrics.counter(
    "countersign_notices_withheld_total",
    "Questions that an owner hears of in a digest only, since his budget was used up.",
  );
  return {
    watch: (channel, outcome) => notices.add({ channel, outcome }),
    watchWithheld: () => withheld.add(),
  };
}
