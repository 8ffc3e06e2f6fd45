/** Control and format characters, line and paragraph separators: none may reach a terminal from outside. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");
}

/** The text with everything that could move a cursor, change colours or reorder a line written as `\uXXXX`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeUnits);
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
