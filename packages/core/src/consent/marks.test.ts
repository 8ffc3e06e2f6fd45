import { describe, expect, it } from "vitest";
import { d, ISSUER, MEASURED, NONCE, NOW, OWNER, PROXY } from "../issuance/attested.testing.ts";
import type { CeilingEntry } from "./ceiling.ts";
import { markedLines } from "./marks.ts";
import type { Mark } from "./marks.ts";
import { Sentences } from "./sentences.ts";
import type { CredentialStatement } from "./statement.ts";
import { VIEW_CREDENTIAL, VIEWS } from "./view.ts";
import { fillWords, parseTemplate } from "./view-words.ts";

const TEMPLATE = parseTemplate(VIEWS[0]?.template ?? "");
const PLACE = { locations: ["https://mail.example.com/"], actions: ["search"] };

function entry(change: Partial<CeilingEntry>): CeilingEntry {
  return { type: "http_api", ...PLACE, ...change };
}

function textWith(ceiling: readonly CeilingEntry[], host: string | undefined): CredentialStatement {
  return {
    typ: "agent-consent/1",
    kind: "credential",
    decision: "approve",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
    aud: ISSUER,
    td: "example.org",
    iat: NOW,
    exp: NOW + 300,
    nonce: NONCE,
    owner: { id: OWNER, jkt: "x".repeat(43) },
    agent: {
      id: "spiffe://example.org/agent/mailer/1",
      jkt: "a".repeat(43),
      meas: MEASURED,
      ...(host === undefined ? {} : { host }),
    },
    req: d(8),
    grant: {
      use: "standing",
      nbf: NOW,
      exp: NOW + 86_400,
      max_ttl: 900,
      max_issue: 100,
      max_live: 8,
      rekey: "endorsed",
      ceiling,
    },
    view: VIEW_CREDENTIAL,
  };
}

describe("console.md 6.2: the lines that are marked", () => {
  const rows: readonly (readonly [
    string,
    readonly CeilingEntry[],
    readonly (readonly Mark[])[],
    string | undefined,
  ])[] = [
    ["reading alone", [entry({ class: "read_only" })], [], PROXY],
    ["what can be undone", [entry({ class: "reversible_write" })], [], PROXY],
    [
      "what cannot be undone",
      [entry({ class: "irreversible_action" })],
      [["irreversible_action"]],
      PROXY,
    ],
    ["what binds", [entry({ class: "external_commitment" })], [["external_commitment"]], PROXY],
    [
      "who may do what",
      [entry({ class: "privileged_administration" })],
      [["privileged_administration"]],
      PROXY,
    ],
    ["an action without a class", [entry({})], [["unknown"]], PROXY],
    ["any action", [entry({ class: "read_only", actions: [] })], [["any_action"]], PROXY],
    [
      "any place and action, not known",
      [entry({ locations: [], actions: [] })],
      [["any_place", "any_action", "unknown"]],
      PROXY,
    ],
    ["no limit", [], [["no_limit"]], PROXY],
    ["any host", [entry({ class: "read_only" })], [["any_host"]], undefined],
    [
      "several, with one that is not marked between them",
      [entry({}), entry({ class: "read_only" }), entry({ class: "irreversible_action" })],
      [["any_host"], ["unknown"], ["irreversible_action"]],
      undefined,
    ],
  ];
  it.each(rows)("are, for %s, those of the sheet", (_name, ceiling, wanted, host) => {
    const text = textWith(ceiling, host);
    expect(markedLines(text)).toEqual(wanted);
    const drawn = new Sentences(TEMPLATE, text)
      .clauses()
      .flatMap(({ paragraphs }) => paragraphs.map(({ marks }) => marks))
      .filter((marks) => marks.length > 0);
    const words = wanted.map((marks) => marks.map((mark) => fillWords(TEMPLATE, `mark.${mark}`)));
    expect(drawn).toEqual(words);
  });
});
