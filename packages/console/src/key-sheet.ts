import type { KeyText } from "./registration.ts";
import { h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";

export const short = (jkt: string): string => `${jkt.slice(0, 4)} ${jkt.slice(4, 8)}`;

/** The text that a new key signs, from its rendering by `core`: a title, then every member on a line. */
export function keySheet(
  { title, lines, statement }: KeyText,
  ...below: readonly Child[]
): HTMLElement {
  const digest = statement.cs.slice("sha-256:".length, "sha-256:".length + 8);
  return h(
    "article",
    { class: "sheet", attrs: { "aria-label": "What you sign" } },
    h("h2", { class: "sheet-title" }, title),
    h(
      "section",
      { class: "full", attrs: { "aria-label": "The signed text in full" } },
      h(
        "div",
        {
          class: "full-text",
          attrs: { tabindex: 0, role: "region", "aria-label": "Lines of the signed text" },
        },
        lines.map((line) => h("span", { class: "full-line" }, `${line}\n`)),
      ),
    ),
    below,
    h(
      "footer",
      { class: "sheet-foot" },
      h(
        "p",
        {},
        "Digest of the signed text ",
        h("span", { class: "mono strong" }, digest),
        ", computed in this browser",
      ),
    ),
  );
}
