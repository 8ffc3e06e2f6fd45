import {
  checkNamedText,
  fromBase64url,
  isObject,
  open,
  readStatement,
  Refusal,
  render,
  REQUEST,
  requestCode,
  thumbprint,
} from "@countersign/core";
import type { CredentialStatement, JsonObject, OwnerPublicKey, Statement } from "@countersign/core";
import { nodeCrypto, printable } from "@countersign/node";
import { approvalScreen } from "./approval-screen.ts";
import { askDigits } from "./prompt.ts";
import { explain, list, number, text } from "./sockets.ts";
import type { LocalApi } from "./sockets.ts";
import { instant, say, showRefusal } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

/** A request, with what is signed rendered from its octets. */
export interface Opened {
  readonly view: JsonObject;
  readonly statement: Statement;
  readonly body: CredentialStatement;
  readonly lines: readonly string[];
  readonly code: string;
}

/** How a request is opened. */
export interface Opening {
  readonly id: string;
  readonly key: OwnerPublicKey;
  readonly isElsewhere: boolean;
  /** The digits of the agent's terminal, where they were given beforehand. */
  readonly digits?: string | undefined;
}

/** What an answer about a request says, with the command that shows who waits where there is none. */
export const requested = (id: string, asked: Promise<JsonObject>): Promise<JsonObject> =>
  explain(asked, "not_found", `no request ${id}`, "See who waits: countersign owner requests");

const nameOf = (id: string): string => printable(id.split("/").at(-1) ?? id);

/**
 * Opens a request and renders it from the bytes to be signed, after the checks of DESIGN 4 on R. Where somebody sits at the
 * agent's terminal, the digits that stand there are typed first: there is no statement before.
 * @returns or what the person answered in place of the digits
 * @throws Refusal as the server says; `terminal_required` where digits are asked for and nobody can type them
 */
export async function openRequest(
  cli: Cli,
  api: LocalApi,
  of: Opening,
): Promise<Opened | "deny" | "quit"> {
  const jkt = thumbprint(nodeCrypto, of.key.jwk);
  const path = `/v1/owner/requests/${encodeURIComponent(of.id)}`;
  const query = `?jkt=${jkt}${of.isElsewhere ? "&elsewhere=1" : ""}`;
  const given = { jkt, ...(of.isElsewhere ? { elsewhere: true } : {}) };
  const typed = (match: string): Promise<JsonObject> =>
    api.post(`${path}/statement`, { ...given, match });
  const first = await requested(
    of.id,
    of.digits === undefined ? api.get(`${path}${query}`) : typed(of.digits),
  );
  const found: Typed | "deny" | "quit" =
    first["jcs"] === undefined
      ? await typedAt(cli, first, of, typed, () => api.get(path))
      : { view: first, digits: of.digits };
  return found === "deny" || found === "quit" ? found : openedFrom(cli, found, jkt);
}

/** A request with its statement, and what was typed for it. */
interface Typed {
  readonly view: JsonObject;
  readonly digits: string | undefined;
}

/** Has the digits typed until they are right; the server counts, and denies at the last wrong ones. */
async function typedAt(
  cli: Cli,
  view: JsonObject,
  { id, isElsewhere }: Opening,
  openWith: (match: string) => Promise<JsonObject>,
  current: () => Promise<JsonObject>,
): Promise<Typed | "deny" | "quit"> {
  const code = requestCode(nodeCrypto, text(view, "request"));
  if (isElsewhere || !cli.isTerminal)
    throw new Refusal(
      "terminal_required",
      "two digits of the agent's terminal are asked for",
      `Look at the terminal that shows the code ${code}, and name its two digits: countersign owner approve ${id} --digits NN`,
    );
  say(
    cli,
    `[/_] ${nameOf(text(view, "entry"))} asks for a credential on ${nameOf(text(view, "proxy"))}   code ${code}, to ${instant(number(view, "deadline")).slice(11, 16)} UTC\nSomebody sits at its terminal, which shows two digits.`,
  );
  for (;;) {
    const answer = await askDigits(cli, code);
    if (answer === "deny" || answer === "quit") return answer;
    try {
      return { view: await openWith(answer), digits: answer };
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "digits_mismatched") throw error;
      if ((await current())["state"] !== "asked") throw error; // it was the last time
      showRefusal(cli, error);
    }
  }
}

/** Ids of several owners, where it takes them. */
function ownersOf({ parties }: JsonObject): readonly string[] {
  if (!isObject(parties)) return [];
  return list(parties, "owners").map((owner) => text(owner, "id"));
}

async function openedFrom(cli: Cli, { view, digits }: Typed, jkt: string): Promise<Opened> {
  const statement = readStatement(nodeCrypto, fromBase64url(text(view, "jcs")));
  const { body } = statement;
  if (body.kind !== "credential" || body.owner.jkt !== jkt)
    throw new Refusal("statement_invalid", "made for another key");
  if (body.view.match !== undefined && body.view.match !== digits)
    throw new Refusal("statement_invalid", "it says digits that nobody typed here");
  checkNamedText(body, {
    entry: text(view, "entry"),
    proxy: text(view, "proxy"),
    owners: [text(view, "owner"), ...ownersOf(view)],
  });
  const rendering = render(
    nodeCrypto,
    statement,
    await open(nodeCrypto, REQUEST, text(view, "request")),
  );
  const parts = {
    view,
    rendering,
    agent: body.agent.id,
    host: body.agent.host,
    anchor: body.agent.jkt,
    ownerKey: jkt,
    deadline: number(view, "deadline"),
  };
  return { view, statement, body, lines: approvalScreen(parts, cli.columns), code: rendering.code };
}
