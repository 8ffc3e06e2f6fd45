import { Refusal } from "@countersign/core";

/** `accepted`, or the code of the refusal. Any other throw is a bug and fails the test. */
export async function outcomeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** The refusal code that a vector's `expect` names; some of them are sentences that hold it. */
export function labelOf(expectation: string): string {
  return /[a-z]+(?:_[a-z]+)+/.exec(expectation)?.[0] ?? expectation;
}
