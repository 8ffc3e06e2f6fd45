import {
  checkNamedText,
  fromBase64url,
  open,
  readStatement,
  Refusal,
  render,
  REQUEST,
} from "@countersign/core";
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

/** For whom, and where, a text is signed. */
export interface Signing {
  /** Thumbprint of the key. */
  readonly jkt: string;
  /** Owner id. */
  readonly owner: string;
  readonly place: { readonly issuer: string; readonly trustDomain: string };
  /** The digits that the reader has typed, if he was asked for any: the text says no others. */
  readonly typed?: string | undefined;
}

/**
 * Reads what the server made for a key, and renders it by itself from the exact octets: digest and code are computed
 * here, R must be the one that the statement answers, and its anchor the one that the statement approves (DESIGN 4). It
 * must be for this owner, key and server.
 * @throws Refusal `statement_invalid`, `approval_unsuitable`, and as `open` for R
 */
export async function readOpened(c: Crypto, view: JsonObject, signing: Signing): Promise<Opened> {
  const statement = readStatement(c, fromBase64url(text(view, "jcs")));
  const request = await open(c, REQUEST, text(view, "request"));
  const rendering = render(c, statement, request);
  const { body } = statement;
  const unsuitable = (why: string): never => {
    throw new Refusal("approval_unsuitable", why);
  };
  if (body.kind !== "credential" || body.owner.jkt !== signing.jkt)
    return unsuitable("made for another key than the one that asked");
  if (body.decision !== "approve") return unsuitable("no approval");
  const { issuer, trustDomain } = signing.place;
  if (body.aud !== issuer || body.td !== trustDomain) return unsuitable("for another server");
  if (body.view.match !== undefined && body.view.match !== signing.typed)
    return unsuitable("it says digits that nobody typed here");
  const { owner } = signing;
  checkNamedText(body, { entry: text(view, "entry"), proxy: text(view, "proxy"), owners: [owner] });
  return { view, statement, body, rendering, askedAt: request.claims.iat };
}
