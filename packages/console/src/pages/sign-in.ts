import type { Crypto, JsonObject } from "@countersign/core";
import type { Api } from "../api.ts";
import type { Place } from "../app.ts";
import { signIn } from "../passkey.ts";
import { text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { button, refusal } from "../ui/parts.ts";

/**
 * Sign in with a passkey of this console.
 * @param done told the server's answer
 */
export function signInPage(
  at: { readonly c: Crypto; readonly api: Api; readonly place: Place },
  done: (answer: JsonObject) => void,
): HTMLElement {
  const { c, api, place } = at;
  const problem = h("div", {});
  const enter = button([icon("keys"), "Sign in with a passkey"], "primary", () => {
    fill(problem);
    enter.setBusy("Waiting for your passkey…");
    void (async () => {
      const { nonce } = { nonce: text(await api.post("/v1/owner/sign-in/nonce", {}), "nonce") };
      return api.post("/v1/owner/sign-in", await signIn(c, nonce, place.rpId));
    })()
      .then(done)
      .catch((error: unknown) => fill(problem, refusal(error)))
      .finally(() => enter.setBusy());
  });
  return h(
    "main",
    { class: "sign-in", attrs: { id: "content" } },
    h("p", { class: "logo" }, mark("signed", "mark mark-logo"), "countersign"),
    h("h1", { attrs: { tabindex: -1 } }, "Sign in"),
    h(
      "p",
      { class: "lead" },
      `This is where owners of ${place.trustDomain} read what their agents ask for, and sign it. Its address must read `,
      h("span", { class: "mono strong" }, place.rpId),
      ".",
    ),
    enter.element,
    problem,
    h(
      "p",
      { class: "note" },
      "Signing in lets you read, deny and stop. Approving needs your passkey again, each time.",
    ),
  );
}
