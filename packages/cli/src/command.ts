import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import type { Command } from "commander";
import { Refusal } from "@countersign/core";
import { paintFor } from "@countersign/node";
import { invocationWords } from "./invocation.ts";
import type { Noun } from "./nouns.ts";
import { ExitCode, showRefusal } from "./terminal.ts";
import type { Cli } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** What stood on the command line, ours taken out. */
export interface Given {
  readonly isJson: boolean;
  readonly data: string | undefined;
  readonly rest: readonly string[];
}

const EXECUTABLE = fileURLToPath(new URL("../bin/countersign.mjs", import.meta.url));

function openCli(host: NodeJS.Process, { isJson, data }: Given): Cli {
  const { stdout, stderr, stdin, env } = host;
  return {
    isJson,
    data,
    stdout,
    stderr,
    stdin,
    isTerminal: stdin.isTTY && stdout.isTTY,
    columns: stdout.columns || 80, // a terminal of unknown size says 0
    rows: stdout.rows || 24,
    paint: paintFor(stdout, env["NO_COLOR"]),
    paintErr: paintFor(stderr, env["NO_COLOR"]),
    home: homedir(),
    env: {
      XDG_STATE_HOME: env["XDG_STATE_HOME"],
      SSH_AUTH_SOCK: env["SSH_AUTH_SOCK"],
      COUNTERSIGN_SOCKET: env["COUNTERSIGN_SOCKET"],
      all: env,
    },
    version: VERSION,
    typedAs: invocationWords({
      file: host.argv[1] ?? "",
      executable: EXECUTABLE,
      cwd: host.cwd(),
      env,
    }),
  };
}

/** Every command throws in place of ending the process: what is set after a subcommand was made does not reach it. */
function strict(command: Command, isJson: boolean): Command {
  for (const verb of command.commands) strict(verb, isJson);
  command.exitOverride();
  return isJson
    ? command.configureOutput({ outputError: () => undefined }) // `failed` says it as a document
    : command.showHelpAfterError("(--help shows how it is used)");
}

/** Loads the noun's file and runs what was typed. @returns the exit code */
export async function runCommand(host: NodeJS.Process, noun: Noun, given: Given): Promise<number> {
  const cli = openCli(host, given);
  try {
    const { build } = await noun.load();
    await strict(build(cli), cli.isJson).parseAsync(given.rest.slice(1), { from: "user" });
    return 0;
  } catch (error) {
    return failedIn(cli, error);
  }
}

function typedWrongly({ message }: CommanderError): Refusal {
  const what = message.replace(/^error: /, "").replaceAll(/\s+/g, " ");
  return new Refusal("malformed_request", what, "--help shows how it is used.");
}

/** 1: refused. 2: the command was typed wrongly. 70: a fault of ours. */
export function failed(host: NodeJS.Process, given: Given, error: unknown): number {
  return failedIn(openCli(host, given), error);
}

function failedIn(cli: Cli, error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (error instanceof CommanderError) {
    if (cli.isJson) showRefusal(cli, typedWrongly(error));
    return 2;
  }
  if (error instanceof ExitCode) return error.code;
  if (error instanceof Refusal) {
    showRefusal(cli, error);
    return 1;
  }
  cli.stderr.write(
    `countersign: a fault of ours: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 70;
}
