import { answerMs, COURIER, until } from "./countersign.ts";
import type { Home, Running } from "./countersign.ts";

/** An agent that was started at a terminal of its own, with what stands there. */
export interface AtTerminal {
  readonly agent: Running;
  readonly code: string;
  readonly digits: string;
  /** What its door answers in the end. */
  readonly answer: Promise<Record<string, unknown>>;
}

const STATUS = /"status":\d+/;

/** Posts to the door, and gives the answer: the terminal also shows what was typed. */
export async function tellAtTerminal(
  agent: Running,
  path: string,
  body: object = {},
): Promise<Record<string, unknown>> {
  const answers = (): readonly string[] => agent.out.filter((line) => STATUS.test(line));
  const { length } = answers();
  agent.write(JSON.stringify({ path, body }));
  const line = await agent.when(`answer to ${path}`, () => answers()[length], answerMs(path));
  return JSON.parse(line.slice(line.indexOf("{"))) as Record<string, unknown>;
}

/** The code that stands there last, and the digits beside it. */
export function shownAt({ text }: Running): Pick<AtTerminal, "code" | "digits"> | undefined {
  const all = [
    ...text.matchAll(/code ([0-9A-Z]{5}-[0-9A-Z]{5}).*\r?\n\s+Type (\d\d) where you approve/g),
  ];
  const [, code, digits] = all.at(-1) ?? [];
  return code === undefined || digits === undefined ? undefined : { code, digits };
}

/** Starts an agent with `countersign run` at a terminal, and lets it ask. */
export async function askAtTerminal(home: Home, name: string, note?: string): Promise<AtTerminal> {
  const agent = home.atTerminal(["run", "--agent", name, "--", process.execPath, COURIER]);
  const answer = tellAtTerminal(
    agent,
    "/v1/credential?wait=60",
    note === undefined ? {} : { note },
  );
  answer.catch(() => undefined); // told to whoever awaits it
  const shown = await until("digits at the terminal", () => shownAt(agent));
  return { agent, ...shown, answer };
}

/** Two digits that are not these. */
export const otherThan = (digits: string): string =>
  String((Number(digits) + 1) % 100).padStart(2, "0");

/** Where the words end that a terminal shows, now or later. */
export function said(terminal: Running, words: string, from = 0): Promise<number> {
  return terminal.when(words, ({ text }) => {
    const at = text.indexOf(words, from);
    return at < 0 ? undefined : at + words.length;
  });
}

/** Turns every page up to the question for the code. */
export async function readOn(terminal: Running, from: number): Promise<void> {
  let at = from;
  await terminal.when("question for the code", ({ text }) => {
    const more = text.indexOf("more lines; Enter goes on", at);
    if (more >= 0) {
      at = more + 1;
      terminal.write("");
      return undefined;
    }
    return text.includes("type the code", from) ? true : undefined;
  });
}
