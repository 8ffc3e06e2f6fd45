import type { Command } from "commander";
import { habitWords, readHabits } from "@countersign/core";
import { explain, withApi } from "../sockets.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

async function habits(cli: Cli, name: string): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const answer = await explain(
      api.get(`/v1/owner/habits?owner=${encodeURIComponent(name)}`),
      "not_found",
      `no owner ${name}`,
      "See who is one: countersign owner list",
    );
    const { signs, figures } = habitWords(readHabits(answer));
    show(cli, answer, [
      ...signs.map((line) => `${cli.paint("yellow", "!")} ${line}`),
      ...figures,
      ...(signs.length === 0 ? ["No sign that texts are signed unread."] : []),
    ]);
  });
}

/** `countersign owner habits` */
export function habitsCommand(cli: Cli, noun: Command): void {
  noun
    .command("habits <name>")
    .description("shows how an owner decides: how fast, how often yes, and what is left unseen")
    .addHelpText("after", "\nExample:\n  countersign owner habits me")
    .action((name: string) => habits(cli, name));
}
