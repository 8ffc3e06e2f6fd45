import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { base64url } from "@countersign/core";
import type { OwnerSignature } from "@countersign/core";
import { printable } from "@countersign/node";
import { refuseInsideRun } from "../inside-run.ts";
import { openRequest, requested } from "../open-request.ts";
import type { Opened } from "../open-request.ts";
import { enrol, listOwners, removeKey, resumeKey } from "../owner-keys.ts";
import type { EnrolOptions } from "../owner-keys.ts";
import { askOwner } from "../prompt.ts";
import { keyOption, signatureFrom, signing, statementFrom } from "../signed-elsewhere.ts";
import type { SignOptions } from "../signed-elsewhere.ts";
import { openOwnerKey, readOwnerKey, signElsewhere } from "../signing.ts";
import { signedLines, signedSoFar } from "../several-owners.ts";
import { list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { duration, instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { expectCommands } from "./owner-expect.ts";
import { gatewayCommand } from "./owner-gateway.ts";
import { habitsCommand } from "./owner-habits.ts";
import { inviteCommand } from "./owner-invite.ts";
import { policyCommand } from "./owner-policy.ts";
import { presignCommand } from "./owner-presign.ts";
import { recoverCommand } from "./owner-recover.ts";
import { stopCommands, unblockCommand } from "./owner-stops.ts";
import { watchCommand } from "./owner-watch.ts";
import { webhookCommand } from "./owner-webhook.ts";

async function requests(
  cli: Cli,
  options: { readonly owner?: string; readonly all: boolean },
): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const query = new URLSearchParams({
      ...(options.owner === undefined ? {} : { owner: options.owner }),
      ...(options.all ? { all: "1" } : {}),
    });
    const answer = await api.get(`/v1/owner/requests?${query.toString()}`);
    const now = Math.floor(Date.now() / 1000);
    const lines = list(answer, "requests").map((row) => {
      const reasons = list(row, "reasons").map((reason) => printable(text(reason, "text")));
      return `[/_] ${text(row, "id")}  ${text(row, "entry").split("/").at(-1) ?? ""} on ${text(row, "proxy").split("/").at(-1) ?? ""}  ${text(row, "state")}, ${duration(number(row, "deadline") - now)} left${signedSoFar(row)}  ${reasons.join("; ")}`;
    });
    show(
      cli,
      answer,
      lines.length === 0
        ? ["Nobody waits for you."]
        : [...lines, "Open one: countersign owner approve ID --key ~/.ssh/id_ed25519"],
    );
  });
}

async function decide(
  cli: Cli,
  api: LocalApi,
  id: string,
  signed: { readonly statement: Uint8Array; readonly sig: OwnerSignature },
): Promise<void> {
  const answer = await api.post(`/v1/owner/requests/${encodeURIComponent(id)}/decision`, {
    decision: "approve",
    statement: base64url(signed.statement),
    sig: { ...signed.sig },
  });
  if (answer["state"] === "signed") {
    show(cli, answer, signedLines(id, answer));
    return;
  }
  show(cli, answer, [
    `[//] Approved ${text(answer, "agent")}.`,
    `  Stop it at any moment: countersign halt agent ${text(answer, "agent").split("/").at(-2) ?? ""}`,
  ]);
}

async function approve(
  cli: Cli,
  id: string,
  options: SignOptions & { readonly digits?: string },
): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const key = await readOwnerKey(cli, options.key);
    if (options.signature !== undefined) {
      const statement = await statementFrom(options);
      const sig = await signatureFrom(options.signature, statement, key);
      await decide(cli, api, id, { statement, sig });
      return;
    }
    const { print: isElsewhere, digits } = options;
    const opened = await openRequest(cli, api, { id, key, isElsewhere, digits });
    if (opened === "deny") await denyOne(cli, api, id);
    if (opened === "deny" || opened === "quit") return;
    if (options.print) {
      await printForElsewhere(cli, opened, id, options);
      return;
    }
    const answer = await askOwner(cli, opened.lines, opened.code);
    if (answer === "deny") await denyOne(cli, api, id);
    if (answer !== "approve") return;
    const signer = await openOwnerKey(cli, options.key, "statement.json");
    await decide(cli, api, id, {
      statement: opened.statement.bytes,
      sig: await signer.sign(opened.statement.bytes),
    });
  });
}

/** The statement on standard output, what it means and how to sign it on standard error. */
async function printForElsewhere(
  cli: Cli,
  opened: Opened,
  id: string,
  options: SignOptions,
): Promise<void> {
  if (options.statement === undefined) cli.stdout.write(opened.statement.bytes);
  else await writeFile(options.statement, opened.statement.bytes);
  const file = options.statement ?? "statement.json";
  for (const line of opened.lines) say(cli, line);
  say(cli, "");
  say(cli, `Sign it by ${instant(opened.body.exp)}:`);
  for (const line of await signElsewhere(cli, options.key, file)) say(cli, `  ${line}`);
  say(
    cli,
    `Then bring it back: countersign owner approve ${id} ${keyOption(options.key)} --signature ${file}.sig`,
  );
}

async function denyOne(cli: Cli, api: LocalApi, id: string): Promise<void> {
  const answer = await requested(
    id,
    api.post(`/v1/owner/requests/${encodeURIComponent(id)}/decision`, { decision: "deny" }),
  );
  const again = answer["again_at"];
  const next =
    answer["blocked"] === true
      ? "It was the third time: the agent asks no more, until countersign owner unblock NAME."
      : `The agent may ask again at ${typeof again === "number" ? instant(again) : "any time"}.`;
  show(cli, answer, [`[/x] Denied. ${next}`]);
}

function approveCommand(cli: Cli, noun: Command): void {
  signing(noun.command("approve <id>"))
    .description("shows a request, takes what the agent's terminal shows, and signs")
    .option("--digits <NN>", "the two digits of the agent's terminal, where nobody can be asked")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner approve Ne0ggFCM --key ~/.ssh/id_ed25519\n  countersign owner approve Ne0ggFCM --key id.pub --print > statement.json\n  countersign owner approve Ne0ggFCM --key id.pub --digits 42 --print > statement.json",
    )
    .action((id: string, options: SignOptions & { digits?: string }) => approve(cli, id, options));
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign owner").description(
    "What owners do: see who asks, approve, deny, keep their keys.",
  );
  noun.commandsGroup("Who asks, and what you say:");
  noun
    .command("requests")
    .description("lists who waits")
    .option("--owner <name>", "of this owner only")
    .option("--all", "decided ones too", false)
    .addHelpText("after", "\nExample:\n  countersign owner requests --owner me")
    .action((options: { owner?: string; all: boolean }) => requests(cli, options));
  approveCommand(cli, noun);
  noun
    .command("deny <id>")
    .description("says no; needs no key")
    .addHelpText("after", "\nExample:\n  countersign owner deny Ne0ggFCM")
    .action(async (id: string) => {
      await refuseInsideRun(cli);
      await withApi(cli, "server.sock", (api) => denyOne(cli, api, id));
    });
  unblockCommand(cli, noun);
  habitsCommand(cli, noun);
  expectCommands(cli, noun);
  watchCommand(cli, noun);
  webhookCommand(cli, noun);
  noun.commandsGroup("Keys, and a stop without one:");
  enrolCommands(cli, noun);
  keyCommands(cli, noun);
  noun.commandsGroup("Without a person at the screen:");
  presignCommand(cli, noun);
  policyCommand(cli, noun);
  noun.addCommand(gatewayCommand(cli));
  return noun;
}

/** How owners come to keys. */
function enrolCommands(cli: Cli, noun: Command): void {
  inviteCommand(cli, noun);
  signing(noun.command("enrol <name>"))
    .description("enrols a key by proof of possession")
    .option("--kind <kind>", "person, device or policy", "person")
    .option(
      "--co-signer <file>",
      "file or pkcs11: URI of a key of the owner, or under a first key of another person, which signs for it",
    )
    .option("--co-signature <file>", "bring back its signature, made elsewhere")
    .option(
      "--certificate <file>",
      "PEM: the owner's certificate for the key, then the CAs above it",
    )
    .option(
      "--pin-stdin",
      "PINs of tokens from standard input, one a line, as the keys sign",
      false,
    )
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner enrol me --key ~/.ssh/id_ed25519\n  countersign owner enrol me --key ~/.ssh/id_new --co-signer ~/.ssh/id_ed25519\n  countersign owner enrol me --pkcs11 'pkcs11:token=corp;object=approve'",
    )
    .action((name: string, options: EnrolOptions) => enrol(cli, name, options));
  noun
    .command("list")
    .description("lists owners and their keys")
    .addHelpText("after", "\nExample:\n  countersign owner list")
    .action(() => listOwners(cli));
}

/** What an administrator does with owners' keys, and what is left to do without any. */
function keyCommands(cli: Cli, noun: Command): void {
  recoverCommand(cli, noun);
  stopCommands(cli, noun);
  noun
    .command("remove-key <thumbprint>")
    .allowUnknownOption() // a thumbprint may begin as an option does
    .description("takes a key away; ends what it approved")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner remove-key f2LZTCd1Sibt2nzXNmmSvbH0UZWLyeGn5t5bQ2Ho2Mo",
    )
    .action((jkt: string) => removeKey(cli, jkt));
  noun
    .command("resume-key <thumbprint>")
    .allowUnknownOption() // as above
    .description("lets a suspended key sign again, once it is known to be no copy")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner resume-key f2LZTCd1Sibt2nzXNmmSvbH0UZWLyeGn5t5bQ2Ho2Mo",
    )
    .action((jkt: string) => resumeKey(cli, jkt));
}
