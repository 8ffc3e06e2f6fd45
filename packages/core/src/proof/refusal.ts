import { problemOf, Refusal } from "../refusal.ts";
import type { Problem } from "../refusal.ts";

/** A refusal of the proof, not of the WIT: the answer is 401 with a challenge, whatever its code (wpt-02 2.1). */
export class ProofRefusal extends Refusal {}

/** The same refusal, laid at the door of the proof. */
export function asProofRefusal(refusal: Refusal): ProofRefusal {
  const detail = refusal.message.slice(refusal.code.length + 2);
  return new ProofRefusal(refusal.code, detail === "" ? undefined : detail, refusal.next);
}

/** Status, extra header and body with which a request is refused. */
export interface RefusalAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly problem: Problem;
}

/**
 * How a relying party answers: 401 and `WWW-Authenticate: WPT` for a fault of the proof, else the status of the
 * table – 400 for the WIT, for which 401 is not recommended (workload-creds-02 5.2).
 */
export function answerOf(refusal: Refusal): RefusalAnswer {
  const problem = problemOf(refusal);
  if (!(refusal instanceof ProofRefusal)) return { status: problem.status, headers: [], problem };
  return {
    status: 401,
    headers: [["WWW-Authenticate", "WPT"]],
    problem: { ...problem, status: 401 },
  };
}
