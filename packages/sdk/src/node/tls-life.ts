import type { Duplex } from "node:stream";
import { systemClock } from "./clock.ts";

/** What of the platform a test moves by hand. */
export interface TlsPlatform {
  /** Seconds since the epoch. */
  readonly clock: () => number;
  /** Calls `run` once, unless cancelled; does not keep the process alive. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

export const SYSTEM: TlsPlatform = {
  clock: systemClock,
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/** TLS looks at certificates once: a connection that outlives them is ended here. */
export function endAt(socket: Duplex, at: number, { clock, after }: TlsPlatform): void {
  const leftMs = (at - clock()) * 1000;
  if (leftMs <= 0) {
    socket.destroy();
    return;
  }
  const cancel = after(leftMs, () => socket.destroy());
  socket.once("close", cancel);
}
