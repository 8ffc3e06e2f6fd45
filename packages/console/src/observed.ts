import { noteRuns, fenceNote } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { list, object } from "./read.ts";
import { h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { facts, panel } from "./ui/parts.ts";

const MAX_NOTE_CHARACTERS = 280;

const shown = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "not known";

const digest = (value: unknown): Child =>
  typeof value === "string"
    ? h("p", { class: "mono note" }, `sha-256 ${value.replace(/^sha-256:/, "").slice(0, 12)}…`)
    : undefined;

function processOf(view: JsonObject): JsonObject {
  const evidence = object(object(view["facts"])["evidence"]);
  return object(object(object(evidence["submods"])["agent"])["countersign_proc"]);
}

function warningsOf(view: JsonObject): readonly string[] {
  const { warnings } = object(view["appraisal"]);
  return Array.isArray(warnings) ? warnings.filter((item) => typeof item === "string") : [];
}

/** What the proxy saw of the program, and of its host: warnings first in their row, nothing of it the agent's word. */
export function observedPanel(view: JsonObject, host: string): HTMLElement {
  const proc = processOf(view);
  const exe = object(proc["exe"]);
  const warnings = warningsOf(view);
  return panel(
    `What the proxy on ${host} observed`,
    "from the kernel",
    facts([
      ["Program file", h("p", { class: "mono" }, shown(exe["path"])), digest(exe["d"])],
      ...list(proc, "args").map(
        (script) =>
          [
            "Main script",
            h("p", { class: "mono" }, shown(script["path"])),
            digest(script["d"]),
            script["basis"] === "argv"
              ? h("p", { class: "note" }, "as the program states")
              : undefined,
          ] as const,
      ),
      ["Runs as", `user ${shown(proc["uid"])}, process ${shown(proc["pid"])}`],
      [
        "Safety of the host",
        warnings.length === 0
          ? "No warning."
          : warnings.map((warning) => h("p", { class: "warning-line" }, icon("warning"), warning)),
      ],
    ]),
  );
}

function plural(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The agent's own words: apart, plain, never linked, hidden characters in boxes, counted. */
export function notePanel(note: string): HTMLElement {
  const { hidden, addresses, markup } = fenceNote(note);
  const found = [
    hidden === 0 ? undefined : plural(hidden, "hidden character", "hidden characters"),
    addresses === 0 ? undefined : plural(addresses, "web address", "web addresses"),
    markup === 0 ? undefined : plural(markup, "piece of markup", "pieces of markup"),
  ].filter((line) => line !== undefined);
  const runs = noteRuns(note).map((run) =>
    "text" in run ? run.text : h("span", { class: "hidden-character" }, run.hidden),
  );
  return h(
    "section",
    { class: "fence" },
    h(
      "header",
      {},
      icon("warning"),
      h(
        "p",
        {},
        h("strong", {}, "The agent says"),
        " – not checked by anybody. Do not decide by this.",
      ),
    ),
    h(
      "blockquote",
      { attrs: { dir: "ltr" } },
      h("span", { class: "hidden" }, "Quotation from the agent, not checked. "),
      h("bdi", {}, runs),
      h("span", { class: "hidden" }, " End of quotation."),
    ),
    h(
      "p",
      { class: "note" },
      `Shown as plain text. ${note.length} of ${MAX_NOTE_CHARACTERS} characters.${found.length === 0 ? "" : ` In it: ${found.join(", ")}.`}`,
    ),
  );
}
