import { systemTimers } from "./clock.ts";
import type { Timers } from "./clock.ts";
import { silentLog } from "./log.ts";
import type { Log } from "./log.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** The part of `process` that stopping needs. */
export interface StoppableProcess {
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  exit(code: number): void;
}

export interface ShutdownOptions {
  /** Ends everything: listeners, streams, the store. Called once. */
  readonly close: () => Promise<void>;
  readonly log?: Log;
  /** Longest that `close` may take before the process ends all the same; default 10,000. */
  readonly timeoutMs?: number;
  readonly timers?: Timers;
  /** Default: this process. */
  readonly host?: StoppableProcess;
}

/**
 * Stops the program at the first SIGINT or SIGTERM: closes, then exits with 0; with 1 when closing failed or took too
 * long, or at a second signal.
 * @returns a function that takes the handlers away again
 */
export function onShutdown(options: ShutdownOptions): () => void {
  const { log = silentLog, timers = systemTimers, timeoutMs = 10_000, host = process } = options;
  let isStopping = false;
  const stop = async (): Promise<void> => {
    log.info("daemon.stopping");
    const cancel = timers.after(timeoutMs, () => host.exit(1));
    let code = 0;
    try {
      await options.close();
      log.info("daemon.stopped");
    } catch (error) {
      log.error("daemon.stop_failed", { error });
      code = 1;
    }
    cancel();
    host.exit(code);
  };
  const listener = (): void => {
    if (isStopping) return host.exit(1);
    isStopping = true;
    void stop(); // ends the process, whatever happens in it
  };
  for (const signal of SIGNALS) host.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) host.off(signal, listener);
  };
}
