import { fromBase64url, open, readStatement, Refusal, render, REQUEST } from "@countersign/core";
import type {
  Crypto,
  CredentialStatement,
  JsonObject,
  Rendering,
  Statement,
} from "@countersign/core";
import { text } from "./read.ts";

/** A request as it was opened for one key: everything that is shown as "what you sign" is made from these octets. */
export interface Opened {
  readonly view: JsonObject;
  readonly statement: Statement;
  readonly body: CredentialStatement;
  readonly rendering: Rendering;
  /** Second at which the agent signed R. */
  readonly askedAt: number;
}

/**
 * Reads what the server made for a key, and renders it by itself from the exact octets: digest and code are computed
 * here, R must be the one that the statement answers, and its anchor the one that the statement approves (DESIGN 4).
 * @throws Refusal `statement_invalid`, `approval_unsuitable`, and as `open` for R
 */
export async function readOpened(c: Crypto, view: JsonObject, jkt: string): Promise<Opened> {
  const statement = readStatement(c, fromBase64url(text(view, "jcs")));
  const request = await open(c, REQUEST, text(view, "request"));
  const rendering = render(c, statement, request);
  const { body } = statement;
  if (body.kind !== "credential" || body.owner.jkt !== jkt)
    throw new Refusal("approval_unsuitable", "made for another key than the one that asked");
  return { view, statement, body, rendering, askedAt: request.claims.iat };
}
