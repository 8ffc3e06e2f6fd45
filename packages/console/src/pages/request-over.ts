import type { JsonObject } from "@countersign/core";
import type { Opened } from "../opened.ts";
import { list, nameOf, number, text } from "../read.ts";
import { sheet } from "../sheet.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import type { MarkState } from "../ui/mark.ts";
import { head, link } from "../ui/parts.ts";

/** What became of a request, in a title and a sentence. */
export interface Outcome {
  readonly title: string;
  readonly below: string;
  readonly state: MarkState;
}

export const DENIED: Outcome = {
  title: "Denied",
  below: "The agent may ask again in 1 hour.",
  state: "denied",
};
export const BLOCKED: Outcome = {
  title: "Denied and blocked",
  below: "It cannot ask again until you allow it.",
  state: "denied",
};

export const back = (): HTMLElement =>
  h("nav", { attrs: { "aria-label": "Back" } }, link([icon("back"), "Inbox"], "#/inbox", "back"));

export function focusTitle(root: HTMLElement): void {
  root.querySelector("h1")?.focus({ preventScroll: true });
}

/** What a request that is not open any more became. */
export function outcomeOf(view: JsonObject): Outcome {
  const name = nameOf(text(view, "entry"));
  const elsewhere = "It was decided elsewhere, or before.";
  const { state } = view;
  if (state === "approved")
    return { title: `${name} was approved`, below: elsewhere, state: "signed" };
  if (state === "denied") return { title: `${name} was denied`, below: elsewhere, state: "denied" };
  return {
    title: "Ended without an answer",
    below: `${name} asks anew when it wants a credential.`,
    state: "ended",
  };
}

/** Of several owners: ours is kept, and others have to sign as well. */
export function outcomeOfOne(view: JsonObject, answer: JsonObject): Outcome {
  const missing = list(answer, "missing").map((owner) => text(owner, "name"));
  return {
    title: `You signed, ${number(answer, "signed")} of ${number(answer, "needed")}`,
    below: `${nameOf(text(view, "entry"))} gets nothing yet. Still asked: ${missing.join(", ")}.`,
    state: "agent",
  };
}

export function drawOver(root: HTMLElement, { title, below, state }: Outcome): void {
  fill(
    root,
    head(title, below, [back(), mark(state, "mark mark-large")]),
    h("p", {}, link("To the inbox", "#/inbox", "button button-plain")),
  );
  focusTitle(root);
}

/** The same sheet with both lines filled: ours is drawn only after this browser verified the signature. */
export function drawSigned(
  root: HTMLElement,
  { view, body, rendering, askedAt }: Opened,
  own: { readonly jkt: string; readonly name: string; readonly at: number },
): void {
  const name = nameOf(text(view, "entry"));
  const host = nameOf(text(view, "proxy"));
  const drawn = sheet(rendering, body.view.tpl, {
    agent: { who: "The agent signed", jkt: body.agent.jkt, where: `on ${host}`, at: askedAt },
    own: { who: "You signed", jkt: own.jkt, where: own.name, at: own.at },
  });
  const checked = h(
    "ul",
    { class: "checks" },
    h(
      "li",
      { class: "check-done" },
      icon("check"),
      "Your signature fits this text, checked in this browser",
    ),
  );
  const next = h(
    "div",
    { class: "decide-buttons" },
    link("To the inbox", "#/inbox", "button button-plain"),
    link(`Stop ${name}…`, "#/stop", "button button-stop"),
  );
  const aside = h(
    "aside",
    { class: "decide", attrs: { "aria-label": "What happened" } },
    checked,
    next,
    h(
      "p",
      { class: "note decide-time" },
      "Changed your mind? Stopping works at once and needs no key.",
    ),
  );
  fill(
    root,
    head("Countersigned", `${name} gets its credential. Both signatures are there.`, [
      back(),
      mark("signed", "mark mark-large"),
    ]),
    h(
      "div",
      { class: "request-columns" },
      h("div", { class: "request-sheet" }, drawn.element),
      aside,
    ),
  );
}
