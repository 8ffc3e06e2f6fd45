import { resolve } from "node:path";
import { Command } from "commander";
import { placesOf } from "../production.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

async function backup(cli: Cli, folder: string): Promise<void> {
  const { data } = placesOf(cli, "server");
  const target = resolve(folder);
  const { backupServer } = await import("../daemons.ts");
  const { files } = await backupServer(data, target);
  show(cli, { folder: target, files }, [
    `Copied the server in ${data} to ${target}: ${files.length} files, one state of the database.`,
    "It holds every signing key: keep it like the server itself.",
    "Not in it: the root keys, and the last checkpoint. A restored server holds until countersign server recover.",
  ]);
}

export function backupCommand(cli: Cli): Command {
  return new Command("backup")
    .description("copies database, configuration and keys into a new folder, also while it runs")
    .argument("<folder>", "a folder that is not there yet")
    .addHelpText("after", "\nExample:\n  countersign server backup /backup/countersign-2026-11-24")
    .action((folder: string) => backup(cli, folder));
}
