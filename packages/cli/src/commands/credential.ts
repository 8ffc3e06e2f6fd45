import { Command } from "commander";
import { nodeCrypto, systemClock } from "@countersign/node";
import { readBounded, readStream } from "../files.ts";
import { inspect } from "../inspect.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MAX_FILE_BYTES = 1_048_576;

async function look(cli: Cli, file: string): Promise<void> {
  const octets =
    file === "-"
      ? await readStream(cli.stdin, "standard input", MAX_FILE_BYTES)
      : await readBounded(file, MAX_FILE_BYTES);
  const { kind, title, value, lines } = inspect(nodeCrypto, octets, systemClock());
  show(cli, { kind, verified: false, ...value }, [
    cli.paint("yellow", "UNVERIFIED: anybody can write this. Check it with countersign verify."),
    cli.paint("bold", title),
    ...lines,
  ]);
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign credential")
    .description("Looks into tokens, certificates and bundles.")
    .addHelpText("after", "\nExample:\n  countersign credential inspect wit.jwt");
  noun
    .command("inspect")
    .description("shows what a file says, without verifying any of it")
    .argument(
      "<file>",
      "WIT, certificate (PEM or DER), bundle or trust bundle; - for standard input",
    )
    .addHelpText(
      "after",
      "\nExample:\n  countersign credential inspect wit.jwt\n  curl -s https://id.example.org/bundle | countersign credential inspect -",
    )
    .action((file: string) => look(cli, file));
  return noun;
}
