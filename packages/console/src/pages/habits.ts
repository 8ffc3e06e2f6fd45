import { habitWords, readHabits } from "@countersign/core";
import type { App } from "../app.ts";
import { fill, h } from "../ui/dom.ts";
import { panel, refusal } from "../ui/parts.ts";

/** How the owner decides, in words: what stands out first, the figures below. It asks for nothing. */
export function habitsPanel(app: App): { readonly element: HTMLElement; load(): Promise<void> } {
  const body = h("div", { class: "panel-body habits" });
  const element = panel("How you decide", "last 30 days", body);
  const load = async (): Promise<void> => {
    try {
      const { signs, figures } = habitWords(readHabits(await app.api.get("/v1/owner/habits")));
      fill(
        body,
        signs.map((line) => h("p", { class: "strong" }, line)),
        h("p", { class: signs.length === 0 ? "" : "note" }, figures.join(" ")),
      );
    } catch (error) {
      fill(body, refusal(error));
    }
  };
  return { element, load };
}
