import type { Refusal, RefusalCode, Seconds } from "@countersign/core";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

const MINUTE_SECONDS = 60;
/** Callers times reasons remembered at once; what falls out is logged once more, never less. */
const MAX_REMEMBERED = 4096;

/** Faults of ours or of the moment are no decisions about the caller. */
const NOT_DECISIONS: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "internal",
  "indeterminate",
  "hold",
]);

interface Seen {
  readonly minute: number;
  suppressed: number;
}

/** Coalesces refusals per (caller, reason, minute), so that no caller can fill the disk. */
export class RefusalLog {
  readonly #seen: Map<string, Seen> = new Map();

  /** How many were left out since the last row if this one is to be written, else undefined. */
  first(caller: string, code: RefusalCode, now: Seconds): number | undefined {
    const name = `${code} ${caller}`;
    const minute = Math.floor(now / MINUTE_SECONDS);
    const seen = this.#seen.get(name);
    if (seen?.minute === minute) {
      seen.suppressed += 1;
      return undefined;
    }
    this.#seen.delete(name);
    if (this.#seen.size >= MAX_REMEMBERED)
      for (const oldest of [...this.#seen.keys()].slice(0, MAX_REMEMBERED / 4))
        this.#seen.delete(oldest);
    this.#seen.set(name, { minute, suppressed: 0 });
    return seen?.suppressed ?? 0;
  }
}

const logs = new WeakMap<World, RefusalLog>();

/** Logs that an authenticated caller was refused: the refusal is the evidence that the gate worked. */
export async function logRefusal(w: World, caller: string, refusal: Refusal): Promise<void> {
  if (NOT_DECISIONS.has(refusal.code)) return;
  const known = logs.get(w) ?? new RefusalLog();
  logs.set(w, known);
  const now = w.clock();
  const suppressed = known.first(caller, refusal.code, now);
  if (suppressed === undefined) return;
  const record = {
    v: 1,
    caller,
    reason: refusal.code,
    detail: refusal.message.slice(0, 300),
    suppressed,
  };
  try {
    await w.store.commit({
      log: logRow(w, {
        type: "credential.refused",
        t: now,
        actor: "server",
        reason: refusal.code,
        record,
      }),
      changes: [],
    });
  } catch (error) {
    w.log.error("refusal.unlogged", {
      reason: refusal.code,
      cause: error instanceof Error ? error.message : "unknown",
    });
  }
}
