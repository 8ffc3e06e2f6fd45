import { Refusal } from "@countersign/core";
import type { Seconds } from "@countersign/core";
import type { Log } from "@countersign/node";

const WARN_SKEW_SECONDS = 120;
const REFUSE_SKEW_SECONDS = 600;

/** The time that this proxy works with. */
export interface TimeKeeper {
  /** The host's clock, corrected by what the server said last. */
  readonly clock: () => Seconds;
  /** Adopts the server's time; said aloud above 120 s. @throws Refusal `clock_skewed` above 600 s; nothing is adopted */
  readonly adopt: (serverNow: Seconds) => void;
}

/** @param hostClock seconds since the epoch; may be stepped */
export function timeKeeper(log: Log, hostClock: () => Seconds): TimeKeeper {
  let offset = 0;
  return {
    clock: () => hostClock() + offset,
    adopt: (serverNow) => {
      const skew = serverNow - hostClock();
      if (Math.abs(skew) > REFUSE_SKEW_SECONDS) throw new Refusal("clock_skewed", `${skew} s`);
      if (Math.abs(skew) > WARN_SKEW_SECONDS) log.warn("clock.skewed", { seconds: skew });
      offset = skew;
    },
  };
}
