import { canonicalJson } from "@countersign/core";
import type { CredentialStatement, Rendering } from "@countersign/core";
import type { Opened } from "./opened.ts";
import { h } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";

/** Labels of lines that differ in every text that is made anew, by its time and numbers alone. */
const ALWAYS: ReadonlySet<string> = new Set([
  "number:",
  "made:",
  "sign by:",
  "nonce:",
  "from:",
  "until:",
]);

const linesOf = ({ rendering }: Opened): readonly string[] => rendering.fullText.split("\n");
const labelOf = (line: string): string => /^[a-z][a-z ]*:/.exec(line)?.[0] ?? "";

/** What a statement says, whenever and under whichever number it was made. */
function said({ grant, ...body }: CredentialStatement): string {
  const { nbf, exp, ...terms } = grant;
  const { jti: _jti, iat: _iat, exp: _exp, nonce: _nonce, ...rest } = body;
  return canonicalJson({ ...rest, grant: { ...terms, seconds: exp - nbf } });
}

/**
 * The lines of a text made anew that say something else than the one that its reader has read; undefined where it says
 * the same. A length that changed shows in the line of its end.
 */
function renewed(read: Opened, made: Opened): readonly string[] | undefined {
  if (said(read.body) === said(made.body)) return undefined;
  const before = new Set(linesOf(read));
  const lengthOf = ({ body: { grant } }: Opened): number => grant.exp - grant.nbf;
  const isLonger = lengthOf(read) !== lengthOf(made);
  return linesOf(made).filter((line) => {
    const label = labelOf(line);
    return !before.has(line) && (!ALWAYS.has(label) || (isLonger && label === "until:"));
  });
}

/** A marked line of its own: Approve waits until it was seen, as for any other. */
function renewedNote(lines: readonly string[]): HTMLElement {
  const name = "This text was made anew, and says something else than the one before";
  return h(
    "div",
    { class: "marked", attrs: { role: "group", tabindex: 0, "aria-label": name } },
    h("p", { class: "marked-name" }, icon("warning"), name),
    lines.length === 0
      ? h("p", {}, "Something that stood there is gone. Read all of it again.")
      : lines.map((line) => h("p", { class: "mono" }, line)),
  );
}

/** Marked lines that count as seen in a text made anew: those that say, byte for byte, the same in it. */
export function stillSeen(
  seen: ReadonlySet<number>,
  before: Opened | undefined,
  { marked }: Rendering,
): Set<number> {
  const isSame = (i: number): boolean =>
    i < marked.length && JSON.stringify(before?.rendering.marked[i]) === JSON.stringify(marked[i]);
  return new Set([...seen].filter(isSame));
}

/** Remembers which text was read: one that is made anew is held beside that one until its reader has seen what differs. */
export class Rereading {
  #read: Opened | undefined;

  /**
   * @param before the text that stood there until now
   * @param wasRead whether every marked line of it was seen
   */
  noteOf(made: Opened, before: Opened | undefined, wasRead: boolean): HTMLElement | undefined {
    if (this.#read === undefined || wasRead) this.#read = before;
    const lines = this.#read === undefined ? undefined : renewed(this.#read, made);
    return lines === undefined ? undefined : renewedNote(lines);
  }
}
