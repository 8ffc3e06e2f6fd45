import { noteRuns, fenceNote } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { list, object } from "./read.ts";
import { h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { facts, panel } from "./ui/parts.ts";
import { WARNINGS } from "./warnings.ts";

const MAX_NOTE_CHARACTERS = 280;

const shown = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "not known";

const digest = (value: unknown): Child =>
  typeof value === "string"
    ? h("p", { class: "mono note" }, `sha-256 ${value.replace(/^sha-256:/, "").slice(0, 12)}…`)
    : undefined;

export function processOf(view: JsonObject): JsonObject {
  const evidence = object(object(view["facts"])["evidence"]);
  return object(object(object(evidence["submods"])["agent"])["countersign_proc"]);
}

export function warningsOf(view: JsonObject): readonly string[] {
  const { warnings } = object(view["appraisal"]);
  return Array.isArray(warnings) ? warnings.filter((item) => typeof item === "string") : [];
}

type Fact = readonly [name: string, ...values: Child[]];

function programFacts(view: JsonObject): readonly Fact[] {
  const proc = processOf(view);
  const exe = object(proc["exe"]);
  return [
    ["Program file", h("p", { class: "mono" }, shown(exe["path"])), digest(exe["d"])],
    ...list(proc, "args").map((script): Fact => [
      "Main script",
      h("p", { class: "mono" }, shown(script["path"])),
      digest(script["d"]),
      script["basis"] === "argv" ? h("p", { class: "note" }, "as the program states") : undefined,
    ]),
    ["Runs as", `user ${shown(proc["uid"])}, process ${shown(proc["pid"])}`],
  ];
}

/** What the proxy saw of the program: nothing of it is the agent's word. */
export function programPanel(view: JsonObject, host: string): HTMLElement {
  return panel(`What the proxy on ${host} observed`, "from the kernel", facts(programFacts(view)));
}

/** The same, and the warnings about its host. */
export function observedPanel(view: JsonObject, host: string): HTMLElement {
  const warnings = warningsOf(view).map((reason) =>
    h("p", { class: "warning-line" }, icon("warning"), WARNINGS[reason]?.[0] ?? `${reason}.`),
  );
  const safety: Fact = ["Safety of the host", warnings.length === 0 ? "No warning." : warnings];
  return panel(
    `What the proxy on ${host} observed`,
    "from the kernel",
    facts([...programFacts(view), safety]),
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
        "h2",
        {},
        "The agent says",
        h("span", {}, " – not checked by anybody. Do not decide by this."),
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

/** The same, where the agent says anything. */
export function claimedPanel(view: JsonObject): HTMLElement | undefined {
  const { note } = object(view["claimed"]);
  return typeof note === "string" ? notePanel(note) : undefined;
}
