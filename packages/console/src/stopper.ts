import type { JsonObject } from "@countersign/core";
import type { App } from "./app.ts";
import { list, nameOf, number, optional, text } from "./read.ts";
import { fill, h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { refusal, simpleButton } from "./ui/parts.ts";
import { clockTime, moment } from "./ui/time.ts";

/** A question that nobody answers goes away by itself: in favour of nothing done. */
const ASK_MS = 10_000;
/** Hosts answer within a second as a rule; who does not is asked for more and more rarely. */
const FIRST_LOOK_MS = 300;
const LONGEST_LOOK_MS = 10_000;

/** What a button stops, in words and for the server. */
export interface Target {
  readonly label: string;
  /** What a screen reader hears in place of the label, where it does not stand alone. */
  readonly name?: string;
  readonly question: string;
  /** `it` or `them`. */
  readonly whom: "it" | "them";
  /** What is done to it, on the button that does it. Default `Stop`. */
  readonly verb?: "Stop" | "End";
  readonly orders: readonly JsonObject[];
  /** For what stops everything: the one button of its page that is filled. */
  readonly isGreat?: boolean;
}

/** What one host did with one or several stops. */
interface HostState {
  readonly proxy: string;
  readonly isConfirmed: boolean;
  readonly until: number | undefined;
}

function hostsOf(stops: readonly JsonObject[]): readonly HostState[] {
  const hosts = new Map<string, HostState>();
  for (const host of stops.flatMap((stop) => list(stop, "hosts"))) {
    const proxy = text(host, "proxy");
    const before = hosts.get(proxy);
    const until = optional(host, "credentials_until", number);
    hosts.set(proxy, {
      proxy,
      isConfirmed: host["confirmed_at"] !== undefined && before?.isConfirmed !== false,
      until: Math.max(until ?? 0, before?.until ?? 0) || undefined,
    });
  }
  return [...hosts.values()];
}

function unconfirmed({ proxy, until }: HostState, now: number): string {
  const name = nameOf(proxy);
  return until === undefined
    ? `${name} has not answered; it holds no credential that is alive.`
    : `${name} has not answered; its credentials end by ${moment(until, now).replace("today ", "")}.`;
}

/** What came of a stop so far: who confirmed, who has not answered and until when his credentials last. */
export function outcomeOfStop(stops: readonly JsonObject[]): {
  readonly lines: readonly string[];
  readonly isDone: boolean;
} {
  const hosts = hostsOf(stops);
  const confirmed = hosts.filter(({ isConfirmed }) => isConfirmed);
  const now = Math.max(...stops.map((stop) => number(stop, "now")));
  const counted =
    hosts.length === 0
      ? "No host serves it."
      : `${confirmed.length} of ${hosts.length} ${hosts.length === 1 ? "host" : "hosts"} confirmed.`;
  const late = hosts.filter(({ isConfirmed }) => !isConfirmed);
  return {
    lines: [counted, ...late.map((host) => unconfirmed(host, now))],
    isDone: late.length === 0,
  };
}

/** Stops ask once more, in the place of their button (console.md 5). */
class Stopper {
  readonly root: HTMLElement = h("div", { class: "stopper" });
  readonly #app: App;
  readonly #target: Target;
  readonly #stopped: () => void;
  #timer = 0;

  constructor(app: App, target: Target, stopped: () => void) {
    this.#app = app;
    this.#target = target;
    this.#stopped = stopped;
    this.#offer();
  }

  #offer(): HTMLElement {
    const { label, name, isGreat = false } = this.#target;
    const button = simpleButton([icon("stop"), label], "stop", () => this.#ask());
    if (name !== undefined) button.setAttribute("aria-label", name);
    if (isGreat) button.classList.add("button-great");
    fill(this.root, button);
    return button;
  }

  #ask(): void {
    const { question, whom, verb = "Stop" } = this.#target;
    const back = (): void => {
      window.clearTimeout(this.#timer);
      const hadFocus = this.root.contains(document.activeElement);
      const button = this.#offer();
      if (hadFocus) button.focus();
    };
    this.#timer = window.setTimeout(() => {
      back();
      this.#app.say("Nothing was stopped: the question is gone.");
    }, ASK_MS);
    const keep = simpleButton(`Keep ${whom}`, "plain", back);
    const now = simpleButton(`${verb} ${whom} now`, "stop", () => {
      window.clearTimeout(this.#timer);
      void this.#stop();
    });
    const id = `stop-question-${(questions += 1)}`;
    const asked = h(
      "div",
      { class: "stop-question", attrs: { role: "group", "aria-labelledby": id } },
      h("p", { class: "strong", attrs: { id } }, question),
      h("div", { class: "pair" }, keep, now),
    );
    fill(this.root, asked);
    keep.focus();
  }

  async #stop(): Promise<void> {
    const ids: string[] = [];
    fill(this.root, h("p", { class: "strong", attrs: { tabindex: -1 } }, "Stopping…"));
    this.root.querySelector("p")?.focus();
    try {
      for (const order of this.#target.orders)
        ids.push(text(await this.#app.api.post("/v1/owner/halt", order), "id"));
    } catch (error) {
      const again = this.#offer();
      this.root.prepend(refusal(error));
      again.focus();
      return;
    }
    const at = clockTime(this.#app.now());
    this.#app.say(`Stopped at ${at}.`, "assertive");
    this.#stopped();
    const result = h("div", {});
    fill(
      this.root,
      h("p", { class: "strong", attrs: { tabindex: -1 } }, `Stopped at ${at}.`),
      result,
    );
    this.root.querySelector("p")?.focus();
    await this.#follow(ids, result, FIRST_LOOK_MS);
  }

  /** Says what each host answered, for as long as the page is there and somebody is missing. */
  async #follow(ids: readonly string[], result: HTMLElement, waitMs: number): Promise<void> {
    const stops = await Promise.all(
      ids.map((id) => this.#app.api.get(`/v1/owner/stops/${encodeURIComponent(id)}`)),
    ).catch(() => undefined);
    const told = stops === undefined ? undefined : outcomeOfStop(stops);
    if (told !== undefined) fill(result, told.lines.map(line), signAnew());
    if (told?.isDone === true) {
      this.#app.say(told.lines.join(" "));
      return;
    }
    window.setTimeout(() => {
      if (this.root.isConnected)
        void this.#follow(ids, result, Math.min(waitMs * 2, LONGEST_LOOK_MS));
    }, waitMs);
  }
}

let questions = 0;
const line = (words: string): Child => h("p", {}, words);
const signAnew = (): Child =>
  h(
    "p",
    { class: "note" },
    "An administrator lifts the stop; then your signature is needed again.",
  );

/**
 * A button that stops, asks once more, and says what came of it.
 * @param stopped told once the server has stopped it
 */
export function stopper(
  app: App,
  target: Target,
  stopped: () => void = () => undefined,
): HTMLElement {
  return new Stopper(app, target, stopped).root;
}
