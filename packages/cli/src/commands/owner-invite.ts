import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { refuseInsideRun } from "../inside-run.ts";
import { coSigningWith, jktOf, short, signFor } from "../invited-key.ts";
import type { CoSigning } from "../invited-key.ts";
import { keyOption, mayNameKey } from "../signed-elsewhere.ts";
import { explain, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { duration, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const LOOK_MS = 1000;

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

/** Why nothing came of this one. */
function endedWhy(invitation: JsonObject): string {
  const { cancelled_by: by } = invitation;
  if (by === "twice") return "its code was typed a second time: somebody else may have it";
  const state = text(invitation, "state");
  return ENDED[state] ?? state;
}

interface Invited {
  readonly name: string;
  readonly by: CoSigning | undefined;
  readonly made: JsonObject;
}

async function wait(cli: Cli, api: LocalApi, { name, by, made }: Invited): Promise<void> {
  const now = await becameOf(cli, api, made);
  const state = text(now, "state");
  if (by !== undefined && state === "offered") {
    await signFor(cli, api, { name, by, invitation: now });
    return;
  }
  if (state !== "used")
    throw new Refusal(
      "invitation_invalid",
      endedWhy(now),
      `Make another one: countersign owner invite ${name}${by === undefined ? "" : ` ${keyOption(by.named)}`}.`,
    );
  show(cli, { invitation: now }, madeLines(cli, name, text(now, "jkt")));
}

function invitedLines(cli: Cli, { name, by, made }: Invited): readonly string[] {
  const what =
    by === undefined
      ? `${name} makes a first key within ten minutes, once:`
      : `${name} makes a passkey within ten minutes, once; then the key ${short(jktOf(by))} signs for it here:`;
  return [
    `${cli.paint("bold", "[__]")} ${what}`,
    `  open        ${text(made, "url")}`,
    `  type there  ${cli.paint("bold", text(made, "code"))}`,
  ];
}

interface InviteOptions {
  readonly wait: boolean;
  /** A key that the owner has, which signs for the new one. */
  readonly key?: string;
}

async function invite(cli: Cli, name: string, options: InviteOptions): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const by = options.key === undefined ? undefined : await coSigningWith(cli, options.key);
    const made = await explain(
      api.post("/v1/owner/invitations", {
        name,
        ...(by === undefined ? {} : { co_signer: jktOf(by) }),
      }),
      "name_taken",
      `${name} has a key, or is no person`,
      `That key signs for a passkey: countersign owner invite ${name} --key FILE. Who has lost them all: countersign owner recover.`,
    );
    const invited = { name, by, made };
    const lines = invitedLines(cli, invited);
    if (!options.wait) {
      show(cli, { invitation: made }, lines);
      return;
    }
    // with --json the one document is what became of it; a program that hands the code on takes --no-wait
    for (const line of lines) say(cli, line);
    await wait(cli, api, invited);
  });
}

export function inviteCommand(cli: Cli, noun: Command): void {
  const command = noun
    .command("invite <name>")
    .description("lets a person make a passkey in the console, by a code that is good once")
    .option("--no-wait", "do not wait until the key is made");
  mayNameKey(command, ": where the owner has a key, it signs for the passkey")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner invite robin\n  countersign owner invite robin --no-wait --json\n  countersign owner invite me --key ~/.ssh/id_ed25519",
    )
    .action((name: string, options: InviteOptions) => {
      if (options.key !== undefined && !options.wait)
        command.error(
          "error: --no-wait leaves nobody who signs with the key: leave one of them out",
        );
      return invite(cli, name, options);
    });
}
