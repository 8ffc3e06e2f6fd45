import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { refuseInsideRun } from "../inside-run.ts";
import { explain, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { duration, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const LOOK_MS = 1000;

const short = (jkt: string): string => `${jkt.slice(0, 4)} ${jkt.slice(4, 8)}`;

/** Looks at the invitation until something has become of it. */
async function becameOf(cli: Cli, api: LocalApi, made: JsonObject): Promise<JsonObject> {
  const path = `/v1/owner/invitations/${encodeURIComponent(text(made, "id"))}`;
  const isShown = cli.isTerminal && !cli.isJson;
  for (;;) {
    const now = await api.get(path);
    if (text(now, "state") !== "open") {
      if (isShown) cli.stderr.write("\r\u001b[K");
      return now;
    }
    const left = duration(number(made, "expires_at") - Math.floor(Date.now() / 1000));
    if (isShown) cli.stderr.write(`\r\u001b[K  waiting for the passkey, ${left} left`);
    await pause(LOOK_MS);
  }
}

/** What the terminal says of the key that was made. */
export function madeLines(cli: Cli, name: string, jkt: string): readonly string[] {
  return [
    `${name} has made a key. Its page must show the same eight characters: ${cli.paint("bold", short(jkt))}`,
    `If it shows others, it is somebody else's key. Take it away: countersign owner remove-key ${jkt}`,
  ];
}

/** Why nothing came of an invitation, by its state. */
export const ENDED: Readonly<Record<string, string>> = {
  cancelled: "the link was cancelled on its page",
  over: "nobody used the code within ten minutes",
};

async function wait(cli: Cli, api: LocalApi, name: string, made: JsonObject): Promise<void> {
  const now = await becameOf(cli, api, made);
  const state = text(now, "state");
  if (state !== "used")
    throw new Refusal(
      "invitation_invalid",
      ENDED[state] ?? state,
      `Make another one: countersign owner invite ${name}.`,
    );
  show(cli, { invitation: now }, madeLines(cli, name, text(now, "jkt")));
}

async function invite(cli: Cli, name: string, isWaiting: boolean): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const made = await explain(
      api.post("/v1/owner/invitations", { name }),
      "name_taken",
      `${name} has a key, or is no person`,
      "An owner adds further keys in the console, under Keys. Who has lost them all: countersign owner recover.",
    );
    const lines = [
      `${cli.paint("bold", "[__]")} ${name} makes a first key within ten minutes, once:`,
      `  open        ${text(made, "url")}`,
      `  type there  ${cli.paint("bold", text(made, "code"))}`,
    ];
    if (!isWaiting) {
      show(cli, { invitation: made }, lines);
      return;
    }
    // with --json the one document is what became of it; a program that hands the code on takes --no-wait
    for (const line of lines) say(cli, line);
    await wait(cli, api, name, made);
  });
}

export function inviteCommand(cli: Cli, noun: Command): void {
  noun
    .command("invite <name>")
    .description("lets a person make a first passkey in the console, by a code that is good once")
    .option("--no-wait", "do not wait until the key is made")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner invite robin\n  countersign owner invite robin --no-wait --json",
    )
    .action((name: string, { wait: isWaiting }: { wait: boolean }) => invite(cli, name, isWaiting));
}
