import { problemOf } from "@countersign/core";
import type { Refusal } from "@countersign/core";
import { printable } from "@countersign/node";
import type { Paint } from "@countersign/node";

/** Everything a command sees of the outside. Only `main` reads the process. */
export interface Cli {
  /** `--json`: one JSON document on standard output, nothing else. */
  readonly isJson: boolean;
  /** `--data` as given. */
  readonly data: string | undefined;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly stdin: NodeJS.ReadStream;
  /** Whether a person sits at both ends. */
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
  readonly paintErr: Paint;
  readonly home: string;
  /** Of the environment, only what commands are about. */
  readonly env: {
    readonly XDG_STATE_HOME?: string | undefined;
    readonly SSH_AUTH_SOCK?: string | undefined;
    readonly COUNTERSIGN_SOCKET?: string | undefined;
    readonly all: NodeJS.ProcessEnv;
  };
  readonly version: string;
  /** What starts this program again: `npx countersign`, or as it was named. */
  readonly typedAs: readonly string[];
}

/** Values come from outside: what could move a cursor is escaped, in JSON by an escape that means the same. */
function safeLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** The result of a command: a document for machines, lines for people. */
export function show(cli: Cli, value: object, lines: readonly string[]): void {
  cli.stdout.write(
    cli.isJson
      ? `${safeLines(JSON.stringify(value, undefined, 2))}\n`
      : lines.map((line) => `${line}\n`).join(""),
  );
}

/** A word to the person who waits; never part of the result. */
export function say(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`);
}

/** What happened and what to do next, from the one table; the detail is for the person who ran it. */
export function showRefusal(cli: Cli, refusal: Refusal): void {
  const problem = problemOf(refusal);
  const detail =
    refusal.message === refusal.code
      ? ""
      : ` (${printable(refusal.message.slice(refusal.code.length + 2))})`;
  if (cli.isJson)
    cli.stderr.write(
      `${JSON.stringify({ ...problem, ...(detail === "" ? {} : { detail: detail.slice(2, -1) }) })}\n`,
    );
  else
    cli.stderr.write(
      `${cli.paintErr("red", "refused")}: ${problem.title}${detail}.\n   next: ${problem.next}   ${cli.paintErr("dim", `[${problem.reason}]`)}\n`,
    );
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 0) return "over";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}

/** An instant as `2026-11-24 19:38:42 UTC`. */
export function instant(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Ends the command with this code; everything was said already. */
export class ExitCode extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}
