import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { fakeCli } from "./cli.testing.ts";
import { askYes } from "./prompt.ts";
import type { Cli } from "./terminal.ts";

/** Long enough for whatever is typed. */
const MINUTE_MS = 60_000;

/** What is typed, and then perhaps the end of the input. */
async function answered(
  typed: string,
  { timeoutMs = MINUTE_MS, isJson = false, ends = false } = {},
): Promise<readonly [isYes: boolean, shown: string]> {
  const fake = fakeCli();
  const stdin = new PassThrough();
  // nothing but lines is read of it
  const cli: Cli = { ...fake, isJson, stdin: stdin as unknown as Cli["stdin"] };
  const asked = askYes(cli, "Sign? ", timeoutMs);
  stdin.write(typed);
  if (ends) stdin.end();
  return [await asked, fake.output()];
}

it.each([
  ["yes\n", true],
  ["y\n", true],
  [" YES \n", true],
  ["\n", false],
  ["no\n", false],
  ["yes please\n", false],
  ["yeah\n", false],
])("%o is a yes: %s", async (typed, isYes) => {
  expect((await answered(typed))[0]).toBe(isYes);
});

it("the end of the input is a no", async () => {
  expect((await answered("", { ends: true }))[0]).toBe(false);
});

it("the end of the time is a no, whatever is half typed", async () => {
  expect((await answered("ye", { timeoutMs: 1 }))[0]).toBe(false);
});

it("the question stands on standard output, unless that is for a document", async () => {
  expect((await answered("no\n"))[1]).toContain("Sign? ");
  expect((await answered("no\n", { isJson: true }))[1]).toBe("");
});
