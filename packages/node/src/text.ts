/** Control characters, C1 included, and the marks that reorder text: none may reach a terminal from outside. */
// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with everything that could move a cursor, change colours or reorder a line written as `\uXXXX`. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export type Colour = "red" | "green" | "yellow" | "cyan" | "bold" | "dim";
/** Wraps a text in one colour, or returns it as it is where colours are off. */
export type Paint = (colour: Colour, text: string) => string;

const SEQUENCES: Readonly<Record<Colour, readonly [on: number, off: number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
  bold: [1, 22],
  dim: [2, 22],
};

/**
 * Colours for a stream: on only when it is a terminal and `NO_COLOR` is unset or empty (no-color.org).
 * @param noColor the value of the environment's `NO_COLOR`; only `main.ts` reads the environment
 */
export function paintFor(stream: { readonly isTTY?: boolean }, noColor?: string): Paint {
  if (stream.isTTY !== true || (noColor !== undefined && noColor !== ""))
    return (_colour, text) => text;
  return (colour, text) => {
    const [on, off] = SEQUENCES[colour];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  };
}
