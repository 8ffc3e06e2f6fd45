import type { Digest } from "@countersign/core";

/**
 * The two digits of a question whose terminal shows them, apart from the question: nothing that is shown of one can show
 * them. Dropped once the question is over.
 */
export interface DigitsRow {
  readonly req: Digest;
  readonly digits: string;
  /** How often others were typed. */
  readonly failures: number;
}
