import type { JsonObject, Refusal } from "@countersign/core";
import { Problem } from "../api.ts";
import { list, number, object, optional, text } from "../read.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";

/** Who started a run, by the word of the proxy: a label, and no more. */
export const startedWords = (uid: number, host: string): string =>
  `Started under uid ${uid} on ${host} (the proxy's word)`;

/** How a request came about, as far as its owner said beforehand. */
export function announced(view: JsonObject, host: string): Child {
  const uid = optional(object(view["started_by"]), "uid", number);
  const started = uid === undefined ? "" : ` ${startedWords(uid, host)}.`;
  if (view["expected"] === true) return `You announced it. It runs on ${host}.${started}`;
  return [
    h("strong", {}, "You did not start this. "),
    `It runs on ${host}. If you do not know it, deny it; nothing of yours breaks.${started}`,
  ];
}

/** Why the owner is asked: first of all, before any fact. */
export function reasons(view: JsonObject): HTMLElement {
  const items = list(view, "reasons").map((item) => h("li", {}, text(item, "text")));
  return h(
    "section",
    { class: "panel changes" },
    h("header", { class: "panel-head" }, h("h2", {}, "Why you are asked")),
    h("ul", {}, items),
  );
}

/** The text does not fit its digest, its request or a template of ours: nothing of it is shown. */
export const unfit = ({ code }: Refusal): Problem =>
  new Problem(
    0,
    code,
    "What the server sent does not fit together",
    "Do not approve it anywhere. Deny it, and tell your administrator.",
  );
