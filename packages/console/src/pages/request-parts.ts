import type { JsonObject, Refusal } from "@countersign/core";
import { Problem } from "../api.ts";
import type { App } from "../app.ts";
import { list, number, object, optional, text } from "../read.ts";
import { startedWords } from "../started.ts";
import type { TimeSpoken } from "../time-spoken.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { head, refusal, simpleButton } from "../ui/parts.ts";
import type { Button } from "../ui/parts.ts";
import { sentence } from "../ui/sentence.ts";
import { left, moment } from "../ui/time.ts";
import { back } from "./request-over.ts";

/** Where it takes several owners: how many, and who has signed. */
function partiesWords(view: JsonObject): Child {
  if (view["parties"] === undefined) return undefined;
  const parties = object(view["parties"]);
  const all = list(parties, "owners");
  const names = (hasSigned: boolean): string =>
    all
      .filter((owner) => (owner["signed"] === true) === hasSigned)
      .map((owner) => text(owner, "name"))
      .join(", ");
  const signed = names(true) === "" ? "nobody yet" : names(true);
  const takes = `It takes ${number(parties, "m")} of ${all.length} owners. `;
  return h("span", { class: "parties" }, `${takes}Signed: ${signed}. Not signed: ${names(false)}.`);
}

/** How a request came about, as far as its owner said beforehand. */
export function announced(view: JsonObject, host: string): Child {
  return [howAnnounced(view, host), partiesWords(view)];
}

function howAnnounced(view: JsonObject, host: string): Child {
  const uid = optional(object(view["started_by"]), "uid", number);
  const started = uid === undefined ? "" : ` ${startedWords(uid, host)}.`;
  const waits = view["digits"] === undefined ? "" : ", and someone waits at its terminal";
  if (view["expected"] === true) return `You announced it. It runs on ${host}${waits}.${started}`;
  return [
    h("strong", {}, "You did not start this. "),
    `It runs on ${host}${waits}. If you do not know it, deny it; nothing of yours breaks.${started}`,
  ];
}

/** Why the owner is asked: first of all, before any fact. */
export function reasons(view: JsonObject): HTMLElement {
  const items = list(view, "reasons").map((item) => h("li", {}, sentence(text(item, "text"))));
  return h(
    "section",
    { class: "panel changes" },
    h("header", { class: "panel-head" }, h("h2", {}, "Why you are asked")),
    h("ul", {}, items),
  );
}

/** The text does not fit its digest, its request or a template of ours: nothing of it is shown. */
export function unfitPage(
  { code }: Refusal,
  problem: HTMLElement,
  deny: () => void,
): readonly Child[] {
  const unfit = new Problem(
    0,
    code,
    "What the server sent does not fit together",
    "Do not approve it anywhere. Deny it, and tell your administrator.",
  );
  return [
    back(),
    head("This request cannot be shown", "Nothing of it can be signed here."),
    refusal(unfit),
    problem,
    h("p", {}, simpleButton("Deny", "plain", deny)),
  ];
}

/** Asks once more before the agent is kept from asking. */
export function blockAgain(
  name: string,
  host: string,
  ways: { readonly block: () => void; readonly deny: () => void },
): HTMLElement {
  return h(
    "div",
    { class: "ask-again", attrs: { role: "group", "aria-label": "Deny and block" } },
    h("p", {}, `${name} on ${host} cannot ask again until you allow it.`),
    simpleButton("Block", "stop", ways.block),
    simpleButton("Only deny", "plain", ways.deny),
  );
}

function check(isDone: boolean, words: string): HTMLElement {
  return h(
    "li",
    { class: isDone ? "check-done" : "check-open" },
    icon(isDone ? "check" : "box"),
    words,
  );
}

/** How many marked lines were seen. */
export const markedCheck = (seen: number, count: number): HTMLElement =>
  check(
    seen >= count,
    `${seen} of ${count} marked ${count === 1 ? "line was" : "lines were"} on your screen`,
  );

export const digitsCheck = (isDone: boolean): HTMLElement =>
  check(isDone, isDone ? "The digits match" : "The digits are not typed yet");

/** What stands in the panel of decisions, made by the page. */
export interface Decisions {
  readonly digits: Child;
  readonly checks: HTMLElement;
  readonly problem: HTMLElement;
  readonly bar: HTMLElement;
  readonly buttons: readonly Button[];
  readonly time: HTMLElement;
}

/** Beside the sheet: what is compared, what is left to do, and the ways to decide. */
export function decisionPanel(code: string, of: Decisions): HTMLElement {
  return h(
    "aside",
    { class: "decide", attrs: { "aria-label": "Decide" } },
    h(
      "div",
      { class: "decide-code" },
      h("h2", {}, "Code of this request"),
      h("p", { class: "code" }, code),
      h("p", { class: "note" }, "The agent's terminal shows the same."),
    ),
    of.digits,
    of.checks,
    of.problem,
    h(
      "div",
      { class: "decide-buttons" },
      of.bar,
      of.buttons.map(({ element }) => element),
    ),
    h("div", { class: "decide-time" }, icon("clock"), of.time),
  );
}

/** When the request ends, and how long its text may be signed, if there is one. Seconds. */
export function drawTime(
  app: Pick<App, "say" | "now">,
  place: HTMLElement,
  rest: { readonly request: number; readonly text: number | undefined },
  spoken: TimeSpoken,
): void {
  const now = app.now();
  const at = moment(now + rest.request, now).replace("today ", "");
  const end = `The request ends at ${at} (${left(rest.request)}).`;
  const sign = rest.text === undefined ? "" : `This text can be signed for ${left(rest.text)}.`;
  place.textContent = `${sign} ${end}`.trim();
  if (rest.text !== undefined && spoken.isDue(rest.text)) app.say(sign);
}

/** The agent has signed, and nobody else. */
export const waitingMark = (): SVGElement => mark("agent", "mark mark-large");
