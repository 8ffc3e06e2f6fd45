import type { Cli } from "./terminal.ts";

/** What a line of the screen is, by how it starts; nothing that comes from outside starts a line so. */
const STYLES = [
  [/^\[..\] /, "bold"],
  [/^[A-Z]{2}/, "bold"], // a heading
  [/^! /, "yellow"], // marked, or a warning
  [/^ {2}\| /, "dim"], // the agent's words
  [/^-+$/, "dim"],
] as const;

/** A line of the screen as a terminal shows it. Colours repeat what its first characters say, and say nothing else. */
export function paintLine(cli: Pick<Cli, "paint">, line: string): string {
  const [, style] = STYLES.find(([starts]) => starts.test(line)) ?? [];
  return style === undefined ? line : cli.paint(style, line);
}
