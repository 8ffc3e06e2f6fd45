import { REFUSALS } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";
import { printable } from "@countersign/node";
import type { Paint } from "@countersign/node";

/** One line of a verification: a link of core's table, or a check of the files around it. */
export interface Check {
  readonly id: string;
  /** What it shows, in words. */
  readonly title: string;
  readonly result: RefusalCode | "ok" | "skipped" | "not reached";
  /** Why it was skipped, or what exactly was found. */
  readonly why?: string;
}

/** Whether a check was made and refused. */
export function isGap(check: Check): boolean {
  return !["ok", "skipped", "not reached"].includes(check.result);
}

function refused(code: string): { readonly title: string; readonly next: string } {
  const known = Object.entries(REFUSALS).find(([name]) => name === code);
  return known?.[1] ?? { title: code, next: "" };
}

/** A check as lines for people: what holds, what does not and what to do, what was not looked at. */
export function checkLines(paint: Paint, check: Check): readonly string[] {
  const { id, title, result } = check;
  const head = `${id.padEnd(16)}  ${title}`;
  const why = check.why === undefined ? "" : printable(check.why);
  if (result === "ok") return [`  ${paint("green", "✓")} ${head}`];
  if (result === "skipped" || result === "not reached")
    return [paint("dim", `  · ${head} (${result}${why === "" ? "" : `: ${why}`})`)];
  const said = refused(result);
  return [
    `  ${paint("red", "✗")} ${head}`,
    `      ${paint("red", said.title)}${why === "" ? "" : ` (${why})`}. ${paint("dim", `[${result}]`)}`,
    `      next: ${said.next}`,
  ];
}
