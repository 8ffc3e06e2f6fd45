import type { JsonObject, Seconds } from "@countersign/core";
import { list, number } from "./read.ts";
import { processOf, warningsOf } from "./observed.ts";
import { h } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { panel } from "./ui/parts.ts";
import { moment } from "./ui/time.ts";
import { WARNINGS } from "./warnings.ts";

type Check = readonly [words: string, isGood: boolean | undefined];

/** What else is known to be so, and what is not known: a dash, never a tick. */
export function checksOf(view: JsonObject): readonly Check[] {
  const proc = processOf(view);
  const warnings = new Set(warningsOf(view));
  const uidIsKnown = !warnings.has("the uid of the proxy is not known");
  const isShared =
    warnings.has("it runs as root") || warnings.has("it shares the uid of the proxy");
  const args = list(proc, "args");
  const isStated = warnings.has("a script or manifest is the one that the program states");
  const all: readonly (readonly [boolean | undefined, string, string])[] = [
    [uidIsKnown ? !isShared : undefined, "Own user, not the proxy's", "Own user"],
    [proc["container"] === undefined ? undefined : true, "Own container", "Own container"],
    [
      typeof proc["ptraced"] === "boolean" ? !proc["ptraced"] : undefined,
      "Not being debugged",
      "Being debugged",
    ],
    [args.length === 0 || isStated ? undefined : true, "Main script measured", "Main script"],
    [undefined, "", "Start-up of the machine: no TPM"],
  ];
  return all.flatMap(([isSo, so, otherwise]): readonly Check[] => {
    if (isSo === true) return [[so, true]];
    return isSo === undefined ? [[`${otherwise}: not known`, undefined]] : [];
  });
}

/** Warnings first, each with its remedy; then what is so; then what is not known. */
export function hostPanel(view: JsonObject, now: Seconds): HTMLElement {
  const warnings = warningsOf(view).map((reason) => {
    const [what, remedy] = WARNINGS[reason] ?? [`${reason}.`, ""];
    return h(
      "li",
      { class: "with-icon host-warning" },
      icon("warning"),
      h("p", {}, h("strong", {}, what), ` ${remedy}`),
    );
  });
  const checks = checksOf(view).map(([words, isGood]) =>
    h(
      "li",
      { class: `with-icon ${isGood === true ? "host-good" : "host-unknown"}` },
      icon(isGood === true ? "check" : "dash"),
      h("p", {}, words),
    ),
  );
  return panel(
    "State of the host",
    `when it last asked, ${moment(number(view, "observed_at"), now)}`,
    h("ul", { class: "panel-body plain-list" }, warnings, checks),
  );
}
