import type { Command } from "commander";
import type { JsonObject } from "@countersign/core";
import { printable } from "@countersign/node";
import { refuseInsideRun } from "../inside-run.ts";
import { explain, list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { ExitCode, instant, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const pathOf = (id: string): string => `/v1/owner/webhooks/${encodeURIComponent(id)}`;

/** One call about a webhook that has to be there. */
async function about(
  cli: Cli,
  id: string,
  ask: (api: LocalApi) => Promise<JsonObject>,
): Promise<JsonObject> {
  await refuseInsideRun(cli);
  return withApi(cli, "server.sock", (api) =>
    explain(ask(api), "not_found", `no webhook ${id}`, "See them: countersign owner webhook list"),
  );
}

function secretLines(cli: Cli, answer: JsonObject): readonly string[] {
  return [
    `Secret, shown now and never again: ${cli.paint("bold", text(answer, "secret"))}`,
    "  The receiver checks every message with it: docs/operations.md says how.",
  ];
}

async function add(cli: Cli, owner: string, url: string): Promise<void> {
  await refuseInsideRun(cli);
  const answer = await withApi(cli, "server.sock", (api) =>
    explain(
      explain(
        api.post("/v1/owner/webhooks", { owner, url }),
        "not_found",
        `no owner ${owner}`,
        "List them: countersign owner list",
      ),
      "address_refused",
      "the address is not one that may be posted to",
      "Write it as https://host/path, without user or fragment. Without TLS: insecure_notice_origins of the server.",
    ),
  );
  const id = text(answer, "id");
  show(cli, answer, [
    `Notices of ${owner} are posted to ${printable(text(answer, "url"))}: ${cli.paint("bold", id)}`,
    ...secretLines(cli, answer),
    `Try it: countersign owner webhook test ${id}`,
  ]);
}

function lineOf(row: JsonObject): string {
  const failures = number(row, "failures");
  const state =
    row["disabled_at"] !== undefined
      ? `DISABLED at ${instant(number(row, "disabled_at"))} (${text(row, "disabled_why")})`
      : failures === 0
        ? "works"
        : `failed ${failures} times since ${instant(number(row, "failing_since"))}`;
  return `${text(row, "id")}  ${state}  ${printable(text(row, "url"))}  ${text(row, "owner")}`;
}

async function listAll(cli: Cli, owner: string | undefined): Promise<void> {
  const query = owner === undefined ? "" : `?owner=${encodeURIComponent(owner)}`;
  const answer = await withApi(cli, "server.sock", (api) =>
    explain(
      api.get(`/v1/owner/webhooks${query}`),
      "not_found",
      `no owner ${owner ?? ""}`,
      "List them: countersign owner list",
    ),
  );
  const lines = list(answer, "webhooks").map(lineOf);
  show(cli, answer, lines.length === 0 ? ["No webhook."] : lines);
}

async function rotate(cli: Cli, id: string): Promise<void> {
  const answer = await about(cli, id, (api) => api.post(`${pathOf(id)}/rotate`, {}));
  show(cli, answer, [
    ...secretLines(cli, answer),
    `  Until ${instant(number(answer, "old_secret_until"))} messages are signed with the old one too.`,
  ]);
}

async function test(cli: Cli, id: string): Promise<void> {
  const answer = await about(cli, id, (api) => api.post(`${pathOf(id)}/test`, {}));
  const said = printable(text(answer, "said"));
  const isTaken = answer["taken"] === true;
  show(cli, answer, [
    isTaken
      ? `Taken: the receiver answered ${said}.`
      : `Not taken: ${said}. Look at the receiver's log, and at its name and certificate.`,
  ]);
  if (!isTaken) throw new ExitCode(1);
}

async function remove(cli: Cli, id: string): Promise<void> {
  const answer = await about(cli, id, (api) => api.remove(pathOf(id)));
  show(cli, answer, ["Removed, with what waited for it."]);
}

/** `countersign owner webhook …` */
export function webhookCommand(cli: Cli, noun: Command): void {
  const webhook = noun
    .command("webhook")
    .description("posts an owner's notices to an address: that something waits, never what")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner webhook add me https://hooks.example.com/countersign",
    );
  webhook
    .command("add <owner> <url>")
    .description("adds an address, and shows the secret that its messages are signed with")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner webhook add me https://hooks.example.com/countersign",
    )
    .action((owner: string, url: string) => add(cli, owner, url));
  webhook
    .command("list")
    .description("lists addresses, and which of them take nothing")
    .option("--owner <name>", "of this owner only")
    .addHelpText("after", "\nExample:\n  countersign owner webhook list --owner me")
    .action((options: { owner?: string }) => listAll(cli, options.owner));
  webhook
    .command("rotate <id>")
    .description("makes a new secret; the old one signs too for a day")
    .addHelpText("after", "\nExample:\n  countersign owner webhook rotate wh_Ne0ggFCMx7Qm")
    .action((id: string) => rotate(cli, id));
  webhook
    .command("test <id>")
    .description("sends a message of type webhook.test; one that was disabled works again then")
    .addHelpText("after", "\nExample:\n  countersign owner webhook test wh_Ne0ggFCMx7Qm")
    .action((id: string) => test(cli, id));
  webhook
    .command("remove <id>")
    .description("removes an address, and what waits for it")
    .addHelpText("after", "\nExample:\n  countersign owner webhook remove wh_Ne0ggFCMx7Qm")
    .action((id: string) => remove(cli, id));
}
