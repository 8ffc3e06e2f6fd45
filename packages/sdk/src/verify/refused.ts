import { answerOf, LinkRefusal, Refusal } from "@countersign/core";
import type { Problem } from "@countersign/core";

/** What a request is judged by beside the links of core, which judge its credential. */
export const STEPS = {
  peer: "the certificate of the TLS handshake names one agent of the configured trust domain and is valid now",
  request: "the request presents one token and one proof",
  wit: "the token is signed by the configured trust domain and is valid now",
  trust: "the trust bundle of the caller's trust domain is in date",
  proof: "the caller holds the credential's key, and made the proof for this request",
  evidence: "the owner's statement and signature are there",
  replay: "the proof was not used before",
} as const;
export type Step = keyof typeof STEPS;

/** Runs one step; its refusal leaves with the step's name, and with the refusal itself as `cause`. */
export async function step<T>(id: Step, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Refusal) || error instanceof LinkRefusal) throw error;
    const detail = error.message.slice(error.code.length + 2);
    const links = [{ id, title: STEPS[id], result: error.code }];
    const named = new LinkRefusal(error.code, id, links, detail === "" ? undefined : detail);
    named.cause = error;
    throw named;
  }
}

/** A problem document that names the link at which a request was refused. */
export interface RequestProblem extends Problem {
  readonly link?: string;
}

/** An answer for whatever HTTP server is there. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text of the problem document (RFC 9457). */
  readonly body: string;
  readonly problem: RequestProblem;
}

/**
 * The answer to a request that was refused: 401 with the challenge `WPT` for a fault of the proof, else the status of
 * the reason; `reason`, `next` and, where there is one, `link` say why. Anything but a Refusal is a bug and becomes
 * 500 `internal`.
 */
export function problemFor(error: unknown): ProblemAnswer {
  const refusal = error instanceof Refusal ? error : new Refusal("internal");
  const reason = refusal.cause instanceof Refusal ? refusal.cause : refusal;
  const { status, headers, problem: plain } = answerOf(reason);
  const problem: RequestProblem =
    refusal instanceof LinkRefusal ? { ...plain, link: refusal.link } : plain;
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    },
    body: JSON.stringify(problem),
    problem,
  };
}
