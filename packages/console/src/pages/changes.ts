import type { JsonObject } from "@countersign/core";
import { list, number, object, optional, text } from "../read.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { moment } from "../ui/time.ts";

function change(row: JsonObject): HTMLElement {
  const was = optional(row, "before", text) ?? "none";
  const is = optional(row, "now", text) ?? "none";
  return h(
    "tr",
    {},
    h("th", { attrs: { scope: "row" } }, text(row, "name")),
    h("td", {}, h("span", { class: "hidden" }, "was "), h("del", { class: "mono" }, was)),
    h("td", {}, h("span", { class: "hidden" }, "now "), h("strong", { class: "mono" }, is)),
  );
}

function counted(n: number): string {
  if (n === 0) return "Nothing changed";
  return n === 1 ? "1 thing changed" : `${n} things changed`;
}

/** What differs from what the owner approved last: before anything else. Nothing where he never approved it. */
export function changesPanel(view: JsonObject, now: number): Child {
  if (view["diff"] === undefined) return undefined;
  const diff = object(view["diff"]);
  const changes = list(diff, "changes");
  const { same } = diff;
  const alike = Array.isArray(same) ? same.filter((name) => typeof name === "string") : [];
  const title = `${counted(changes.length)} since you approved it, ${moment(number(diff, "approved_at"), now)}`;
  const columns = ["What", "Before", "Now"].map((name) =>
    h("th", { attrs: { scope: "col" } }, name),
  );
  return h(
    "section",
    { class: "panel changes" },
    h("header", { class: "panel-head" }, h("h2", {}, title)),
    changes.length === 0
      ? undefined
      : h(
          "table",
          { class: "changes-table" },
          h("thead", { class: "hidden" }, h("tr", {}, columns)),
          h("tbody", {}, changes.map(change)),
        ),
    alike.length === 0
      ? undefined
      : h("p", { class: "note" }, `Same as before: ${alike.join(", ")}.`),
  );
}
