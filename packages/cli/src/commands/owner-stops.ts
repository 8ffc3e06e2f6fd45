import type { Command } from "commander";
import { refuseInsideRun } from "../inside-run.ts";
import { explain, withApi } from "../sockets.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

async function printCodes(cli: Cli, name: string): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const answer = await explain(
      api.post("/v1/owner/stop-codes", { owner: name }),
      "not_found",
      `no owner ${name}`,
      "List them: countersign owner list",
    );
    const { codes } = answer;
    const lines = Array.isArray(codes) ? codes.map(String) : [];
    show(cli, answer, [
      `Stop codes of ${cli.paint("bold", name)}, each good once. They are shown now and never again; earlier ones are void.`,
      "",
      ...lines.map((code) => `  ${code}`),
      "",
      "Print them and keep them where the keys are not. To stop everything: countersign halt --code",
      "  From another machine: countersign halt --code --server https://THE-PUBLIC-ADDRESS",
    ]);
  });
}

async function unblock(cli: Cli, name: string): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const answer = await explain(
      api.post(`/v1/owner/agents/${encodeURIComponent(name)}/unblock`, {}),
      "not_found",
      `no agent ${name} with an owner`,
      "See them: countersign agent list",
    );
    show(cli, { agent: name, ...answer }, [
      `${name} may ask its owner again. It has been given nothing.`,
    ]);
  });
}

/** What owners print for the day without a key. */
export function stopCommands(cli: Cli, noun: Command): void {
  noun
    .command("stop-codes <name>")
    .description("prints eight codes that stop everything of an owner without a key")
    .addHelpText("after", "\nExample:\n  countersign owner stop-codes me")
    .action((name: string) => printCodes(cli, name));
}

/** How owners take a block away. */
export function unblockCommand(cli: Cli, noun: Command): void {
  noun
    .command("unblock <agent>")
    .description("lets an agent ask again that was blocked, or denied three times")
    .addHelpText("after", "\nExample:\n  countersign owner unblock mailer")
    .action((name: string) => unblock(cli, name));
}
