import type { Opened } from "../opened.ts";
import { text } from "../read.ts";
import { sheet } from "../sheet.ts";
import type { Sheet } from "../sheet.ts";
import { h } from "../ui/dom.ts";

/** The sheet, and above it what a text made anew says otherwise: one more line that must be seen. */
export interface RequestSheet extends Sheet {
  readonly renewed: HTMLElement | undefined;
}

export function requestSheet(
  { view, body, rendering, askedAt }: Opened,
  of: {
    readonly host: string;
    readonly keyName: string;
    readonly renewed: HTMLElement | undefined;
  },
): RequestSheet {
  const { jkt } = body.agent;
  const agent = { who: "The agent signed", jkt, where: `on ${of.host}`, at: askedAt };
  const own = { who: "You", jkt: body.owner.jkt, where: of.keyName };
  const { element, marked } = sheet(
    rendering,
    body.view.tpl,
    { agent, own },
    compare(text(view, "id")),
  );
  const { renewed } = of;
  return { element, renewed, marked: renewed === undefined ? marked : [...marked, renewed] };
}

/** Where reading goes on: the first marked line that has not been seen. */
export function toFirstUnseen(marked: readonly HTMLElement[], seen: ReadonlySet<number>): void {
  const line = marked.find((_, index) => !seen.has(index));
  line?.scrollIntoView({ block: "center" });
  line?.focus();
}

/** Another program renders the same request, and was not sent by whoever sent this page (owner.md 1.3). */
function compare(id: string): HTMLElement {
  return h(
    "details",
    { class: "compare" },
    h("summary", {}, "Compare in a terminal"),
    h(
      "p",
      {},
      "Where you have a shell on the server, the command line renders this request with words of its own: ",
      h("code", {}, `countersign owner approve ${id} --key FILE`),
    ),
    h(
      "p",
      {},
      "Code and sentences must be those above. Its key, times and digest are others, since it makes a text for its own key. Leave it with quit: that decides nothing.",
    ),
  );
}

/** The paper before there is anything on it. */
export const blankSheet = (): HTMLElement =>
  h(
    "article",
    { class: "sheet sheet-blank", attrs: { "aria-label": "What you sign" } },
    h("p", { class: "sheet-opening" }, "There is nothing to sign yet."),
    h("p", {}, "The text is made when the two digits are right."),
  );
