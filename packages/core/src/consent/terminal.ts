import type { Rendering } from "./render.ts";
import type { Run } from "./view-words.ts";

const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 40;
const INDENT = "  ";
const MARK = "! ";
/** Wider than any label, so that no continued line starts like one. */
const CONTINUED = " ".repeat(14);
/** Stands for a space inside a value while lines are broken; values are printable ASCII and never hold it. */
const HELD_SPACE = "\uE000";

function textOf(runs: readonly Run[]): string {
  return runs
    .map((run) => ("words" in run ? run.words : `"${run.value.replaceAll(" ", HELD_SPACE)}"`))
    .join("");
}

/** Breaks at spaces between words, never inside a value unless it is longer than a line. */
function wrap(text: string, columns: number, first: string, next: string): readonly string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  const flush = (): void => {
    lines.push(line);
    line = next;
    isEmpty = true;
  };
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > columns) flush();
    let rest = isEmpty ? word : ` ${word}`;
    while (line.length + rest.length > columns) {
      const room = columns - line.length;
      line += rest.slice(0, room);
      rest = rest.slice(room);
      flush();
    }
    line += rest;
    isEmpty = false;
  }
  flush();
  return lines.map((one) => one.replaceAll(HELD_SPACE, " "));
}

/** Lines of the signed text; a longer one goes on below, further in than any label. */
function foldFull(text: string, columns: number): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const parts = [line.slice(0, columns)];
    const room = columns - CONTINUED.length;
    for (let at = columns; at < line.length; at += room)
      parts.push(CONTINUED + line.slice(at, at + room));
    return parts;
  });
}

/**
 * A rendering as lines of a terminal, from "WHAT YOU SIGN" to the end of the signed text (console.md 6.3). Values
 * stand in quotation marks, marked lines begin with `!`; nothing rests on colour. Default 80 columns, at least 40.
 */
export function renderTerminal(
  rendering: Rendering,
  options: { readonly columns?: number } = {},
): readonly string[] {
  // the last column stays free: some terminals break the line after a character there
  const columns = Math.max(MIN_COLUMNS, options.columns ?? DEFAULT_COLUMNS) - 1;
  const indented = (runs: readonly Run[]): readonly string[] =>
    wrap(textOf(runs), columns, INDENT, INDENT);
  const lines = [
    ...wrap(rendering.opening, columns, "", INDENT),
    ...wrap(textOf(rendering.title), columns, "", INDENT),
  ];
  let marks = 0;
  for (const clause of rendering.clauses) {
    lines.push(clause.heading.toUpperCase());
    for (const paragraph of clause.paragraphs) {
      if (paragraph.marks.length > 0) {
        lines.push(...wrap(loud(rendering.markNames[marks] ?? ""), columns, MARK, MARK));
        marks += 1;
      }
      lines.push(...indented(paragraph.runs));
    }
  }
  const gap = Math.max(1, columns - rendering.closing.length - rendering.closingDigest.length);
  lines.push(rendering.closing + " ".repeat(gap) + rendering.closingDigest);
  return [...lines, ...foldFull(rendering.fullText, columns)];
}

/** The title of a mark in capitals, its number as it is. */
function loud(name: string): string {
  const at = name.lastIndexOf(",");
  return name.slice(0, at).toUpperCase() + name.slice(at);
}
