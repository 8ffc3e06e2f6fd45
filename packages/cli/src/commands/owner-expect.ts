import type { Command } from "commander";
import { Refusal } from "@countersign/core";
import { refuseInsideRun } from "../inside-run.ts";
import { explain, list, number, text, withApi } from "../sockets.ts";
import { duration, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const nameOf = (id: string): string => id.split("/").at(-1) ?? id;

async function expectStart(
  cli: Cli,
  agent: string,
  { host }: { readonly host?: string },
): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const asked = host === undefined ? { agent } : { agent, host };
    const answer = await explain(
      api.post("/v1/owner/expectations", asked),
      "not_found",
      host === undefined ? `no agent ${agent} with an owner` : `no agent ${agent} on ${host}`,
      "See who is registered, and where: countersign agent list",
    );
    const left = duration(number(answer, "until") - Math.floor(Date.now() / 1000));
    show(cli, answer, [
      `Announced: ${nameOf(text(answer, "entry"))} on ${nameOf(text(answer, "proxy"))}, for the next ${left}.`,
      "  Its first request is shown as one that you started. It approves nothing.",
    ]);
  });
}

interface StarterOptions {
  readonly owner: string;
  readonly host?: string;
  readonly uid?: string;
  readonly remove: boolean;
}

function userIn({ host, uid }: StarterOptions): { host: string; uid: number } | undefined {
  if (host === undefined && uid === undefined) return undefined;
  if (host === undefined || uid === undefined || !/^(0|[1-9][0-9]{0,9})$/.test(uid))
    throw new Refusal(
      "malformed_request",
      "a user is a host and a number",
      "Name both: --host build-3 --uid 1000",
    );
  return { host, uid: Number(uid) };
}

async function starters(cli: Cli, options: StarterOptions): Promise<void> {
  await refuseInsideRun(cli);
  const user = userIn(options);
  await withApi(cli, "server.sock", async (api) => {
    const path = `/v1/owner/starters?owner=${encodeURIComponent(options.owner)}`;
    const asked =
      user === undefined ? api.get(path) : api.post(path, { ...user, listed: !options.remove });
    const answer = await explain(
      asked,
      "not_found",
      `no owner ${options.owner}, or no such host or user of his list`,
      "See owners and hosts: countersign owner list, countersign server status",
    );
    const lines = list(answer, "starters").map(
      (row) => `uid ${number(row, "uid")} on ${text(row, "host")}`,
    );
    show(
      cli,
      answer,
      lines.length === 0
        ? ["Nobody is listed: announce each start with countersign owner expect AGENT."]
        : lines,
    );
  });
}

async function block(cli: Cli, id: string): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const answer = await explain(
      api.post(`/v1/owner/requests/${encodeURIComponent(id)}/block`, {}),
      "not_found",
      `no request ${id}`,
      "See who waits: countersign owner requests",
    );
    show(cli, answer, [
      "[/x] Denied and blocked. The agent cannot ask again until you allow it:",
      "  countersign owner unblock NAME",
    ]);
  });
}

/** `countersign owner block` */
function blockCommand(cli: Cli, noun: Command): void {
  noun
    .command("block <id>")
    .description("denies a request, and lets its agent ask no more; needs no key")
    .addHelpText("after", "\nExample:\n  countersign owner block Ne0ggFCM")
    .action((id: string) => block(cli, id));
}

/** `countersign owner expect` and `block`, and whose runs count as announced. */
export function expectCommands(cli: Cli, noun: Command): void {
  blockCommand(cli, noun);
  noun
    .command("expect <agent>")
    .description("announces that you start an agent within the next ten minutes; approves nothing")
    .option("--host <name>", "the host that you mean, to make sure")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner expect mailer\n  countersign owner expect mailer --host build-3",
    )
    .action((agent: string, options: { host?: string }) => expectStart(cli, agent, options));
  noun
    .command("starters")
    .description("lists the users whose runs count as announced, adds one or takes one away")
    .requiredOption("--owner <name>", "whose list")
    .option("--host <name>", "host of the user")
    .option("--uid <number>", "number of the user on that host")
    .option("--remove", "take the user away", false)
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner starters --owner me\n  countersign owner starters --owner me --host build-3 --uid 1000",
    )
    .action((options: StarterOptions) => starters(cli, options));
}
