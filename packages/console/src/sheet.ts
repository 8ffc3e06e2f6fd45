import type { Clause, Paragraph, Rendering, Run } from "@countersign/core";
import { h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { keyTrace } from "./ui/trace.ts";
import { utc } from "./ui/time.ts";

/** A sheet, and the lines of it that must be seen before it is signed, in the order of `Rendering.marked`. */
export interface Sheet {
  readonly element: HTMLElement;
  readonly marked: readonly HTMLElement[];
}

/** Values stand in boxes, words do not: no value can pass for a sentence. */
function runsOf(runs: readonly Run[]): readonly Child[] {
  return runs.map((run) => ("words" in run ? run.words : h("span", { class: "value" }, run.value)));
}

function markedLine(paragraph: Paragraph, name: string): HTMLElement {
  return h(
    "div",
    { class: "marked", attrs: { role: "group", tabindex: 0, "aria-label": name } },
    h("p", { class: "marked-name" }, icon("warning"), name),
    h("p", {}, runsOf(paragraph.runs)),
  );
}

/** Draws the clauses; each marked paragraph takes the next name. */
class Clauses {
  readonly marked: HTMLElement[] = [];
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  draw({ heading, paragraphs }: Clause): HTMLElement {
    const lines = paragraphs.map((paragraph) => this.#line(paragraph));
    return h("section", { class: "clause" }, h("h3", {}, heading), h("div", {}, lines));
  }

  #line(paragraph: Paragraph): HTMLElement {
    if (paragraph.marks.length === 0) return h("p", {}, runsOf(paragraph.runs));
    const line = markedLine(paragraph, this.#names[this.marked.length] ?? "");
    this.marked.push(line);
    return line;
  }
}

/** A signature line: who, with which key, since when. */
export interface SignatureLine {
  readonly who: string;
  readonly jkt: string;
  readonly where?: string;
  /** Seconds; absent: not signed. */
  readonly at?: number;
}

const short = (jkt: string): string => `${jkt.slice(0, 4)} ${jkt.slice(4, 8)}`;

export function signatureLine(line: SignatureLine, side: "agent" | "own"): HTMLElement {
  const drawn =
    line.at === undefined
      ? h("p", { class: "sign-here" }, "Your signature goes here")
      : keyTrace(line.jkt, `trace trace-${side}`);
  return h(
    "div",
    { class: `signature signature-${side}${line.at === undefined ? " signature-open" : ""}` },
    h("div", { class: "signature-line" }, drawn),
    h("p", { class: "signature-who" }, line.who),
    h(
      "p",
      { class: "signature-key" },
      "key ",
      h("span", { class: "mono" }, short(line.jkt)),
      line.where === undefined ? "" : ` ${line.where}`,
    ),
    h("p", { class: "signature-time" }, line.at === undefined ? "not signed" : utc(line.at)),
  );
}

/**
 * The text that is signed, drawn from its rendering by `core`: the sentences, the full text below them, open, and
 * the lines of both signatures.
 * @param below what stands beside the digest
 */
export function sheet(
  rendering: Rendering,
  template: string,
  lines: { readonly agent: SignatureLine; readonly own: SignatureLine },
  below?: Child,
): Sheet {
  const clauses = new Clauses(rendering.markNames);
  const drawn = rendering.clauses.map((clause) => clauses.draw(clause));
  const digest = rendering.cs.slice("sha-256:".length, "sha-256:".length + 8);
  const element = h(
    "article",
    { class: "sheet", attrs: { "aria-label": "What you sign" } },
    h("p", { class: "sheet-opening" }, rendering.opening),
    h("h2", { class: "sheet-title" }, runsOf(rendering.title)),
    drawn,
    h(
      "section",
      { class: "full", attrs: { "aria-label": "The signed text in full" } },
      h(
        "header",
        {},
        h("h3", {}, "The signed text in full"),
        h("p", {}, `Template ${template}. The sentences above say the same.`),
      ),
      h(
        "div",
        {
          class: "full-text",
          attrs: { tabindex: 0, role: "region", "aria-label": "Lines of the signed text" },
        },
        rendering.fullText
          .split("\n")
          .map((line) => h("span", { class: "full-line" }, `${line}\n`)),
      ),
    ),
    h(
      "div",
      { class: "signatures" },
      signatureLine(lines.agent, "agent"),
      signatureLine(lines.own, "own"),
    ),
    h(
      "footer",
      { class: "sheet-foot" },
      h(
        "p",
        {},
        "Digest of the signed text ",
        h("span", { class: "mono strong" }, digest),
        ", computed in this browser",
      ),
      below,
    ),
  );
  return { element, marked: clauses.marked };
}
