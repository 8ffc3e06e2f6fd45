import { DIGITS } from "../consent/digits.ts";
import type { Seconds } from "../crypto.ts";
import type { JsonObject } from "../json/strict.ts";
import type { Members } from "../json/read.ts";

/**
 * That the program came through the door of a `countersign run`, which the proxy made for a process that the kernel had
 * named. The proxy's word, as everything in E.
 */
export interface RunFact {
  /** User of the process that asked for the door. */
  readonly uid: number;
  /** When the door was made; 0 where the proxy does not know. */
  readonly since: Seconds;
  /** Two digits that the run's terminal shows beside the code of this request; absent where nobody sits there. */
  readonly digits?: string;
}

const MAX_UID = 4_294_967_295;

/** Reads `countersign_run`; open, as E is. */
export function readRunFact(m: Members): RunFact {
  const uid = m.integer("uid", 0, MAX_UID);
  const since = m.integer("since");
  const digits = m.optional("digits", (name) => m.text(name, { pattern: DIGITS }));
  return digits === undefined ? { uid, since } : { uid, since, digits };
}

/** The fact as it stands in JSON. */
export function writeRunFact({ uid, since, digits }: RunFact): JsonObject {
  return digits === undefined ? { uid, since } : { uid, since, digits };
}
