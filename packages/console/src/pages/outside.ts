import type { Api } from "../api.ts";
import type { Place } from "../app.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { link, refusal, simpleButton } from "../ui/parts.ts";
import { CANCELS, STOPS, stopCodeForm } from "./stop-code.ts";

/** A page for whoever has not signed in, or cannot. */
export interface OutsidePage {
  readonly title: string;
  readonly root: HTMLElement;
}

type Maker = (at: { readonly api: Api; readonly place: Place }) => OutsidePage;

function page(title: string, lead: Child, ...children: readonly Child[]): OutsidePage {
  const root = h(
    "main",
    { class: "sign-in", attrs: { id: "content" } },
    h("p", { class: "logo" }, mark("agent", "mark mark-logo"), "countersign"),
    h("nav", { attrs: { "aria-label": "Back" } }, link([icon("back"), "Sign in"], "#/", "back")),
    h("h1", { attrs: { tabindex: -1 } }, title),
    h("p", { class: "lead" }, lead),
    children,
  );
  return { title, root };
}

/** Says it at once: these pages have no other live region. */
function spoken(): { readonly root: HTMLElement; readonly say: (text: string) => void } {
  const root = h("p", { class: "hidden", attrs: { "aria-live": "assertive" } });
  return { root, say: (text) => (root.textContent = text) };
}

const byCode: Maker = ({ api, place }) => {
  const { root, say } = spoken();
  return page(
    "Stop agents with a printed code",
    `It stops everything of yours in ${place.trustDomain}, at once. No key is needed, and nothing more is asked. To go on needs your signature.`,
    stopCodeForm(api, STOPS, say),
    h(
      "p",
      { class: "note" },
      "Each code works once. You printed them under Keys; if you have none, your administrator stops your agents.",
    ),
    root,
  );
};

const recovery: Maker = ({ api, place }) => {
  const { root, say } = spoken();
  const steps = [
    "Another of your keys signs in: use that one, and remove the lost key under Keys. You need no recovery.",
    `All are lost: go to whoever runs ${place.issuer}. You bring a new key, made with ssh-keygen on a device of yours, and two other owners sign for it: it works at once.`,
    "Nobody signs for it: your administrator announces the new key, and it works after 24 hours, unless somebody cancels it.",
    "Whatever the lost keys approved ends. It does not move to the new key: your agents ask you again.",
  ];
  return page(
    "Recover",
    "For when you have lost your keys. Nobody can do it alone, so that nobody else does it in your name.",
    h(
      "ol",
      { class: "steps" },
      steps.map((step) => h("li", {}, step)),
    ),
    h(
      "p",
      { class: "note" },
      "The command, for your administrator: ",
      h("code", {}, "countersign owner recover start NAME --key FILE"),
    ),
    h(
      "section",
      { class: "sign-in-more" },
      h("h2", {}, "A recovery that you did not start"),
      h("p", {}, "Somebody may want to sign in your name. A printed code cancels it."),
      stopCodeForm(api, CANCELS, say),
    ),
    root,
  );
};

/** Pages that need no session, by their place in the address. */
export const OUTSIDE: Readonly<Record<string, Maker>> = {
  "#/stop-code": byCode,
  "#/recover": recovery,
};

/** The server could not be asked what this page is for: said, with a way to try again. */
export function unstarted(error: unknown, again: () => void): HTMLElement {
  return h(
    "main",
    { class: "sign-in", attrs: { id: "content" } },
    h("p", { class: "logo" }, mark("nobody", "mark mark-logo"), "countersign"),
    h("h1", { attrs: { tabindex: -1 } }, "The console cannot start"),
    refusal(error),
    h("p", {}, simpleButton("Try again", "plain", again)),
  );
}
