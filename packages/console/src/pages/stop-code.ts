import { readStopCode } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { Problem } from "../api.ts";
import type { Api } from "../api.ts";
import { number } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { button, refusal } from "../ui/parts.ts";
import { clockTime } from "../ui/time.ts";

let fields = 0;

/** What a printed code is used for, and what is said once that was done. */
interface Use {
  readonly what: JsonObject;
  readonly label: string;
  readonly busy: string;
  readonly done: (at: string) => string;
}

export const STOPS: Use = {
  what: { do: "stop" },
  label: "Stop everything",
  busy: "Stopping…",
  done: (at) => `Stopped at ${at}. Your signature is needed before anything goes on.`,
};
export const CANCELS: Use = {
  what: { do: "cancel_recovery" },
  label: "Cancel the recovery",
  busy: "Cancelling…",
  done: (at) => `Cancelled at ${at}. The new key signs nothing. Tell your administrator.`,
};

function left(codes: number): string {
  if (codes === 0) return "That was your last code. Make new ones under Keys.";
  return codes === 1 ? "1 code is left." : `${codes} codes are left.`;
}

/**
 * Uses a printed code: no sign-in, and no second press (console.md 5). What cannot be a code is not sent.
 * @param say tells screen readers
 */
export function stopCodeForm(api: Api, use: Use, say: (text: string) => void): HTMLElement {
  const place = h("div", { class: "code-form" });
  const problem = h("div", {});
  const id = `stop-code-${(fields += 1)}`;
  const field = h("input", {
    class: "text-field mono",
    attrs: {
      id,
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      maxlength: 64,
      placeholder: "XXXX-XXXX-XXXX-XXXX",
    },
  });
  const send = async (): Promise<void> => {
    const code = readStopCode(field.value);
    if (code === undefined)
      throw new Problem(
        0,
        "stop_code_invalid",
        "This is not a printed code",
        "It has four groups of four characters. Nothing was sent.",
      );
    const used = await api.post("/v1/stop-codes/use", { code, ...use.what });
    const words = use.done(clockTime(number(used, "at")));
    const done: Child = [
      h("p", { class: "strong", attrs: { tabindex: -1 } }, words),
      h("p", { class: "note" }, left(number(used, "codes_left"))),
    ];
    fill(place, done);
    place.querySelector("p")?.focus();
    say(words);
  };
  const press = button(use.label, "stop", () => {
    fill(problem);
    press.setBusy(use.busy);
    void send()
      .catch((error: unknown) => {
        fill(problem, refusal(error));
        field.focus();
      })
      .finally(() => press.setBusy());
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") press.element.click();
  });
  fill(
    place,
    h("label", { class: "strong", attrs: { for: id } }, "Printed code"),
    h("div", { class: "code-line" }, field, press.element),
    problem,
  );
  return place;
}
