import { Command } from "commander";
import { DEFAULT_MAX_LIVE, DEFAULT_MAX_TTL_SECONDS } from "@countersign/core";
import { register } from "../agent-register.ts";
import type { RegisterOptions } from "../agent-register.ts";
import { list, number, text, withApi } from "../sockets.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

async function listAgents(cli: Cli): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const entries = list(await api.get("/v1/entries"), "entries");
    const credentials = list(await api.get("/v1/credentials"), "credentials");
    const rows = entries.map((entry) => {
      const id = text(entry, "id");
      const live = credentials.filter((credential) =>
        text(credential, "agent").startsWith(`${id}/`),
      );
      const state =
        live.length > 0
          ? cli.paint("green", `[//] ${live.length} live`)
          : cli.paint("dim", "[__] none");
      return `${state.padEnd(12)}  ${id.split("/").at(-1)?.padEnd(16) ?? ""}  uid ${number(entry, "uid")}  ${text(entry, "proxy")}${entry["custody"] === "agent" ? "  own key" : ""}`;
    });
    show(
      cli,
      { entries },
      rows.length === 0
        ? ["No agent is registered. countersign agent register NAME --owner O --audience URL"]
        : rows,
    );
  });
}

async function remove(cli: Cli, name: string): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const answer = await api.remove(`/v1/entries/${encodeURIComponent(name)}`);
    show(cli, answer, [`Removed ${name}; its approvals have ended.`]);
  });
}

const many = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Limits of what is asked for, and exceptions from the house's defaults. */
function grantOptions(command: Command): Command {
  return command
    .option(
      "--location <url>",
      "limit of the approval: addresses that the owner is asked to approve; repeatable",
      many,
      [],
    )
    .option("--action <name>", "action at these locations; repeatable", many, [])
    .option(
      "--action-class <class>",
      "read_only, reversible_write, irreversible_action, external_commitment or privileged_administration",
    )
    .option("--single", "one credential per approval instead of a standing grant", false)
    .option(
      "--max-ttl <seconds>",
      "longest life of one credential",
      String(DEFAULT_MAX_TTL_SECONDS),
    )
    .option("--max-live <n>", "credentials alive at the same time", String(DEFAULT_MAX_LIVE))
    .option(
      "--carried",
      "the server does not publish the owner's evidence; the agent shows it",
      false,
    )
    .option("--approval-in-certificate", "the certificate carries what the owner signed", false)
    .option(
      "--own-key",
      "the agent makes its key and keeps it, for mutual TLS: the proxy can then withhold no proofs",
      false,
    )
    .option(
      "--insecure-same-uid",
      "the agent runs as the proxy's user: it can then read the proxy's keys",
      false,
    )
    .option(
      "--insecure-soft-key-standing",
      "a software key may approve longer than 24 hours",
      false,
    );
}

/** What is measured and demanded of the process. */
function programOptions(command: Command): Command {
  return command
    .option("--uid <n>", "user that it runs as (default: you)")
    .option(
      "--door <kind>",
      "run: started by countersign run; fixed: a socket of its own for a service started otherwise; unit: the same, for one systemd service only",
      "run",
    )
    .option("--unit <name>", "with --door unit: the service, such as mailer.service")
    .option("--door-mode <mode>", "of a fixed or unit door's socket: 0600 (default), 0660 or 0666")
    .option("--program <path>", "program file to measure (default with --script: node)")
    .option("--script <path>", "main script to measure")
    .option("--pin", "accept exactly the measured files", false)
    .option(
      "--interpreter-option <option>",
      "option that may stand before the script; repeatable",
      many,
      [],
    )
    .option("--manifest <path>", "manifest of files that the proxy checks")
    .option(
      "--fact <path>",
      "fact that must be present, such as agent.countersign_proc.seccomp; repeatable",
      many,
      [],
    );
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign agent").description(
    "Registers agents: what each is, where it runs, who answers for it.",
  );
  const registering = noun
    .command("register <name>")
    .description("registers an agent, or changes it; measures the program and shows it")
    .option(
      "--owner <name>",
      "who approves it; without an owner nobody does, and the program must be pinned",
    )
    .option(
      "--quorum <m>",
      "how many of --owner and every --party must approve before anything is granted",
    )
    .option("--party <name>", "another owner who is asked, with --quorum; repeatable", many, [])
    .requiredOption(
      "--audience <url>",
      "base address that it may prove itself to; repeatable; * is any",
      many,
      [],
    )
    .option("--proxy <name>", "host that serves it (default: the only one)");
  grantOptions(programOptions(registering))
    .addHelpText(
      "after",
      [
        "",
        "Example:",
        "  countersign agent register mailer --owner me --audience https://mail.example/ --script agent.mjs --pin",
        "  countersign agent register payer --owner alice --party bob --party carol --quorum 2 --audience https://bank.example/ --script pay.mjs",
        "  countersign agent register peer --owner me --audience https://mail.example/ --script peer.mjs --own-key",
        "  countersign agent register mailer --owner me --audience https://mail.example/ --script /srv/mailer/agent.mjs --uid 1001 --door unit --unit mailer.service",
      ].join("\n"),
    )
    .action((name: string, options: RegisterOptions) => register(cli, name, options));
  noun
    .command("list")
    .description("lists registered agents and what they hold")
    .addHelpText("after", "\nExample:\n  countersign agent list --json")
    .action(() => listAgents(cli));
  noun
    .command("remove <name>")
    .description("removes a registration and ends its approvals")
    .addHelpText("after", "\nExample:\n  countersign agent remove mailer")
    .action((name: string) => remove(cli, name));
  return noun;
}
