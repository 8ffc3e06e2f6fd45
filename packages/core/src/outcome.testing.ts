import { Refusal } from "./refusal.ts";

/** For tests: `accepted`, or the code of the refusal. Any other throw is a bug and fails the test. */
export async function outcomeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}
