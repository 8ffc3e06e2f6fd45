import { MAX_WRONG_DIGITS } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { number, object, optional } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import { digitsInput } from "../ui/digits.ts";
import type { DigitsInput } from "../ui/digits.ts";
import { icon } from "../ui/icons.ts";
import { button } from "../ui/parts.ts";
import type { Button } from "../ui/parts.ts";

const tries = (left: number): string =>
  left === 1 ? "After 1 more wrong try" : `After ${left} more wrong tries`;

/** Narrower than this there is no column beside the sheet, and the digits stand before it. */
const NARROW = "(max-width: 1039px)";

/**
 * The two digits that the agent's terminal shows, and nothing else does: what was typed goes to the server, which makes
 * no text to sign before it is right. This page is never told them.
 */
export class DigitsStep {
  /** Where they stand on a wide page, and on a narrow one. */
  readonly inside: HTMLElement = h("div", {});
  readonly above: HTMLElement = h("div", { class: "digits-above" });
  readonly #element: HTMLElement;
  readonly #input: DigitsInput;
  readonly #check: Button;
  readonly #said: HTMLElement = h("div", { class: "digits-said", attrs: { role: "status" } });
  readonly #code: string;
  readonly #narrow = window.matchMedia(NARROW);
  readonly #placed = (): void => this.#place();
  #isBusy = false;
  /** Tries that are left, as far as it was said here. */
  #left = MAX_WRONG_DIGITS;

  /**
   * @param view the question as it was opened
   * @param submit takes two digits, once at a time
   */
  constructor(code: string, view: JsonObject, submit: (digits: string) => Promise<void>) {
    this.#code = code;
    const send = (): void => {
      if (this.#isBusy || this.#input.value().length < 2) return;
      this.#setBusy(true);
      void submit(this.#input.value()).finally(() => this.#setBusy(false));
    };
    this.#check = button("Check", "plain", send, () => this.focus());
    this.#input = digitsInput({
      label: "Two digits of the agent's terminal",
      describedBy: "digits-which digits-said",
      changed: () => {
        this.#input.setWrong(false);
        this.#turn();
      },
      entered: send,
    });
    this.#said.id = "digits-said";
    this.#element = h(
      "section",
      { class: "digits-step", attrs: { "aria-labelledby": "digits-title" } },
      h("h2", { attrs: { id: "digits-title" } }, "Two digits"),
      h(
        "p",
        { class: "note", attrs: { id: "digits-which" } },
        "Type the ones that the terminal with the code ",
        h("span", { class: "mono" }, code),
        " shows.",
      ),
      h("div", { class: "digits-row" }, this.#input.element, this.#check.element),
      this.#said,
    );
    this.#narrow.addEventListener("change", this.#placed);
    this.#turn();
    this.#place();
    this.told(view);
  }

  focus(): void {
    this.#input.input.focus();
  }

  /** They were wrong: how often they may still be, with the focus where it was. */
  wrong(left: number): void {
    this.#left = left;
    this.#input.clear();
    this.#input.setWrong(true);
    this.#turn();
    fill(
      this.#said,
      h("p", { class: "digits-no" }, icon("cross"), "Not the digits of this request"),
      h(
        "p",
        { class: "note" },
        "Look at the terminal that shows the code ",
        h("span", { class: "mono" }, this.#code),
        `. ${tries(left)} this request is denied.`,
      ),
    );
    this.focus();
    this.#said.scrollIntoView({ block: "center" }); // on a phone the bar stands before it
  }

  /** Says that fewer are left than was said here: others were typed before, or in another session. */
  told(view: JsonObject): void {
    const left = optional(object(view["digits"]), "tries_left", number) ?? this.#left;
    if (left >= this.#left) return;
    this.#left = left;
    fill(
      this.#said,
      h("p", { class: "digits-no" }, icon("cross"), "Wrong digits were typed elsewhere"),
      h(
        "p",
        { class: "note" },
        `${tries(left)} this request is denied. If that was not you: deny it, and sign out everywhere under Keys.`,
      ),
    );
  }

  matched(): void {
    this.#left = 0;
    this.#input.close();
    this.#check.element.remove();
    fill(this.#said, h("p", { class: "digits-yes" }, icon("check"), "They match"));
  }

  close(): void {
    this.#narrow.removeEventListener("change", this.#placed);
  }

  #turn(): void {
    this.#check.setOff(this.#input.value().length < 2 ? "Type two digits." : undefined);
  }

  #setBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#check.setBusy(isBusy ? "Checking…" : undefined);
    if (!isBusy) this.#turn();
  }

  #place(): void {
    const hadFocus = this.#element.contains(document.activeElement);
    fill(this.#narrow.matches ? this.above : this.inside, this.#element);
    if (hadFocus) this.focus();
  }
}
