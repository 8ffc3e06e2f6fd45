import {
  fromBase64url,
  isKeyStatement,
  readStatement,
  Refusal,
  renderKeyStatement,
  thumbprint,
} from "@countersign/core";
import type { JsonObject, KeyStatement, Statement } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { askYes } from "./prompt.ts";
import { keyOption } from "./signed-elsewhere.ts";
import { openOwnerKey } from "./signing.ts";
import type { OwnerSigner } from "./signing.ts";
import { number, text } from "./sockets.ts";
import type { LocalApi } from "./sockets.ts";
import { show } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

/** The key that signs for the new one, and how it was named. */
export interface CoSigning {
  readonly signer: OwnerSigner;
  readonly named: string;
}

/** First eight characters of a thumbprint, as page and terminal show them. */
export const short = (jkt: string): string => `${jkt.slice(0, 4)} ${jkt.slice(4, 8)}`;

export const jktOf = ({ signer }: CoSigning): string => thumbprint(nodeCrypto, signer.key.jwk);

/**
 * The key that will sign for the new one. Opened before anybody is invited: what it cannot do is said at once.
 * @throws Refusal `terminal_required` without a person; as `openOwnerKey`
 */
export async function coSigningWith(cli: Cli, named: string): Promise<CoSigning> {
  if (!cli.isTerminal)
    throw new Refusal("terminal_required", "standard input or output is no terminal");
  return { signer: await openOwnerKey(cli, named, undefined), named };
}

/** What the new key has signed. @throws Refusal `statement_invalid` where it adds no key of the owner who was invited */
function offeredOf(invitation: JsonObject): Statement<KeyStatement> {
  const statement = readStatement(nodeCrypto, fromBase64url(text(invitation, "jcs")));
  // a key that is talked into anything else would vouch for a thief
  if (
    !isKeyStatement(statement) ||
    statement.body.decision !== "approve" ||
    statement.body.owner.id !== text(invitation, "owner")
  )
    throw new Refusal("statement_invalid", "the server's statement adds no key of this owner");
  return statement;
}

function shownText(cli: Cli, statement: Statement<KeyStatement>, by: string): string {
  const { title, lines } = renderKeyStatement(statement);
  const characters = cli.paint("bold", short(statement.body.key.jkt));
  return [
    `A key was made with the code. It counts for nothing before ${by} signs this too:`,
    "",
    title,
    ...lines.map((line) => `  ${line}`),
    "",
    `The page must show the same eight characters: ${characters}`,
    "If it shows others, or nothing, it is somebody else's key: say no.",
    "",
  ].join("\n");
}

/** Shows the key that waits, asks, and signs for it or declines it. */
export async function signFor(
  cli: Cli,
  api: LocalApi,
  of: { readonly name: string; readonly by: CoSigning; readonly invitation: JsonObject },
): Promise<void> {
  const { name, by, invitation } = of;
  const statement = offeredOf(invitation);
  const { jkt } = statement.body.key;
  const old = short(jktOf(by));
  const path = `/v1/owner/invitations/${encodeURIComponent(text(invitation, "id"))}`;
  (cli.isJson ? cli.stderr : cli.stdout).write(
    shownText(cli, statement, `the key ${cli.paint("bold", old)}`),
  );
  const question = `Does the page show ${short(jkt)}, and do you sign for it? yes, or no (Enter) > `;
  const leftMs = number(invitation, "expires_at") * 1000 - Date.now();
  if (!(await askYes(cli, question, Math.max(leftMs, 0)))) {
    await api.post(`${path}/decline`, {});
    show(cli, { invitation: await api.get(path) }, [
      "No key was enrolled, and the link is cancelled.",
      `Another one: countersign owner invite ${name} ${keyOption(by.named)}`,
    ]);
    return;
  }
  const sig = await by.signer.sign(statement.bytes);
  await api.post(`${path}/co-signature`, { jkt: jktOf(by), sig: { ...sig } });
  show(cli, { invitation: await api.get(path) }, [
    `Enrolled the passkey ${cli.paint("bold", short(jkt))} of ${name}. Its page goes on to sign in.`,
    `  Services that accept the key ${old}, which signed for it, accept it too.`,
  ]);
}
