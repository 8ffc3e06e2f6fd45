#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import type { Given } from "./command.ts";
import { NOUNS } from "./nouns.ts";
import { VERSION } from "./version.ts";

// Help is shown without the rest of the program: everything else is loaded when a noun was typed.

/** Words before the noun that are ours: everything behind it belongs to the noun's own parser. */
function globals(argv: readonly string[]): Given {
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

/** Time for what was written to be read. */
const LINGER_MS = 1000;

function overview(): Command {
  const program = new Command("countersign")
    .description("Gives every agent its own short-lived credential, countersigned by its owner.")
    .version(VERSION)
    .option("--json", "print one JSON document instead of words")
    .option("--data <dir>", "data directory of the server and proxy meant")
    .addHelpText(
      "after",
      "\nFirst steps:\n  countersign dev                 # a code for your passkey, and what to do next\n  countersign agent register hello --owner me --audience http://localhost:4000/\n  countersign owner expect hello  # you start it, within ten minutes\n  countersign run --agent hello -- node agent.mjs",
    );
  for (const noun of NOUNS) program.command(noun.name).description(noun.about);
  return program;
}

/** Help, the version, or a word that is not known. @returns the exit code */
async function help({ rest, isJson }: Given): Promise<number> {
  const program = overview().exitOverride();
  if (isJson) program.configureOutput({ outputError: () => undefined });
  try {
    if (rest.length === 0) program.help();
    await program.parseAsync(rest, { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (isJson && error.exitCode !== 0)
      return (await import("./command.ts")).failed(process, given, error);
    return error.exitCode === 0 ? 0 : 2;
  }
}

const given = globals(process.argv.slice(2));
const noun = NOUNS.find((candidate) => candidate.name === given.rest[0]);
const code =
  noun === undefined
    ? await help(given)
    : await (await import("./command.ts")).runCommand(process, noun, given);
process.exitCode = code;
// what failed may have left something open, a listener of a daemon that came halfway: the process ends all the same
if (code !== 0) setTimeout(() => process.exit(code), LINGER_MS).unref();
