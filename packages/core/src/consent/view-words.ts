/** A piece of a sentence: the template's own words, or a value of the statement, escaped. */
export type Run = { readonly words: string } | { readonly value: string };

/** A view's template, taken apart: the lines of the full text, and its words by name. */
export interface Template {
  readonly text: readonly string[];
  readonly words: ReadonlyMap<string, string>;
}

const PLACEHOLDER = /\{([a-z_.]+)\}/;

/** Takes a template apart. Templates are ours, so what does not fit is a bug and not a refusal. */
export function parseTemplate(template: string): Template {
  const [, text, words] = template.split(/\n\[(?:text|words)\]\n/);
  if (text === undefined || words === undefined) throw new TypeError("template without its parts");
  const rows = words.split("\n").filter((line) => line !== "");
  return {
    text: text.trimEnd().split("\n"),
    words: new Map(
      rows.map((row) => {
        const at = row.indexOf(" | ");
        return [row.slice(0, at), row.slice(at + 3)] as const;
      }),
    ),
  };
}

/** What stands in for a placeholder. Plain strings and numbers become words, so they never hold a value. */
export type Filling = string | number | Run | readonly Run[];

/** Everything outside printable ASCII as `\uXXXX`, which JSON reads back as the same text. */
export function escapeNonAscii(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A string as a JSON literal in printable ASCII. */
export function literal(text: string): string {
  return escapeNonAscii(JSON.stringify(text));
}

/** A value run: the inside of the JSON literal. */
export function value(text: string): Run {
  return { value: literal(text).slice(1, -1) };
}

function merge(runs: readonly Run[]): readonly Run[] {
  const merged: Run[] = [];
  for (const run of runs) {
    const last = merged.at(-1);
    if ("words" in run && last !== undefined && "words" in last)
      merged.splice(-1, 1, { words: last.words + run.words });
    else if (!("words" in run) || run.words !== "") merged.push(run);
  }
  return merged;
}

function runsOf(filling: Filling): readonly Run[] {
  if (typeof filling === "string") return [{ words: filling }];
  if (typeof filling === "number") return [{ words: grouped(filling) }];
  return "words" in filling || "value" in filling ? [filling] : filling;
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Fills the placeholders of one row of a template's words. */
export function fill(
  template: Template,
  row: string,
  fillings: Readonly<Record<string, Filling>> = {},
): readonly Run[] {
  const words = template.words.get(row);
  if (words === undefined) throw new TypeError(`template without ${row}`);
  const runs = words.split(PLACEHOLDER).flatMap((part, i) => {
    if (i % 2 === 0) return runsOf(part);
    const filling = fillings[part];
    if (filling === undefined) throw new TypeError(`${row} without ${part}`);
    return runsOf(filling);
  });
  return merge(runs);
}

/** Fills a row in which no value of the statement stands. */
export function fillWords(
  template: Template,
  row: string,
  fillings: Readonly<Record<string, string | number>> = {},
): string {
  return fill(template, row, fillings)
    .map((run) => ("words" in run ? run.words : run.value))
    .join("");
}
