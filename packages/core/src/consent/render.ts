import type { Crypto, Digest } from "../crypto.ts";
import { agentId } from "../identifier/workload.ts";
import { digestOf } from "../jose/signed.ts";
import type { Signed } from "../jose/signed.ts";
import { canonicalJson } from "../json/canonical.ts";
import { Refusal } from "../refusal.ts";
import { requestCode } from "./code.ts";
import { isoTime, Sentences } from "./sentences.ts";
import type { Clause, Paragraph } from "./sentences.ts";
import { isCredentialStatement, isKeyStatement } from "./statement.ts";
import type { CredentialStatement, Statement } from "./statement.ts";
import { viewFits, VIEWS } from "./view.ts";
import type { View } from "./view.ts";
import { escapeNonAscii, fillWords, literal, parseTemplate } from "./view-words.ts";
import type { Run, Template } from "./view-words.ts";

/** Everything an owner is shown of a statement, made from its octets and from R's. */
export interface Rendering {
  /** The code of the request, computed from R's octets. */
  readonly code: string;
  readonly cs: Digest;
  readonly opening: string;
  readonly title: readonly Run[];
  readonly clauses: readonly Clause[];
  /** The marked paragraphs of all clauses in order: Approve waits until each was seen. */
  readonly marked: readonly Paragraph[];
  /** `Cannot be undone, 1 of 2` for each of `marked`. */
  readonly markNames: readonly string[];
  readonly closing: string;
  /** Names the statement's digest by its first eight characters. */
  readonly closingDigest: string;
  /** The signed text: every member, nothing shortened, lines joined by a line feed. */
  readonly fullText: string;
}

/** What a renderer needs of R. */
export interface RenderedRequest {
  readonly sub: string;
  readonly anchor: string;
}

const ABSENT = "-";
const ITEM = "\n  - ";
const PLACEHOLDER = /\{([a-z_.]+)\}/g;

function unsuitable(why: string): never {
  throw new Refusal("approval_unsuitable", why);
}

function list(items: readonly string[]): string {
  return items.length === 0 ? ABSENT : items.map((item) => ITEM + item).join("");
}

function members(body: CredentialStatement): Readonly<Record<string, string>> {
  const { owner, agent, grant, view } = body;
  const optional = (text: string | undefined): string =>
    text === undefined ? ABSENT : literal(text);
  return {
    typ: literal(body.typ),
    kind: literal(body.kind),
    decision: literal(body.decision),
    jti: literal(body.jti),
    aud: literal(body.aud),
    td: literal(body.td),
    iat: isoTime(body.iat),
    exp: isoTime(body.exp),
    nonce: literal(body.nonce),
    "owner.id": literal(owner.id),
    "owner.jkt": literal(owner.jkt),
    "agent.id": literal(agent.id),
    "agent.jkt": literal(agent.jkt),
    "agent.host": optional(agent.host),
    "agent.meas": list(agent.meas.map(({ n, d }) => `${literal(n)} ${literal(d)}`)),
    req: literal(body.req),
    "grant.use": literal(grant.use),
    "grant.nbf": isoTime(grant.nbf),
    "grant.exp": isoTime(grant.exp),
    "grant.max_ttl": String(grant.max_ttl),
    "grant.max_issue": String(grant.max_issue),
    "grant.max_live": String(grant.max_live),
    "grant.rekey": literal(grant.rekey),
    "grant.parties.m": grant.parties === undefined ? ABSENT : String(grant.parties.m),
    "grant.parties.owners": list(
      (grant.parties?.owners ?? []).map(({ id, jkt }) => `${literal(id)} ${literal(jkt)}`),
    ),
    "grant.ceiling": list(grant.ceiling.map((entry) => escapeNonAscii(canonicalJson(entry)))),
    "view.match": optional(view.match),
    "view.tpl": literal(view.tpl),
    "view.loc": literal(view.loc),
    "view.d": literal(view.d),
  };
}

function fullText(template: Template, body: CredentialStatement): string {
  const values = members(body);
  const lines = template.text.map((pattern) =>
    pattern
      // a function, because `$` in a replacement string has a meaning of its own
      .replace(PLACEHOLDER, (_, name: string) => {
        const text = values[name];
        if (text === undefined) throw new TypeError(`template with unknown ${name}`);
        return text;
      })
      .replace(/ +\n/, "\n"),
  );
  return lines.join("\n");
}

/** What a hostile server would change to have the owner sign for an anchor of its own (DESIGN 4). */
function checkRequest(
  c: Crypto,
  body: CredentialStatement,
  request: Signed<RenderedRequest>,
): void {
  const { sub, anchor } = request.claims;
  if (digestOf(c, request.octets) !== body.req) unsuitable("the statement answers another request");
  if (anchor !== body.agent.jkt) unsuitable("the request names another anchor");
  let wanted: string;
  try {
    wanted = agentId(sub, anchor);
  } catch {
    return unsuitable("the request names no entry");
  }
  if (wanted !== body.agent.id)
    unsuitable("the agent's id is not that of the request and its anchor");
}

function viewOf(body: CredentialStatement): View {
  const { tpl, loc, d } = body.view;
  const view = VIEWS.find((one) => one.tpl === tpl && one.loc === loc && one.d === d);
  if (view === undefined) return unsuitable("the view is not one that we can show");
  return viewFits(body) ? view : unsuitable("the view does not show who must sign");
}

/**
 * Renders a credential statement from its exact octets: sentences, and the full text that they stand above
 * (console.md 6). Refuses unless the request is the one it answers and the view is one that we can show.
 * @throws Refusal `approval_unsuitable`
 */
export function render(
  c: Crypto,
  statement: Statement,
  request: Signed<RenderedRequest>,
): Rendering {
  if (!isCredentialStatement(statement)) return unsuitable("the statement is of another kind");
  const { body, cs } = statement;
  const view = viewOf(body);
  checkRequest(c, body, request);
  const template = parseTemplate(view.template);
  const sentences = new Sentences(template, body);
  const clauses = sentences.clauses();
  const marked = clauses
    .flatMap((clause) => clause.paragraphs)
    .filter((paragraph) => paragraph.marks.length > 0);
  return {
    code: requestCode(c, request.octets),
    cs,
    opening: fillWords(template, "opening"),
    title: sentences.title(),
    clauses,
    marked,
    markNames: marked.map((paragraph, i) => {
      const title = paragraph.marks.reduce((a, b) => fillWords(template, "mark.two", { a, b }));
      return fillWords(template, "mark.number", { title, k: i + 1, n: marked.length });
    }),
    closing: fillWords(template, "closing"),
    closingDigest: fillWords(template, "closing.digest", { cs: cs.slice(8, 16) }),
    fullText: fullText(template, body),
  };
}

/**
 * The text that an owner signed, for reading it afterwards. Nothing is compared with a request, so nobody may be
 * asked to approve from it: that is for `render`.
 * @throws Refusal `approval_unsuitable` for a view that we cannot show
 */
export function signedText(statement: Statement): string {
  if (!isCredentialStatement(statement)) {
    const { title, lines } = renderKeyStatement(statement);
    return [title, ...lines].join("\n");
  }
  const { body } = statement;
  return fullText(parseTemplate(viewOf(body).template), body);
}

const KEY_TITLE = "YOU ADD A KEY. Every member of what you sign:";

/**
 * Renders a key statement: one fixed title, then every member as `name: value`, one a line.
 * @throws Refusal `approval_unsuitable` for another kind
 */
export function renderKeyStatement(statement: Statement): {
  readonly title: string;
  readonly lines: readonly string[];
} {
  if (!isKeyStatement(statement)) return unsuitable("the statement is of another kind");
  const { owner, key, ...common } = statement.body;
  const { iat, exp, typ, kind, decision, jti, aud, td, nonce } = common;
  const rows: readonly (readonly [string, string])[] = [
    ...Object.entries({ typ, kind, decision, jti, aud, td }).map(line),
    ["iat", isoTime(iat)],
    ["exp", isoTime(exp)],
    ...Object.entries({ nonce, "owner.id": owner.id, "owner.jkt": owner.jkt }).map(line),
    ...Object.entries(key).map(([name, text]: [string, string]) => line([`key.${name}`, text])),
  ];
  return { title: KEY_TITLE, lines: rows.map(([name, text]) => `${name}: ${text}`) };
}

function line([name, text]: readonly [string, string]): readonly [string, string] {
  return [name, literal(text)];
}
