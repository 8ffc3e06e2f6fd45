import { Refusal } from "@countersign/core";

/** The code of the refusal, `ok`, or what the bug is. */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}
