import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import {
  canonicalBytes,
  fenceNote,
  readStatement,
  render,
  renderTerminal,
} from "@countersign/core";
import type { Rendering } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { changed, CREDENTIAL, REQUEST_R } from "../conformance/consent-fixture.ts";
import type { Change } from "../conformance/consent-fixture.ts";
import { openBrowser } from "./browser.ts";

const ENTRY = fileURLToPath(
  new URL("../../packages/console/src/corpus.testing.ts", import.meta.url),
);

interface Drawn {
  readonly sentences: readonly string[];
  readonly full: string;
  readonly foreign: readonly string[];
  readonly note: string;
}
declare const corpus: { draw(rendering: Rendering, note: string): Drawn };

/** What somebody would write who wants to be taken for a sentence of ours, for markup, or for another text. */
const PIECES: readonly string[] = [
  "messages.send",
  "the boss says approve",
  '" it may do anything. "',
  '\n  - "binary" "sha-256:ok"',
  "until:      2099-01-01T00:00:00Z",
  "<script>alert(1)</script>",
  '<img src=x onerror="approve()">',
  "<a href=https://evil.example>Approve</a>",
  "[Approve](https://evil.example)",
  "**APPROVED** `by admin`",
  "&lt;b&gt;&#x41;",
  "\u202Eevorppa",
  "\u2066isolate\u2069",
  "zero\u200Bwidth\u200D\u2060",
  "\u0430pprove", // Cyrillic a
  "\uFF41pprove", // full width
  "e\u0301\u0301\u0301",
  "\u{E0041}\u{E0042}",
  "\u00A0\u2003\u3000",
  "\u0007\u001B[31mred\u001B[0m",
  "\uFE0F\uFE0F",
  "ﷺ",
  "🏴‍☠️",
  "javascript:approve()",
  "xn--80ak6aa92e.com",
];
const HOSTILE: readonly string[] = Array.from({ length: 200 }, (_, i) => {
  const at = (n: number): string => PIECES[n % PIECES.length] ?? "";
  return i < PIECES.length ? at(i) : `${at(i)} ${at(i * 7 + Math.floor(i / 25))}`;
});

const entry = { type: "mcp_tool", locations: ["https://mail.example.com/mcp"] } as const;
const MAX_SAFE_GRANT = { ...CREDENTIAL.grant };
const grants: readonly Change[] = [
  {},
  { decision: "deny" },
  { "agent.host": undefined },
  { grant: { ...MAX_SAFE_GRANT, ceiling: [] } },
  { grant: { ...MAX_SAFE_GRANT, ceiling: [{ ...entry, actions: [] }] } },
  { grant: { ...MAX_SAFE_GRANT, ceiling: [{ ...entry, locations: [], actions: ["a"] }] } },
  ...(
    [
      "read_only",
      "reversible_write",
      "irreversible_action",
      "external_commitment",
      "privileged_administration",
    ] as const
  ).map((of) => ({
    grant: {
      ...MAX_SAFE_GRANT,
      ceiling: [{ ...entry, actions: ["a", "b", "c"], class: of, max_calls: 20 }],
    },
  })),
  { grant: { ...MAX_SAFE_GRANT, ceiling: [{ ...entry, actions: ["x".repeat(300)] }] } },
];
const hostile = HOSTILE.map((text) => ({
  grant: { ...MAX_SAFE_GRANT, ceiling: [{ ...entry, actions: [text, "b"] }] },
}));

/** The terminal's lines with the same breaks as the page's paragraphs: nothing wrapped, marks put back in line. */
function terminal(rendering: Rendering): { sentences: readonly string[]; full: string } {
  const lines = renderTerminal(rendering, { columns: 100_000 });
  const end = lines.findIndex((line) => line.startsWith(rendering.closing));
  const sentences = lines.slice(1, end).map((line) => line.replace(/^(?:! | {2})/, ""));
  return { sentences, full: lines.slice(end + 1).join("\n") };
}

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await openBrowser();
  page = await browser.newPage();
  const made = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      lib: { entry: ENTRY, formats: ["iife"], name: "corpus", fileName: "corpus" },
    },
  });
  const [output] = Array.isArray(made) ? made : [made];
  const chunk = output !== undefined && "output" in output ? output.output[0] : undefined;
  if (chunk?.type !== "chunk") throw new Error("nothing was built");
  await page.evaluate(`${chunk.code}; globalThis.corpus = corpus;`);
});
afterAll(() => browser.close());

const lower = (lines: readonly string[]): readonly string[] =>
  lines.map((line) => line.toLowerCase());

it(`page and terminal say the same of ${grants.length} statements and ${HOSTILE.length} hostile texts`, async () => {
  const all = [...grants, ...hostile];
  for (const [i, change] of all.entries()) {
    const statement = readStatement(nodeCrypto, canonicalBytes(changed(CREDENTIAL, change)));
    const rendering = render(nodeCrypto, statement, REQUEST_R);
    const note = HOSTILE[i % HOSTILE.length] ?? "";
    const drawn = await page.evaluate(([of, words]) => corpus.draw(of, words), [
      rendering,
      note,
    ] as const);
    const wanted = terminal(rendering);
    // headings and marks are in capitals there
    expect(lower(drawn.sentences), `statement ${i}`).toEqual(lower(wanted.sentences));
    expect(drawn.full.trimEnd()).toBe(rendering.fullText);
    expect(drawn.foreign).toEqual([]);
    const fenced = fenceNote(note, { columns: 100_000 }).lines.map((line) => line.slice(4));
    expect(drawn.note).toBe(fenced.join("\n").replace(/<(U\+[0-9A-F]{4,6})>/g, "$1"));
  }
});
