import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import {
  base64url,
  draftPresigned,
  open,
  readEntry,
  Refusal,
  render,
  REQUEST,
  statementId,
  thumbprint,
  writeStatement,
} from "@countersign/core";
import type {
  CredentialStatement,
  Digest,
  EnrolledKey,
  JsonObject,
  Measurement,
  OwnerPublicKey,
  OwnerSignature,
  Statement,
} from "@countersign/core";
import { nodeCrypto, nodeRandom } from "@countersign/node";
import { approvalScreen } from "../approval-screen.ts";
import { refuseInsideRun } from "../inside-run.ts";
import { askOwner } from "../prompt.ts";
import { keyOption, signatureFrom, signing, statementFrom } from "../signed-elsewhere.ts";
import type { SignOptions } from "../signed-elsewhere.ts";
import { openOwnerKey, readOwnerKey, signElsewhere } from "../signing.ts";
import { list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MAX_PID = 4_194_304;

interface PresignOptions extends SignOptions {
  readonly pid?: string;
}

/** What is to be signed, and the screen that shows it. */
interface Prepared {
  readonly statement: Statement<CredentialStatement>;
  readonly lines: readonly string[];
  readonly code: string;
}

function measurementsIn(material: JsonObject): readonly Measurement[] {
  return list(material, "measurements").map((item) => ({
    n: text(item, "n") as Measurement["n"], // the statement's reader judges both
    d: text(item, "d") as Digest,
  }));
}

/** The owner's key as the server will have it: whose it is, the registration says. */
function keyOf(key: OwnerPublicKey, owner: string): EnrolledKey {
  return {
    jkt: thumbprint(nodeCrypto, key.jwk),
    jwk: key.jwk,
    owner,
    ownerKind: "person",
    isSoftware: key.app === undefined,
    basis: "tofu",
    ...(key.app === undefined ? {} : { app: key.app }),
  };
}

function screenOf(
  cli: Cli,
  material: JsonObject,
  {
    statement,
    ...of
  }: Pick<Prepared, "statement"> & {
    readonly rendering: ReturnType<typeof render>;
    readonly note: string | undefined;
  },
): readonly string[] {
  const { agent, owner, exp } = statement.body;
  const away =
    material["connected"] === true
      ? "nobody has asked you: you sign beforehand"
      : "the server cannot be asked now: you sign beforehand";
  const parts = {
    view: {
      reasons: [{ code: "beforehand", text: away }],
      facts: material["facts"] ?? {},
      ...(of.note === undefined ? {} : { claimed: { note: of.note } }),
    },
    rendering: of.rendering,
    agent: agent.id,
    host: agent.host,
    anchor: agent.jkt,
    ownerKey: owner.jkt,
    deadline: exp,
    isBeforehand: true,
  };
  return approvalScreen(parts, cli.columns);
}

/**
 * The statement is made here, from what the proxy of this host measured and what the server said of the registration;
 * nothing of it is the agent's. It is rendered from its octets, with the code computed from R.
 */
async function prepare(
  cli: Cli,
  api: LocalApi,
  agent: string,
  options: PresignOptions,
): Promise<Prepared> {
  const pid = options.pid === undefined ? {} : { pid: pidOf(options.pid) };
  const key = await readOwnerKey(cli, options.key);
  const material = await api.post("/v1/presign", { agent, ...pid });
  const request = await open(nodeCrypto, REQUEST, text(material, "request"));
  const entry = readEntry(material["entry"] ?? null);
  const now = number(material, "now");
  const of = {
    request,
    entry,
    proxy: text(material, "proxy"),
    measurements: measurementsIn(material),
    issuer: text(material, "issuer"),
    trustDomain: text(material, "trust_domain"),
  };
  const jti = statementId(now, nodeRandom);
  const body = draftPresigned(of, keyOf(key, entry.owner ?? ""), jti, now);
  const statement = writeStatement(nodeCrypto, body, { preSigned: true });
  const rendering = render(nodeCrypto, statement, request);
  const lines = screenOf(cli, material, { statement, rendering, note: request.claims.note });
  return { statement, lines, code: rendering.code };
}

function pidOf(typed: string): number {
  const pid = /^[0-9]{1,7}$/.test(typed) ? Number(typed) : 0;
  if (pid < 1 || pid > MAX_PID) throw new Refusal("malformed_request", `${typed} is no process`);
  return pid;
}

async function keep(
  cli: Cli,
  api: LocalApi,
  keyFile: string,
  signed: { readonly statement: Uint8Array; readonly sig: OwnerSignature },
): Promise<void> {
  const key = await readOwnerKey(cli, keyFile);
  const answer = await api.post("/v1/presigned", {
    statement: base64url(signed.statement),
    sig: { ...signed.sig },
    key: { jwk: { ...key.jwk }, ...(key.app === undefined ? {} : { app: key.app }) },
  });
  show(cli, answer, [
    `[//] Signed for ${text(answer, "agent")}.`,
    `  The proxy of this host brings it to the server, until ${instant(number(answer, "until"))}; what it allows ends ${instant(number(answer, "grant_until"))}.`,
    "  See what became of it: countersign proxy status",
    `  Take it back, where the server is reached: countersign halt grant ${text(answer, "cs")}`,
  ]);
}

async function presign(cli: Cli, agent: string, options: PresignOptions): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "proxy.sock", async (api) => {
    if (options.signature !== undefined) {
      const statement = await statementFrom(options);
      const key = await readOwnerKey(cli, options.key);
      const sig = await signatureFrom(options.signature, statement, key);
      return keep(cli, api, options.key, { statement, sig });
    }
    const prepared = await prepare(cli, api, agent, options);
    const { statement, lines, code } = prepared;
    if (options.print) return printForElsewhere(cli, prepared, agent, options);
    const answer = await askOwner(cli, lines, code, "in the first line above");
    if (answer !== "approve") return say(cli, "Nothing was signed.");
    const signer = await openOwnerKey(cli, options.key, "statement.json");
    const sig = await signer.sign(statement.bytes);
    return keep(cli, api, options.key, { statement: statement.bytes, sig });
  });
}

/** The statement on standard output, what it means and how to sign it on standard error. */
async function printForElsewhere(
  cli: Cli,
  { statement, lines }: Prepared,
  agent: string,
  options: PresignOptions,
): Promise<void> {
  if (options.statement === undefined) cli.stdout.write(statement.bytes);
  else await writeFile(options.statement, statement.bytes);
  const file = options.statement ?? "statement.json";
  for (const line of lines) say(cli, line);
  say(cli, "");
  say(cli, "Sign it:");
  for (const line of await signElsewhere(cli, options.key, file)) say(cli, `  ${line}`);
  say(
    cli,
    `Then bring it back while this proxy runs: countersign owner presign ${agent} ${keyOption(options.key)} --signature ${file}.sig`,
  );
}

/** `countersign owner presign` */
export function presignCommand(cli: Cli, noun: Command): void {
  signing(noun.command("presign <agent>"))
    .description(
      "signs on the agent's host while the server cannot be asked; the proxy brings it there",
    )
    .option("--pid <number>", "which of several programs of this agent")
    .addHelpText(
      "after",
      "\nThe program must run behind its door, and have asked once. Shown is what the proxy measured.\nExample:\n  countersign owner presign mailer --key ~/.ssh/id_ed25519\n  countersign owner presign mailer --key id.pub --print > statement.json",
    )
    .action((agent: string, options: PresignOptions) => presign(cli, agent, options));
}
