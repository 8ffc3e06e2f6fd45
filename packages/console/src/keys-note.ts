import type { JsonObject } from "@countersign/core";
import type { App } from "./app.ts";
import { short } from "./key-sheet.ts";
import { standing } from "./key-standing.ts";
import { list, number, optional, text } from "./read.ts";
import { fill, h } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { link, refusal, simpleButton } from "./ui/parts.ts";
import { moment } from "./ui/time.ts";

/** Where the log says that the key was added. */
function entryWords(key: JsonObject): string {
  const entry = optional(key, "entry", number);
  return entry === undefined ? "" : ` The log has the entry ${entry.toLocaleString("en-US")}.`;
}

/** What a key that somebody else added was used for. */
function usedWords(key: JsonObject, now: number): string {
  const at = optional(key, "last_signed_at", number);
  return at === undefined
    ? "It has signed no approval."
    : `It has signed an approval in your name, last ${moment(at, now)}.`;
}

/** The keys that somebody else added: said on every page until the owner has answered. */
export function keysNote(app: App): { readonly root: HTMLElement; close(): void } {
  const root = h("div", { class: "strange-keys" });
  const ask = (key: JsonObject): HTMLElement => {
    const jkt = text(key, "jkt");
    const problem = h("div", {});
    const answer = (act: Promise<JsonObject>): void =>
      void act.then(look).catch((error: unknown) => fill(problem, refusal(error)));
    return h(
      "section",
      { class: "strange", attrs: { "aria-label": "A key that you did not add" } },
      h(
        "p",
        {},
        icon("warning"),
        h("strong", {}, "A key that none of yours signed for can sign in your name: "),
        `${text(key, "comment")} `,
        h("span", { class: "mono" }, short(jkt)),
        `, added ${moment(number(key, "added_at"), app.now())}. ${usedWords(key, app.now())} If it was not you: stop everything first, then remove the key, and tell your administrator.${entryWords(key)}`,
      ),
      h(
        "div",
        { class: "pair" },
        link([icon("stop"), "Stop…"], "#/stop", "button button-stop"),
        simpleButton("It is mine", "plain", () =>
          answer(app.api.post(`/v1/owner/keys/${jkt}/known`, {})),
        ),
        simpleButton("Remove it", "stop", () => answer(app.api.remove(`/v1/owner/keys/${jkt}`))),
      ),
      problem,
    );
  };
  const look = async (): Promise<void> => {
    const answer = await app.api.get("/v1/owner/keys").catch(() => undefined);
    if (answer === undefined) return;
    fill(
      root,
      list(answer, "keys")
        .filter((key) => key["known"] !== true && standing(key, app.now()) === undefined)
        .map(ask),
    );
  };
  void look();
  return { root, close: app.onChange(() => void look()) };
}
