#!/usr/bin/env node
import { homedir } from "node:os";
import { Command, CommanderError } from "commander";
import { Refusal } from "@countersign/core";
import { paintFor } from "@countersign/node";
import { NOUNS } from "./nouns.ts";
import { ExitCode, showRefusal } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

const VERSION = "0.1.0";

/** Words before the noun that are ours: everything behind it belongs to the noun's own parser. */
function globals(argv: readonly string[]): {
  readonly isJson: boolean;
  readonly data: string | undefined;
  readonly rest: readonly string[];
} {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  const rest: string[] = [];
  let data: string | undefined;
  for (let i = 0; i < own.length; i += 1) {
    const word = own[i] ?? "";
    if (word === "--json") continue;
    if (word === "--data") {
      i += 1;
      data = own[i];
    } else if (word.startsWith("--data=")) data = word.slice("--data=".length);
    else rest.push(word);
  }
  return {
    isJson: own.includes("--json"),
    data,
    rest: [...rest, ...(end < 0 ? [] : argv.slice(end))],
  };
}

function openCli(given: { readonly isJson: boolean; readonly data: string | undefined }): Cli {
  const { stdout, stderr, stdin, env } = process;
  return {
    ...given,
    stdout,
    stderr,
    stdin,
    isTerminal: stdin.isTTY && stdout.isTTY,
    columns: stdout.columns ?? 80,
    rows: stdout.rows ?? 24,
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
  };
}

function overview(): Command {
  const program = new Command("countersign")
    .description("Gives every agent its own short-lived credential, countersigned by its owner.")
    .version(VERSION)
    .option("--json", "print one JSON document instead of words")
    .option("--data <dir>", "data directory of the server and proxy meant")
    .addHelpText(
      "after",
      "\nFirst steps:\n  countersign dev\n  countersign owner enrol me --key ~/.ssh/id_ed25519\n  countersign agent register hello --owner me --audience https://api.example/\n  countersign run --agent hello -- node agent.mjs",
    );
  for (const noun of NOUNS) program.command(noun.name).description(noun.about);
  return program;
}

/** Every command throws in place of ending the process: what is set after a subcommand was made does not reach it. */
function strict(command: Command): Command {
  for (const verb of command.commands) strict(verb);
  return command.exitOverride().showHelpAfterError("(--help shows how it is used)");
}

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const { rest, ...given } = globals(argv);
  const cli = openCli(given);
  const noun = NOUNS.find((candidate) => candidate.name === rest[0]);
  try {
    if (noun === undefined) {
      const program = overview().exitOverride();
      if (rest.length === 0) program.help();
      await program.parseAsync(rest, { from: "user" });
      return 0;
    }
    const { build } = await noun.load();
    await strict(build(cli)).parseAsync(rest.slice(1), { from: "user" });
    return 0;
  } catch (error) {
    return failed(cli, error);
  }
}

/** 1: refused. 2: the command was typed wrongly. 70: a fault of ours. */
function failed(cli: Cli, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
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

process.exitCode = await main(process.argv.slice(2));
