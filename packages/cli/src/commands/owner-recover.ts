import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { base64url, fromBase64url, readStatement, Refusal, thumbprint } from "@countersign/core";
import type { JsonObject, OwnerPublicKey, OwnerSignature } from "@countersign/core";
import { nodeCrypto, printable } from "@countersign/node";
import { refuseInsideRun } from "../inside-run.ts";
import { checkKeyStatement, offerKey } from "../owner-keys.ts";
import { keyOption, signatureFrom, signing, statementFrom } from "../signed-elsewhere.ts";
import type { SignOptions } from "../signed-elsewhere.ts";
import { openOwnerKey, readOwnerKey, signElsewhere } from "../signing.ts";
import { useCode } from "../stop-code.ts";
import { explain, list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

interface StartOptions extends SignOptions {
  readonly coSigner: readonly string[];
  readonly coSignature: readonly string[];
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** The owner's kind: the new key is of the same. @throws Refusal `not_found` */
async function kindOf(api: LocalApi, name: string): Promise<string> {
  const owners = list(await api.get("/v1/owners"), "owners");
  const owner = owners.find((one) => one["name"] === name);
  if (owner !== undefined) return text(owner, "kind");
  throw new Refusal("not_found", `no owner ${name}`, "List them: countersign owner list");
}

/** What two other persons say to it: signed here, or brought back, one file a signer in the same order. */
async function coSign(
  cli: Cli,
  { coSigner, coSignature }: StartOptions,
  statement: Uint8Array,
): Promise<readonly JsonObject[]> {
  if (coSignature.length > coSigner.length)
    throw new Refusal(
      "malformed_request",
      "a co-signature of an unnamed key",
      "Name the key of each: --co-signer FILE.pub --co-signature FILE.sig, in this order.",
    );
  const signatures: JsonObject[] = [];
  for (const [index, file] of coSigner.entries()) {
    const key = await readOwnerKey(cli, file);
    const brought = coSignature[index];
    const sig =
      brought === undefined
        ? await (await openOwnerKey(cli, file, "statement.json")).sign(statement)
        : await signatureFrom(brought, statement, key);
    signatures.push({ jkt: thumbprint(nodeCrypto, key.jwk), sig: { ...sig } });
  }
  return signatures;
}

async function printStatement(
  cli: Cli,
  name: string,
  statement: Uint8Array,
  options: StartOptions,
): Promise<void> {
  if (options.statement === undefined) cli.stdout.write(statement);
  else await writeFile(options.statement, statement);
  const file = options.statement ?? "statement.json";
  say(
    cli,
    "Within the hour: sign it with the new key, and have two other persons sign it with theirs:",
  );
  for (const line of await signElsewhere(cli, options.key, file)) say(cli, `  ${line}`);
  say(
    cli,
    `Then bring it all back: countersign owner recover start ${name} ${keyOption(options.key)} --statement ${file} --signature ${file}.sig --co-signer BOB.pub --co-signature BOB.sig --co-signer CAROL.pub --co-signature CAROL.sig`,
  );
}

async function start(cli: Cli, name: string, options: StartOptions): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const key = await readOwnerKey(cli, options.key);
    const isBrought = !options.print && (options.statement ?? options.signature) !== undefined;
    const statement = isBrought
      ? await statementFrom(options)
      : fromBase64url(text(await offerKey(api, name, await kindOf(api, name), key), "jcs"));
    checkKeyStatement(readStatement(nodeCrypto, statement), key);
    if (options.print) return printStatement(cli, name, statement, options);
    const signed = await signNew(cli, options, statement, key);
    const coSignatures = await coSign(cli, options, statement);
    const answer = await api.post("/v1/owner/recoveries", {
      statement: base64url(statement),
      sig: { ...signed.sig },
      comment: signed.comment,
      ...(coSignatures.length === 0 ? {} : { co_signatures: coSignatures }),
    });
    show(cli, answer, linesOf(cli, name, answer));
  });
}

async function signNew(
  cli: Cli,
  options: StartOptions,
  statement: Uint8Array,
  key: OwnerPublicKey,
): Promise<{ readonly sig: OwnerSignature; readonly comment: string }> {
  if (options.signature !== undefined)
    return { sig: await signatureFrom(options.signature, statement, key), comment: "" };
  const signer = await openOwnerKey(cli, options.key, "statement.json");
  return { sig: await signer.sign(statement), comment: signer.comment };
}

function linesOf(cli: Cli, name: string, answer: JsonObject): readonly string[] {
  const { recovery } = answer;
  if (typeof recovery !== "object" || recovery === null || Array.isArray(recovery))
    return [
      `Recovered: the new key is the only one of ${name} now.`,
      "  What the lost keys approved has ended; the agents ask anew. Services pin the new key.",
    ];
  const announced = recovery as JsonObject; // checked just now
  const id = text(announced, "id");
  return [
    `Announced ${cli.paint("bold", id)}: the new key of ${name} is enabled at ${instant(number(announced, "enabled_at"))}.`,
    `  Until then it signs nothing. To cancel: countersign owner recover cancel ${id}`,
    "  It is in the log. Two other persons' signatures enable it at once: --co-signer, twice.",
  ];
}

async function listRecoveries(cli: Cli, owner: string | undefined): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const query = owner === undefined ? "" : `?${new URLSearchParams({ owner }).toString()}`;
    const answer = await api.get(`/v1/owner/recoveries${query}`);
    const lines = list(answer, "recoveries").map(
      (one) =>
        `${text(one, "id")}  ${text(one, "state")}  ${printable(text(one, "owner"))}  key ${text(one, "jkt").slice(0, 8)}  ${one["state"] === "announced" ? `enabled at ${instant(number(one, "enabled_at"))}` : `at ${instant(number(one, "decided_at"))}`}`,
    );
    show(cli, answer, lines.length === 0 ? ["No recovery."] : lines);
  });
}

/** An administrator's word, the signature of one of the owner's keys, or a printed code. */
async function cancel(
  cli: Cli,
  id: string,
  options: { readonly key?: string; readonly code: boolean },
): Promise<void> {
  await refuseInsideRun(cli);
  if (options.code) {
    const used = await useCode(cli, { do: "cancel_recovery" }, undefined);
    show(cli, used, ["Cancelled: the new key is not enabled."]);
    return;
  }
  await withApi(cli, "server.sock", async (api) => {
    const path = `/v1/owner/recoveries/${encodeURIComponent(id)}`;
    const body = options.key === undefined ? {} : await denial(cli, api, path, options.key);
    const answer = await explain(
      api.post(`${path}/cancel`, body),
      "not_found",
      `no recovery ${id}`,
      "See them: countersign owner recover list",
    );
    show(cli, answer, ["Cancelled: the new key is not enabled."]);
  });
}

async function denial(cli: Cli, api: LocalApi, path: string, file: string): Promise<JsonObject> {
  const jkt = thumbprint(nodeCrypto, (await readOwnerKey(cli, file)).jwk);
  const opened = await api.get(`${path}/cancellation?jkt=${jkt}`);
  const octets = fromBase64url(text(opened, "jcs"));
  const { body } = readStatement(nodeCrypto, octets);
  // a key that is talked into approving would vouch for the thief
  if (body.kind !== "key" || body.decision !== "deny")
    throw new Refusal("statement_invalid", "the server's statement is no denial");
  const sig = await (await openOwnerKey(cli, file, "denial.json")).sign(octets);
  return { statement: base64url(octets), sig: { ...sig } };
}

/** `countersign owner recover …` */
export function recoverCommand(cli: Cli, noun: Command): void {
  const recover = noun
    .command("recover")
    .description("brings an owner back who lost every key")
    .addHelpText("after", "\nExample:\n  countersign owner recover start me --key ~/.ssh/id_new");
  signing(recover.command("start <name>"))
    .description("a new key: at once with two other persons' signatures, else after a day")
    .option("--co-signer <file>", "key of another person, who signs too; twice", collect, [])
    .option("--co-signature <file>", "bring back his signature; in the same order", collect, [])
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner recover start me --key ~/.ssh/id_new\n  countersign owner recover start me --key ~/.ssh/id_new --co-signer bob_key --co-signer carol_key",
    )
    .action((name: string, options: StartOptions) => start(cli, name, options));
  recover
    .command("list")
    .description("lists recoveries, those that are over too")
    .option("--owner <name>", "of this owner only")
    .addHelpText("after", "\nExample:\n  countersign owner recover list --owner me")
    .action((options: { owner?: string }) => listRecoveries(cli, options.owner));
  recover
    .command("cancel <id>")
    .allowUnknownOption() // an id may begin as an option does
    .description("cancels a recovery before its key is enabled")
    .option(
      "--key <file>",
      "sign the denial with a key of the owner, in place of an administrator's word",
    )
    .option("--code", "by a printed code, from the terminal or standard input", false)
    .addHelpText("after", "\nExample:\n  countersign owner recover cancel Ne0ggFCM")
    .action((id: string, options: { key?: string; code: boolean }) => cancel(cli, id, options));
}
