import { Command } from "commander";
import { Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { columns } from "../columns.ts";
import { list, number, text, withApi } from "../sockets.ts";
import { instant, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

interface RotateOptions {
  readonly wit: boolean;
  readonly ca: boolean;
  readonly activateIn?: string;
}

const USES: Readonly<Record<string, string>> = {
  wit: "token key",
  agents_ca: "issuing CA of agents",
  infrastructure_ca: "issuing CA of hosts",
};

function seconds(given: string): number {
  if (!/^[0-9]{1,5}$/.test(given))
    throw new Refusal(
      "malformed_request",
      "--activate-in is no number",
      "Give seconds: --activate-in 600.",
    );
  return Number(given);
}

async function rotate(cli: Cli, options: RotateOptions): Promise<void> {
  const { wit, ca, activateIn } = options;
  const order: JsonObject = {
    wit: wit || !ca,
    ca,
    ...(activateIn === undefined ? {} : { activate_in: seconds(activateIn) }),
  };
  const answer = await withApi(cli, "server.sock", (api) => api.post("/v1/keys/rotate", order));
  show(cli, answer, [
    ...columns(
      list(answer, "keys").map((key) => [
        cli.paint("bold", USES[text(key, "use")] ?? text(key, "use")),
        `signs from ${instant(number(key, "nbf"))}`,
        `until ${instant(number(key, "exp"))}`,
      ]),
    ),
    "Published now. The keys before are kept until everything that they signed has expired.",
    ...(ca ? ["Take the root keys off this machine again: running does not need them."] : []),
  ]);
}

export function keysCommand(cli: Cli): Command {
  const noun = new Command("keys")
    .description("changes what the running server signs with")
    .addHelpText("after", "\nExample:\n  countersign server keys rotate");
  noun
    .command("rotate")
    .description("prepares new keys: published now, used a little later")
    .option("--wit", "the token key (default)", false)
    .option(
      "--ca",
      "the issuing CAs of agents and hosts: needs the root keys in its folder roots",
      false,
    )
    .option(
      "--activate-in <seconds>",
      "until they sign (default: 600, twice what a trust bundle may be old)",
    )
    .addHelpText("after", "\nExample:\n  countersign server keys rotate --wit --ca")
    .action((options: RotateOptions) => rotate(cli, options));
  return noun;
}
