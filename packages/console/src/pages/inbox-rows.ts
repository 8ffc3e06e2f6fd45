import { requestCodeOf } from "@countersign/core";
import type { Digest, JsonObject } from "@countersign/core";
import { list, nameOf, number, object, optional, text } from "../read.ts";
import { startedWords } from "../started.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { mark } from "../ui/mark.ts";
import type { MarkState } from "../ui/mark.ts";
import { link } from "../ui/parts.ts";
import { sentence } from "../ui/sentence.ts";
import { left, moment } from "../ui/time.ts";
import { outlineOf, pills } from "./inbox-pills.ts";
import type { Outline } from "./inbox-pills.ts";

const MARKS: Readonly<Record<string, MarkState>> = {
  asked: "agent",
  approved: "signed",
  denied: "denied",
  expired: "ended",
  superseded: "ended",
};
const DECIDED: Readonly<Record<string, string>> = {
  approved: "You approved.",
  denied: "You denied.",
  expired: "Ended without an answer.",
  superseded: "Asked anew since.",
};

/** A request as it stands in the inbox. */
export interface Row {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly code: string;
  readonly reasons: readonly string[];
  readonly isExpected: boolean;
  /** User who started it, by the proxy's word. */
  readonly startedBy: number | undefined;
  readonly state: string;
  /** Of several owners: how many have signed, of how many that must. */
  readonly signed?: string;
  /** Somebody sits at the terminal that asks. */
  readonly isAtTerminal: boolean;
  /** What the server says of the text, for what was announced; the sheet alone says what is signed. */
  readonly outline: Outline | undefined;
  readonly createdAt: number;
  readonly deadline: number;
  /** When it was decided or ended, where it has. */
  readonly endedAt: number;
  readonly isDecidedByKey: boolean;
}

function signedOf(item: JsonObject): string | undefined {
  const parties = optional(item, "parties", (from, name) => object(from[name]));
  if (parties === undefined) return undefined;
  const signed = list(parties, "owners").filter((owner) => owner["signed"] === true);
  return `${signed.length} of ${number(parties, "m")} signed`;
}

export function rowOf(item: JsonObject): Row {
  const signed = signedOf(item);
  return {
    id: text(item, "id"),
    name: nameOf(text(item, "entry")),
    host: nameOf(text(item, "proxy")),
    code: requestCodeOf(text(item, "req") as Digest), // a text that is no digest gives no code
    reasons: list(item, "reasons").map((reason) => text(reason, "text")),
    isExpected: item["expected"] === true,
    startedBy: optional(object(item["started_by"]), "uid", number),
    state: text(item, "state"),
    ...(signed === undefined ? {} : { signed }),
    isAtTerminal: item["digits"] !== undefined,
    outline: optional(item, "outline", (from, name) => outlineOf(object(from[name]))),
    createdAt: number(item, "created_at"),
    deadline: number(item, "deadline"),
    endedAt: optional(item, "decided_at", number) ?? number(item, "deadline"),
    isDecidedByKey: item["decided_by"] !== undefined,
  };
}

const title = ({ name, host }: Row): Child => [
  h("strong", {}, name),
  h("span", { class: "on-host" }, ` on ${host}`),
];

function details(row: Row, now: number): HTMLElement {
  return h(
    "p",
    { class: "row-details" },
    row.outline === undefined ? undefined : pills(row.outline),
    h("span", {}, "Code ", h("span", { class: "mono" }, row.code)),
    h("span", {}, `Asked ${moment(row.createdAt, now)}`),
    row.signed === undefined ? "" : h("span", {}, row.signed),
    row.isAtTerminal ? h("span", {}, "Someone waits at its terminal") : undefined,
    row.startedBy === undefined ? undefined : h("span", {}, startedWords(row.startedBy, row.host)),
  );
}

/** A row of an open request, which stays where it is whatever becomes of it. */
export class OpenRow {
  readonly row: Row;
  readonly element: HTMLElement;
  readonly #side: HTMLElement;
  readonly #left: HTMLElement = h("p", { class: "note" });
  #isOver = false;

  constructor(row: Row, now: number, before: Child) {
    this.row = row;
    const label = row.isExpected ? "Read and decide" : "Read";
    this.#side = h(
      "div",
      { class: "row-side" },
      link(
        [label, h("span", { class: "hidden" }, ` ${row.name} on ${row.host}`)],
        `#/requests/${row.id}`,
        "button button-plain",
      ),
      this.#left,
    );
    const words = h(
      "div",
      { class: "row-text" },
      h("h3", {}, title(row)),
      h("p", {}, row.reasons.slice(0, 1).map(sentence)),
      details(row, now),
    );
    this.element = h("li", { class: "row" }, before, words, this.#side);
    this.tell(now, "asked");
  }

  /** Says what is left, or in its own place that it is over. */
  tell(now: number, state: string): void {
    if (this.#isOver) return;
    const isOver = state !== "asked" || this.row.deadline <= now;
    if (!isOver) {
      this.#left.textContent = `${left(this.row.deadline - now)} left`;
      return;
    }
    this.#isOver = true;
    this.element.classList.add("row-over");
    const words = DECIDED[state === "asked" ? "expired" : state] ?? state;
    const hadFocus = this.#side.contains(document.activeElement);
    const said = h("p", { class: "strong", attrs: { tabindex: -1 } }, words);
    fill(this.#side, said);
    this.element.querySelector("input")?.remove();
    if (hadFocus) said.focus();
  }
}

/** What became of it; a denial that nobody's key stands for may be the administrator's. */
function outcomeWords({ state, signed, isDecidedByKey }: Row): string {
  if (state === "approved" && signed !== undefined) return "Approved.";
  if (state === "denied" && !isDecidedByKey) return "Denied.";
  return DECIDED[state] ?? state;
}

export function decidedRow(row: Row, now: number): HTMLElement {
  return h(
    "li",
    { class: "row row-decided" },
    mark(MARKS[row.state] ?? "nobody"),
    h("p", {}, link(title(row), `#/agents/${row.name}`)),
    h("p", { class: "row-outcome" }, outcomeWords(row)),
    h("p", { class: "note" }, moment(Math.min(row.endedAt, now), now)),
  );
}
