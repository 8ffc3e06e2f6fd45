// Controls, formats (direction, zero width, tags), unassigned and private characters, line and paragraph
// separators, spaces that are not the space, fillers and variation selectors: what a reader cannot see.
const HIDDEN =
  /[\p{C}\p{Zl}\p{Zp}\u00A0\u034F\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u2000-\u200A\u202F\u205F\u3000\u3164\uFE00-\uFE0F\uFFA0\u{E0100}-\u{E01EF}]/gu;
const ADDRESS = /\b[a-z][a-z0-9+.-]*:\/\/|\bwww\./gi;
const MARKUP = /<[a-z!/][^>]*>|\]\(|\*\*|__|`/gi;
const PREFIX = "  | ";
const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 40;

/** The agent's words, fenced, and what was found in them. */
export interface FencedNote {
  /** Each starts with `  | `. */
  readonly lines: readonly string[];
  /** Characters that a reader would not have seen; line feeds do not count. */
  readonly hidden: number;
  readonly addresses: number;
  readonly markup: number;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function pointOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

const show = (character: string): string => `<${pointOf(character)}>`;

/** A piece of an agent's words as a page shows it: plain text, or one character that a reader would not have seen. */
export type NoteRun = { readonly text: string } | { readonly hidden: string };

/** The agent's words in pieces, in order. Line feeds stay in the text; a hidden character is named `U+202E`. */
export function noteRuns(note: string): readonly NoteRun[] {
  const runs: NoteRun[] = [];
  let text = "";
  const flush = (): void => {
    if (text !== "") runs.push({ text });
    text = "";
  };
  for (const character of note) {
    if (character === "\n" || character.replace(HIDDEN, "") === character) {
      text += character;
      continue;
    }
    flush();
    runs.push({ hidden: pointOf(character) });
  }
  flush();
  return runs;
}

/**
 * Fences words of an agent: plain text behind a prefix, hidden characters shown as `<U+202E>` and counted, with
 * web addresses and markup (console.md 6). They are unverified; nothing may be decided by them.
 */
export function fenceNote(note: string, options: { readonly columns?: number } = {}): FencedNote {
  const columns = Math.max(MIN_COLUMNS, options.columns ?? DEFAULT_COLUMNS) - PREFIX.length;
  const parts = note.split("\n");
  const lines = parts.flatMap((part) => {
    const characters = Array.from(part.replace(HIDDEN, show));
    const folded: string[] = [];
    for (let at = 0; at === 0 || at < characters.length; at += columns)
      folded.push(PREFIX + characters.slice(at, at + columns).join(""));
    return folded;
  });
  return {
    lines,
    hidden: parts.reduce((sum, part) => sum + count(part, HIDDEN), 0),
    addresses: count(note, ADDRESS),
    markup: count(note, MARKUP),
  };
}
