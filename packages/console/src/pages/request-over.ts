import type { JsonObject, Seconds } from "@countersign/core";
import type { App } from "../app.ts";
import { short } from "../key-sheet.ts";
import type { Opened } from "../opened.ts";
import { list, nameOf, number, optional, text } from "../read.ts";
import { sheet } from "../sheet.ts";
import { signedAside } from "../signed-panel.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import type { MarkState } from "../ui/mark.ts";
import { head, link } from "../ui/parts.ts";
import { sentence } from "../ui/sentence.ts";
import { left, moment } from "../ui/time.ts";

/** What became of a request, in a title and a sentence. */
export interface Outcome {
  readonly title: string;
  readonly below: string;
  readonly state: MarkState;
  /** It was decided, and not on this page: whoever did not do it himself may want to stop. */
  readonly isElsewhere?: boolean;
}

export const BLOCKED: Outcome = {
  title: "Denied and blocked",
  below: "It cannot ask again until you allow it.",
  state: "denied",
};

function again(name: string, { blocked, ...answer }: JsonObject, now: Seconds): string {
  if (blocked === true) return `${name} cannot ask again until you allow it: Agents, Allow again.`;
  const at = optional(answer, "again_at", number);
  return at === undefined || at <= now
    ? `${name} may ask again.`
    : `${name} may ask again in ${left(at - now)}.`;
}

/** What came of a denial, as the server answered it. */
export function denied(view: JsonObject | undefined, answer: JsonObject, now: Seconds): Outcome {
  const name = view === undefined ? "The agent" : nameOf(text(view, "entry"));
  return { title: "Denied", below: again(name, answer, now), state: "denied" };
}

/** The last digits were wrong, too. */
export function mistyped(view: JsonObject, now: Seconds): Outcome {
  const { title, below, state } = denied(view, view, now);
  const next = "Type only what the terminal with the same code shows.";
  return { title, below: `The digits were wrong twice, so you denied it. ${below} ${next}`, state };
}

export const back = (): HTMLElement =>
  h("nav", { attrs: { "aria-label": "Back" } }, link([icon("back"), "Inbox"], "#/inbox", "back"));

export function focusTitle(root: HTMLElement): void {
  root.querySelector("h1")?.focus({ preventScroll: true });
}

/** Who decided, as far as it is known: with which of one's own keys, or not with one of them. */
function decidedWith(view: JsonObject, { session }: Pick<App, "session">): string {
  const jkt = optional(view, "decided_by", text);
  if (jkt === undefined) return "at a terminal of the server, or by its administrator";
  const own = session.keys.find((key) => key.jkt === jkt);
  if (own === undefined && view["parties"] !== undefined) return "by another owner";
  const name = own === undefined || own.name === "" ? short(jkt) : `“${own.name}”`;
  return view["state"] === "approved" ? `with the key ${name}` : `in the session of ${name}`;
}

/** What a request that is not open any more became. */
export function outcomeOf(view: JsonObject, app: Pick<App, "session" | "now">): Outcome {
  const name = nameOf(text(view, "entry"));
  const { state } = view;
  if (state === "approved" || state === "denied") {
    const at = optional(view, "decided_at", number);
    const when = at === undefined ? "" : `${moment(at, app.now())}, `;
    return {
      title:
        state === "approved" ? `${name} was approved elsewhere` : `${name} was denied elsewhere`,
      below: `${sentence(`${when}${decidedWith(view, app)}`)} If that was not you, stop everything and look at your keys.`,
      state: state === "approved" ? "signed" : "denied",
      isElsewhere: true,
    };
  }
  if (state === "superseded")
    return {
      title: `${name} has asked anew`,
      below: "Another request has taken the place of this one: look in the inbox.",
      state: "ended",
    };
  const ended = moment(number(view, "deadline"), app.now()).replace("today ", "");
  return {
    title: `This request ended at ${ended}`,
    below: `You did not sign, so nothing was given. If ${name} still needs a credential, it asks again with a new code.`,
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

export function drawOver(root: HTMLElement, { title, below, state, isElsewhere }: Outcome): void {
  withTabs();
  fill(
    root,
    head(title, below, [back(), mark(state, "mark mark-large")]),
    h(
      "p",
      { class: "over-ways" },
      link("To the inbox", "#/inbox", "button button-plain"),
      isElsewhere === true ? link("Stop…", "#/stop", "button button-stop") : undefined,
      isElsewhere === true ? link("Keys", "#/keys", "button button-plain") : undefined,
    ),
  );
  focusTitle(root);
}

/** Nothing is decided here any more: the tabs come back in the place of the bar. */
function withTabs(): void {
  document.body.classList.remove("without-tabs");
}

/** The same sheet with both lines filled: ours is drawn only after this browser verified the signature. */
export function drawSigned(
  root: HTMLElement,
  opened: Opened,
  own: { readonly jkt: string; readonly name: string; readonly at: number },
  app: App,
): void {
  const { view, body, rendering, askedAt } = opened;
  const name = nameOf(text(view, "entry"));
  const host = nameOf(text(view, "proxy"));
  const drawn = sheet(rendering, body.view.tpl, {
    agent: { who: "The agent signed", jkt: body.agent.jkt, where: `on ${host}`, at: askedAt },
    own: { who: "You signed", jkt: own.jkt, where: own.name, at: own.at },
  });
  const lead = h("span", {}, `${name} gets its credential. Both signatures are there.`);
  withTabs();
  fill(
    root,
    head("Countersigned", lead, [back(), mark("signed", "mark mark-large")]),
    h(
      "div",
      { class: "request-columns" },
      h("div", { class: "request-sheet" }, drawn.element),
      signedAside(app, opened, lead),
    ),
  );
}
