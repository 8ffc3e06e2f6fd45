import { Refusal } from "@countersign/core";

/** `accepted`, or the code of the refusal. Any other throw is a bug and fails the test. */
export function outcomeOf(run: () => unknown): string {
  try {
    run();
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}
