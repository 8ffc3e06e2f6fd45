import { Command } from "commander";
import { Refusal } from "@countersign/core";
import { daemonLog, placesOf } from "../production.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

async function recover(cli: Cli, options: { readonly yes: boolean }): Promise<void> {
  const { data } = placesOf(cli, "server");
  if (!options.yes)
    throw new Refusal(
      "malformed_request",
      "this ends the log and every approval, and cannot be undone",
      "If a newer copy of the data directory exists, put that in place instead. Else repeat it with --yes.",
    );
  const { recoverServer } = await import("../daemons.ts");
  const { hold, log, former, endedGrants, endedAsks } = await recoverServer(data, daemonLog(cli));
  show(cli, { hold, log, former, ended_grants: endedGrants, ended_requests: endedAsks }, [
    `${cli.paint("bold", "Recovered")} from: ${hold}`,
    `  ended log   ${former.origin}, ${former.size} rows are left of it and stay readable`,
    `  new log     ${log.origin}, key ${log.vkey}`,
    `  ended       ${endedGrants} approvals, ${endedAsks} open requests, all join tokens and nonces`,
    "What an older copy did not know is gone too. Before agents run again, look at:",
    "  stops that were set              countersign halt …",
    "  owners' keys that were removed   countersign owner list",
    "  hosts that cannot connect        countersign server join-token --proxy NAME --replace",
    "Tell whoever relies on this server:",
    "  The trust bundle names the new log. A relying party refuses such a bundle (trust_bundle_changed) until a person",
    "  configures it anew, after asking you over another channel whether the key above is right.",
    "  Evidence that proved itself by the old log still does, with the old key.",
    "Then: countersign server run",
  ]);
}

export function recoverCommand(cli: Cli): Command {
  return new Command("recover")
    .description(
      "after a rollback: starts a new log and ends every approval; the server is stopped",
    )
    .option("--yes", "yes, end the log and every approval", false)
    .addHelpText("after", "\nExample:\n  countersign server recover --yes")
    .action((options: { yes: boolean }) => recover(cli, options));
}
