import { Problem, Unreachable } from "../api.ts";
import { NotSigned } from "../passkey.ts";
import { fill, h } from "./dom.ts";
import type { Child } from "./dom.ts";
import { icon } from "./icons.ts";

export type ButtonKind = "plain" | "primary" | "stop";

/** A button. One that is off stays in the order of focus and says why; a press then moves to what is missing. */
export interface Button {
  readonly element: HTMLButtonElement;
  /** @param why absent: it is on */
  setOff(why?: string): void;
  setBusy(words?: string): void;
  /** What it is called from now on, and after it is busy. */
  setLabel(label: Child): void;
}

let descriptions = 0;

export function button(
  label: Child,
  kind: ButtonKind,
  press: () => void,
  whenOff: () => void = () => undefined,
): Button {
  let named = label;
  const words = h("span", { class: "button-label" }, label);
  const element = h("button", {
    class: `button button-${kind}`,
    attrs: { type: "button" },
    on: {
      click: () => {
        if (element.getAttribute("aria-disabled") === "true") whenOff();
        else press();
      },
    },
  });
  element.append(words);
  // hidden from everybody: it describes the button, and is no part of its name
  const why = h("span", { attrs: { id: `why-${(descriptions += 1)}`, hidden: "" } });
  element.append(why);
  const set = (isOff: boolean, text: string): void => {
    element.setAttribute("aria-disabled", String(isOff));
    why.textContent = text;
    if (text === "") element.removeAttribute("aria-describedby");
    else element.setAttribute("aria-describedby", why.id);
  };
  set(false, "");
  return {
    element,
    setOff: (reason) => set(reason !== undefined, reason ?? ""),
    setBusy: (busy) => {
      fill(words, busy ?? named);
      set(busy !== undefined, busy ?? "");
    },
    setLabel: (next) => fill(words, (named = next)),
  };
}

/** A plain button that needs no more than its press. */
export function simpleButton(label: Child, kind: ButtonKind, press: () => void): HTMLElement {
  return button(label, kind, press).element;
}

export function link(label: Child, hash: string, className = "link"): HTMLAnchorElement {
  return h("a", { class: className, attrs: { href: hash } }, label);
}

/** A panel with a title of its own. */
export function panel(title: Child, aside: Child, ...children: readonly Child[]): HTMLElement {
  return h(
    "section",
    { class: "panel" },
    h("header", { class: "panel-head" }, h("h2", {}, title), h("p", { class: "note" }, aside)),
    ...children,
  );
}

/** A page's head: where it came from, its title and one line below. */
export function head(title: string, below: Child, before?: Child, aside?: Child): HTMLElement {
  return h(
    "header",
    { class: "page-head" },
    before,
    h(
      "div",
      { class: "page-head-row" },
      h("div", {}, h("h1", { attrs: { tabindex: -1 } }, title), h("p", { class: "lead" }, below)),
      aside === undefined ? undefined : h("div", { class: "page-head-aside" }, aside),
    ),
  );
}

/** Two columns: name, what is known. */
export function facts(rows: readonly (readonly [name: string, ...values: Child[]])[]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, ...values]) => [h("dt", {}, name), h("dd", {}, values)]),
  );
}

/** One sentence of what happened and one of what to do next, with the code word small at its end. */
export function refusal(error: unknown): HTMLElement {
  const said = explained(error);
  return h(
    "div",
    { class: "refusal", attrs: { role: "alert" } },
    icon("warning"),
    h(
      "p",
      {},
      h("strong", {}, said.what),
      " ",
      said.next,
      said.code === undefined ? undefined : h("span", { class: "code-word" }, ` ${said.code}`),
    ),
  );
}

interface Explained {
  readonly what: string;
  readonly next: string;
  readonly code?: string;
}

/** The server was reached, and a file of these pages is not there any more: it may have others by now. */
export class Outdated extends Error {}

/** What a person is told of an error. */
export function explained(error: unknown): Explained {
  if (error instanceof Problem)
    return {
      what: `${error.message}.`.replace(/\.\.$/, "."),
      next: error.next,
      code: error.reason,
    };
  if (error instanceof Unreachable)
    return {
      what: "The server was not reached.",
      next: "Nothing was decided, and nothing is sent later by itself. Try again when you are back online.",
    };
  if (error instanceof Outdated)
    return {
      what: "This part of the console could not be loaded.",
      next: "Load the console again: it may have changed since you opened it, or the connection broke. You stay signed in.",
    };
  if (error instanceof NotSigned)
    return {
      what: "No passkey of this console was used.",
      next: "Nothing happened. Try again, or use another key.",
    };
  return {
    what: "This page could not make sense of what the server said.",
    next: "Load it again; if it stays so, tell your administrator.",
  };
}

/** What the focused element is called: whoever stands in its place after a change has the same. */
const nameOfFocus = (element: Element): string =>
  `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent} ${element.getAttribute("href") ?? ""}`;

/** Puts these in the place of what is there. Focus stays on what had it, on what is there in its stead, or at the title. */
export function refill(root: HTMLElement, children: readonly Child[]): void {
  const { activeElement: focused } = document;
  const isInside = focused instanceof HTMLElement && root.contains(focused);
  fill(root, children);
  if (!isInside || document.activeElement === focused) return;
  const name = nameOfFocus(focused);
  const same = [...root.querySelectorAll<HTMLElement>(focused.tagName)].find(
    (element) => nameOfFocus(element) === name,
  );
  const title = document.querySelector<HTMLElement>("main h1");
  (focused.isConnected ? focused : (same ?? title))?.focus({ preventScroll: true });
}

/** Content that has to be loaded: a line of text when it takes longer than a moment, what went wrong, or the thing. */
export function loaded(root: HTMLElement, load: () => Promise<readonly Child[]>): Promise<void> {
  const waiting = window.setTimeout(() => {
    if (root.childElementCount === 0) fill(root, h("p", { class: "lead" }, "Loading…"));
  }, 400);
  return load()
    .then((children) => refill(root, children))
    .catch((error: unknown) => refill(root, [refusal(error)]))
    .finally(() => window.clearTimeout(waiting));
}
