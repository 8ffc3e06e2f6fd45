import type { JsonObject } from "@countersign/core";
import { number, optional } from "../read.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";

/** What the server says of a text before it is made: a hint which row to read first, and nothing that is signed. */
export interface Outline {
  readonly marked: number;
  readonly irreversible: number;
  /** Terms that differ from the last approval; undefined: there was none. */
  readonly changes: number | undefined;
}

export function outlineOf(from: JsonObject): Outline {
  return {
    marked: number(from, "marked"),
    irreversible: number(from, "irreversible"),
    changes: optional(from, "changes", number),
  };
}

const lines = (n: number): string => (n === 1 ? "1 line" : `${n} lines`);

function markedPills({ marked, irreversible }: Outline): readonly Child[] {
  const others = marked - irreversible;
  const more = irreversible === 0 ? "" : " more";
  return [
    irreversible === 0
      ? undefined
      : h(
          "span",
          { class: "pill pill-stop" },
          icon("warning"),
          `${lines(irreversible)} cannot be undone`,
        ),
    others === 0
      ? undefined
      : h(
          "span",
          { class: "pill pill-warn" },
          icon("warning"),
          `${lines(others)}${more} to read closely`,
        ),
  ];
}

/** Nothing of one that was never approved: its reason says so. */
function changesPill({ changes }: Outline): Child {
  if (changes === undefined) return undefined;
  const things = changes === 1 ? "1 thing changed" : `${changes} things changed`;
  return h("span", { class: "pill" }, changes === 0 ? "Nothing changed" : things);
}

/** Which lines are marked, and what changed since the last approval. */
export const pills = (outline: Outline): readonly Child[] => [
  markedPills(outline),
  changesPill(outline),
];
