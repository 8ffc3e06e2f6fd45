import type { Rendering } from "@countersign/core";
import { notePanel } from "./observed.ts";
import { sheet } from "./sheet.ts";

/** What the pages make of a rendering and of an agent's words, for a test that compares it with the terminal. */
export interface Drawn {
  /** Clause by clause: heading, then its paragraphs, values in quotation marks; marked ones behind their name. */
  readonly sentences: readonly string[];
  readonly full: string;
  /** Elements that no drawing of ours makes. */
  readonly foreign: readonly string[];
  readonly note: string;
}

const OURS: ReadonlySet<string> = new Set(
  "ARTICLE ASIDE BDI BLOCKQUOTE DIV FOOTER H2 H3 HEADER P SECTION SPAN STRONG svg path".split(" "),
);

/** The text of an element with each value in quotation marks, as the terminal writes it. */
function quoted(element: Element): string {
  return [...element.childNodes]
    .map((node) => {
      if (!(node instanceof Element)) return node.textContent ?? "";
      return node.classList.contains("value") ? `"${node.textContent ?? ""}"` : quoted(node);
    })
    .join("");
}

function sentencesOf(element: Element): readonly string[] {
  const title = element.querySelector(".sheet-title");
  const clauses = [...element.querySelectorAll(".clause")].flatMap((clause) => [
    clause.querySelector("h3")?.textContent ?? "",
    ...[...clause.querySelectorAll("p")].map(quoted),
  ]);
  return [title === null ? "" : quoted(title), ...clauses];
}

export function draw(rendering: Rendering, note: string): Drawn {
  const jkt = "A".repeat(43);
  const line = { who: "x", jkt };
  const { element } = sheet(rendering, "x", { agent: line, own: line });
  const said = notePanel(note);
  document.body.replaceChildren(element, said);
  const all = [...document.body.querySelectorAll("*")];
  return {
    sentences: sentencesOf(element),
    full: element.querySelector(".full-text")?.textContent ?? "",
    foreign: all.map(({ tagName }) => tagName).filter((name) => !OURS.has(name)),
    note: said.querySelector("bdi")?.textContent ?? "",
  };
}
