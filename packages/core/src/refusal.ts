import { REFUSALS } from "./refusal-table.ts";
import type { RefusalCode } from "./refusal-table.ts";

/**
 * The one way to say no. `code` decides status and public words (see the table); `detail` is for logs and tests
 * and never holds a secret, token or key.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;
  /** What the caller may do, where the table's sentence can be made more exact (a command or URL). */
  readonly next: string | undefined;

  constructor(code: RefusalCode, detail?: string, next?: string) {
    super(detail === undefined ? code : `${code}: ${detail}`);
    this.name = "Refusal";
    this.code = code;
    this.next = next;
  }
}

/** RFC 9457 problem document. `type` is a URN so that nobody is asked to fetch it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly reason: RefusalCode;
  readonly next: string;
}

/** What the caller is told about a refusal: only words of the table, never the detail. */
export function problemOf(refusal: Refusal): Problem {
  const row = REFUSALS[refusal.code];
  return {
    type: `urn:countersign:refusal:${refusal.code}`,
    title: row.title,
    status: row.status,
    reason: refusal.code,
    next: refusal.next ?? row.next,
  };
}

export { REFUSALS };
export type { RefusalCode };
