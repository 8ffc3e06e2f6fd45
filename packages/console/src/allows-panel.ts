import type { ActionClass, CeilingEntry, JsonObject, Seconds } from "@countersign/core";
import { short } from "./key-sheet.ts";
import { STRANGE } from "./known-keys.ts";
import { number, optional, text } from "./read.ts";
import { h, svg } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { link } from "./ui/parts.ts";
import { left, moment, utc } from "./ui/time.ts";

/** A grant, and what this browser found out about it. */
export interface Judged {
  readonly grant: JsonObject;
  /** The text as it was signed, line by line. */
  readonly words: string;
  readonly ceiling: readonly CeilingEntry[];
  /** Whether the owner's signature fits the text. */
  readonly isSigned: boolean;
  /** Thumbprint of the key that signed, as the text says. */
  readonly jkt: string;
  /** It signed in this owner's name, and neither he nor a key of his signed for it. */
  readonly isStrange: boolean;
}

const DAY = 86_400;
const count = (n: number): string => n.toLocaleString("en-US");

/** Why an approval ended before its time, in an owner's words. */
const ENDED: Readonly<Record<string, string>> = {
  "halted: owner": "everything of yours was stopped",
  "halted: entry": "the agent was stopped",
  "halted: agent": "the agent was stopped",
  "halted: grant": "this approval was stopped",
  "halted: proxy": "its host was stopped",
  "halted: domain": "everything was stopped by an administrator",
  "key removed": "the key that signed it was removed",
  "key lost": "the key that signed it was lost",
  "entry removed": "the agent was taken off the list",
  "installation replaced": "the agent was installed anew",
  "proxy enrolled again": "its host was set up anew",
  "proxy forked": "its host was seen twice",
  "join token used twice": "its host may be another one",
  recovered: "the server was brought back from a copy",
};

const endedWhy = (why: string | undefined): string =>
  why?.startsWith("key suspended") === true
    ? "the key that signed it was suspended"
    : (ENDED[why ?? ""] ?? "not known why");

export const isOver = (grant: JsonObject, now: Seconds): boolean =>
  grant["ended_at"] !== undefined || now >= number(grant, "exp");

/** A bar that always also says its number. */
function meter(used: number, of: number): SVGElement {
  const width = `${Math.min(100, of === 0 ? 0 : (100 * used) / of).toFixed(1)}%`;
  return svg(
    "svg",
    { class: "meter", width: "100%", height: 6, "aria-hidden": "true", focusable: "false" },
    svg("rect", { class: "meter-all", width: "100%", height: 6, rx: 3 }),
    svg("rect", { class: "meter-used", width, height: 6, rx: 3 }),
  );
}

function limit(name: string, used: number, of: number, words: string, rest: string): HTMLElement {
  return h(
    "tr",
    {},
    h("th", { attrs: { scope: "row" } }, name),
    h("td", { class: "limit-bar" }, meter(used, of)),
    h("td", {}, words),
    h("td", { class: "limit-left" }, rest),
  );
}

function time(grant: JsonObject, now: Seconds): HTMLElement {
  const [from, until] = [number(grant, "nbf"), number(grant, "exp")];
  const used = Math.min(Math.max(0, now - from), until - from);
  const length = until - from;
  const words =
    length >= 2 * DAY
      ? `${Math.floor(used / DAY)} of ${Math.round(length / DAY)} days`
      : `${left(used)} of ${left(length)}`;
  return limit("Time", used, length, words, `${left(until - now)} left`);
}

/** Whether what an action does can be undone; with a triangle where it cannot, or where nobody knows. */
const CLASSES: {
  readonly [C in ActionClass | "unknown"]: readonly [isMarked: boolean, words: string];
} = {
  read_only: [false, "Only reads."],
  reversible_write: [false, "Can be undone."],
  irreversible_action: [true, "Cannot be undone."],
  external_commitment: [true, "Binds you to others."],
  privileged_administration: [true, "Changes who may do what."],
  unknown: [true, "Not known whether it can be undone."],
};

function action(entry: CeilingEntry): HTMLElement {
  const [isMarked, words] = CLASSES[entry.class ?? "unknown"];
  const counted =
    entry.max_calls === undefined
      ? "No count."
      : `At most ${count(entry.max_calls)}. The service counts them, not we.`;
  const lines = (all: readonly string[], none: string): Child =>
    (all.length === 0 ? [none] : all).map((one) => h("p", { class: "mono" }, one));
  const marked: Child = isMarked
    ? h("p", { class: "limit-marked" }, icon("warning"), words)
    : undefined;
  return h(
    "tr",
    {},
    h("th", { attrs: { scope: "row" } }, lines(entry.actions, "any action")),
    h(
      "td",
      { attrs: { colspan: 3 } },
      marked,
      h("p", {}, isMarked ? counted : `${words} ${counted}`),
      h("p", { class: "note" }, "At ", lines(entry.locations, "any place")),
    ),
  );
}

const noCeiling = (): HTMLElement =>
  h(
    "tr",
    {},
    h("th", { attrs: { scope: "row" } }, "What it may do"),
    h(
      "td",
      { attrs: { colspan: 3 } },
      h("p", { class: "limit-marked" }, icon("warning"), "No limit in this text."),
      h("p", {}, "Each service decides what it may do there."),
    ),
  );

function signature({ isSigned, isStrange, jkt }: Judged): HTMLElement {
  if (isStrange)
    return h(
      "p",
      { class: "limit-marked" },
      icon("warning"),
      h(
        "span",
        {},
        `Signed with ${STRANGE}: `,
        h("span", { class: "mono" }, short(jkt)),
        ". If it was not you: stop everything, then remove the key under ",
        link("Keys", "#/keys", "text-link"),
        ", and tell your administrator.",
      ),
    );
  return isSigned
    ? h(
        "p",
        { class: "log-good" },
        icon("check"),
        "The owner's signature fits this text, checked in this browser",
      )
    : h("p", { class: "note" }, "The signature was not checked in this browser.");
}

const signedText = ({ words }: Judged): HTMLElement =>
  h(
    "details",
    {},
    h("summary", {}, "Read the text you signed"),
    h(
      "div",
      { class: "full-text" },
      words.split("\n").map((line) => h("span", { class: "full-line" }, `${line}\n`)),
    ),
  );

/** What an approval still allows: used and left, and what nobody here counts. @param live how many credentials live */
export function allowsPanel(judged: Judged, live: number, now: Seconds): HTMLElement {
  const { grant, ceiling } = judged;
  const [issued, most] = [number(grant, "issued"), number(grant, "max_issue")];
  const atOnce = number(grant, "max_live");
  return h(
    "section",
    { class: "panel allows" },
    h(
      "header",
      { class: "panel-head" },
      h("h2", {}, `What ${judged.isStrange ? "this" : "your"} approval still allows`),
      h(
        "p",
        { class: "note" },
        "Digest ",
        h("span", { class: "mono" }, text(grant, "cs").slice(8, 16)),
      ),
    ),
    h(
      "div",
      { class: "limits", attrs: { tabindex: 0, role: "region", "aria-label": "Limits" } },
      h(
        "table",
        {},
        h(
          "tbody",
          {},
          time(grant, now),
          limit(
            "Credentials",
            issued,
            most,
            `${count(issued)} of ${count(most)}`,
            `${count(Math.max(0, most - issued))} left`,
          ),
          limit("At the same time", live, atOnce, `${live} of ${atOnce}`, ""),
          ceiling.length === 0 ? noCeiling() : ceiling.map(action),
        ),
      ),
    ),
    h("div", { class: "panel-body" }, signature(judged)),
    signedText(judged),
  );
}

/** An approval that is over: until when, why, and what was signed. */
export function pastApproval(judged: Judged, now: Seconds): HTMLElement {
  const { grant } = judged;
  const ended = optional(grant, "ended_at", number);
  const how =
    ended === undefined
      ? `It ran out ${moment(number(grant, "exp"), now)}.`
      : `It ended ${moment(ended, now)}: ${endedWhy(optional(grant, "ended_why", text))}.`;
  const given = `${count(number(grant, "issued"))} of ${count(number(grant, "max_issue"))} credentials given.`;
  return h(
    "section",
    { class: "panel" },
    h(
      "header",
      { class: "panel-head" },
      h("h2", {}, "An approval that is over"),
      h("p", { class: "note" }, `from ${utc(number(grant, "nbf"))}`),
    ),
    h("div", { class: "panel-body" }, h("p", {}, `${how} ${given}`), signature(judged)),
    signedText(judged),
  );
}
