import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Interface } from "node:readline/promises";
import { readCode, Refusal } from "@countersign/core";
import { paintLine } from "./screen-paint.ts";
import type { Cli } from "./terminal.ts";

export type Answer = "approve" | "deny" | "quit";

const MAX_WRONG_CODES = 3;
const TWO_DIGITS = /^[0-9]{2}$/;

async function ask(prompt: Interface, question: string): Promise<string> {
  return (await prompt.question(question)).trim();
}

/** Shows the lines a screenful at a time. "deny" counts from the first one, the code only after the last. */
async function page(
  cli: Cli,
  prompt: Interface,
  lines: readonly string[],
): Promise<Answer | undefined> {
  const size = Math.max(8, cli.rows - 2);
  for (let at = 0; at < lines.length; at += size) {
    cli.stdout.write(
      lines
        .slice(at, at + size)
        .map((line) => `${paintLine(cli, line)}\n`)
        .join(""),
    );
    if (at + size >= lines.length) return undefined;
    const answer = (
      await ask(
        prompt,
        `-- ${lines.length - at - size} more lines; Enter goes on, or: deny, quit > `,
      )
    ).toLowerCase();
    if (answer === "deny" || answer === "quit") return answer;
  }
  return undefined;
}

/**
 * Shows the request and takes the person's answer. Approving means typing the code, computed here from the bytes.
 * @param where the person finds the code
 * @throws Refusal `terminal_required` without a person, or after three wrong codes
 */
export async function askOwner(
  cli: Cli,
  lines: readonly string[],
  code: string,
  where = "that the agent's terminal shows",
): Promise<Answer> {
  if (!cli.isTerminal)
    throw new Refusal("terminal_required", "standard input or output is no terminal");
  const prompt = createInterface({ input: cli.stdin, output: cli.stdout });
  try {
    const early = await page(cli, prompt, lines);
    if (early !== undefined) return early;
    for (let wrong = 0; wrong < MAX_WRONG_CODES; wrong += 1) {
      const answer = await ask(prompt, `To approve, type the code ${where}. Or: deny, quit\n> `);
      if (answer.toLowerCase() === "deny") return "deny";
      if (answer === "" || answer.toLowerCase() === "quit") return "quit";
      if (readCode(answer) === code) return "approve";
      cli.stdout.write(
        "That is not the code of this request. If the agent's terminal shows another one, deny it.\n",
      );
    }
    throw new Refusal("terminal_required", "three wrong codes");
  } finally {
    prompt.close();
  }
}

/** Has two digits typed, as the agent's terminal shows them. What is not two digits is asked for again, and counts nothing. */
export async function askDigits(cli: Cli, code: string): Promise<string> {
  const prompt = createInterface({ input: cli.stdin, output: cli.stdout });
  try {
    for (;;) {
      const answer = await ask(
        prompt,
        `Type the two digits that the terminal with the code ${code} shows. Or: deny, quit\n> `,
      );
      const word = answer.toLowerCase();
      if (word === "deny") return "deny";
      if (word === "" || word === "quit") return "quit";
      const digits = answer.replace(/ /g, "");
      if (TWO_DIGITS.test(digits)) return digits;
    }
  } finally {
    prompt.close();
  }
}

/** A question that takes a yes: whatever else is typed is a no, and so are the end of the input and of the time. */
export async function askYes(cli: Cli, question: string, timeoutMs: number): Promise<boolean> {
  const output = cli.isJson ? cli.stderr : cli.stdout;
  const prompt = createInterface({ input: cli.stdin, output });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await Promise.race([
      ask(prompt, question).catch(() => ""),
      once(prompt, "close", { signal }).catch(() => undefined),
    ]);
    return typeof answer === "string" && /^y(es)?$/i.test(answer);
  } finally {
    prompt.close();
  }
}
