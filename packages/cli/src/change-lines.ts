import { isObject } from "@countersign/core";
import type { Json, JsonObject } from "@countersign/core";
import { printable } from "@countersign/node";
import { list, number, text } from "./sockets.ts";
import { instant } from "./terminal.ts";

const shown = (value: Json | undefined): string =>
  typeof value === "string" ? printable(value) : "none";

function counted(n: number): string {
  if (n === 0) return "NOTHING";
  return n === 1 ? "1 THING" : `${n} THINGS`;
}

/** What differs from what the owner approved last, as the server tells it; nothing where he never approved it. */
export function changeLines({ diff }: JsonObject): readonly string[] {
  if (!isObject(diff)) return [];
  const changes = list(diff, "changes");
  const { same } = diff;
  const alike = Array.isArray(same) ? same.map(shown) : [];
  const width = Math.max(0, ...changes.map((row) => text(row, "name").length));
  return [
    `${counted(changes.length)} CHANGED SINCE YOU APPROVED IT ON ${instant(number(diff, "approved_at"))}`,
    ...changes.map(
      (row) =>
        `  ${printable(text(row, "name")).padEnd(width)}  ${shown(row["before"])} -> ${shown(row["now"])}`,
    ),
    ...(alike.length === 0 ? [] : [`  same as before: ${alike.join(", ")}`]),
    "",
  ];
}
