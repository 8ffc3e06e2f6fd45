import type { Crypto, JsonObject } from "@countersign/core";
import type { Api } from "../api.ts";
import type { Place } from "../app.ts";
import { signIn } from "../passkey.ts";
import { text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { button, link, refusal } from "../ui/parts.ts";

const other = (question: string, words: string, hash: string): HTMLElement =>
  h("p", { class: "sign-in-other" }, h("span", {}, question), link(words, hash, "text-link"));

/**
 * Sign in with a passkey of this console.
 * @param done told the server's answer
 * @param note what ended before, if something did
 */
export function signInPage(
  at: { readonly c: Crypto; readonly api: Api; readonly place: Place },
  done: (answer: JsonObject) => void,
  note?: string,
): HTMLElement {
  const { c, api, place } = at;
  const problem = h("div", {});
  const enter = button([icon("keys"), "Sign in with a passkey"], "primary", () => {
    fill(problem);
    enter.setBusy("Waiting for your passkey…");
    void (async () => {
      const nonce = text(await api.post("/v1/owner/sign-in/nonce", {}), "nonce");
      return api.post("/v1/owner/sign-in", await signIn(c, nonce, place.rpId));
    })()
      .then(done)
      .catch((error: unknown) => fill(problem, refusal(error)))
      .finally(() => enter.setBusy());
  });
  return h(
    "main",
    { class: "sign-in", attrs: { id: "content" } },
    h("p", { class: "logo" }, mark("agent", "mark mark-large"), "countersign"),
    h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "card-body" },
        note === undefined
          ? undefined
          : h("p", { class: "notice", attrs: { role: "status" } }, icon("clock"), note),
        h("h1", { attrs: { tabindex: -1 } }, "Sign in"),
        h(
          "p",
          { class: "lead" },
          "This is the console of the trust domain ",
          h("span", { class: "mono strong" }, place.trustDomain),
          ". Its address must read ",
          h("span", { class: "mono strong" }, place.rpId),
          ".",
        ),
        enter.element,
        problem,
        h(
          "p",
          { class: "lead" },
          "Signing in lets you read, deny and stop. It never approves anything: each approval asks for your passkey again.",
        ),
      ),
      h(
        "div",
        { class: "card-foot" },
        other("Key not at hand?", "Stop agents with a printed code", "#/stop-code"),
        other("Lost all your keys?", "Recover", "#/recover"),
      ),
    ),
  );
}
