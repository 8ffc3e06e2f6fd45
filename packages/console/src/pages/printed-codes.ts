import type { JsonObject } from "@countersign/core";
import type { App } from "../app.ts";
import { number } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Button } from "../ui/parts.ts";
import { button, panel, refill, refusal, simpleButton } from "../ui/parts.ts";

const AGAIN = "Make new codes";

/** One box a code of the paper, those that were used struck out. */
function boxes(of: number, used: readonly unknown[]): HTMLElement | undefined {
  if (of === 0) return undefined;
  const box = (n: number): HTMLElement =>
    used.includes(n)
      ? h(
          "li",
          { class: "code-used" },
          h("del", {}, String(n)),
          h("span", { class: "hidden" }, " used"),
        )
      : h("li", {}, String(n));
  return h(
    "ol",
    { class: "code-boxes", attrs: { "aria-label": "Codes of the last sheet" } },
    Array.from({ length: of }, (_, i) => box(i + 1)),
  );
}

/**
 * How many printed codes are left, and making new ones. Codes are shown once: one panel stays for as long as its page,
 * whatever is drawn anew around it while they are made.
 */
export class PrintedCodes {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #count: HTMLElement = h("span", {});
  readonly #shown: HTMLElement = h("div", { attrs: { "aria-live": "polite" } });
  readonly #boxes: HTMLElement = h("div", {});
  readonly #act: HTMLElement = h("div", { class: "act" });
  #isInUse = false;

  constructor(app: App) {
    this.#app = app;
    this.root = panel(
      "Printed stop codes",
      this.#count,
      h(
        "div",
        { class: "panel-body" },
        h(
          "p",
          {},
          "A code stops all your agents, from any device, without a key. It can also take one of your keys away, or cancel a recovery. Keep the sheet where you would look in a hurry.",
        ),
        this.#boxes,
        this.#act,
        this.#shown,
      ),
    );
  }

  /** Whether codes are being made, or stand here: nowhere else do they. */
  get isInUse(): boolean {
    return this.#isInUse;
  }

  /** @param codes as the server counts them */
  tell(codes: JsonObject): void {
    if (this.#isInUse) return;
    const [left, of] = [number(codes, "left"), number(codes, "of")];
    const { used } = codes;
    fill(this.#count, left === 0 ? "none left" : `${left} of ${of} left`);
    fill(this.#boxes, Array.isArray(used) && boxes(of, used));
    const make: Button = button(
      left === 0 ? "Make stop codes" : AGAIN,
      "plain",
      () => void this.#make(make),
    );
    refill(this.#act, [
      make.element,
      left > 0 && h("span", { class: "note" }, "The old ones stop working."),
    ]);
  }

  async #make(make: Button): Promise<void> {
    this.#isInUse = true;
    make.setBusy("Making…");
    try {
      const { codes } = await this.#app.api.post("/v1/owner/stop-codes", {});
      const words = Array.isArray(codes) ? codes.filter((one) => typeof one === "string") : [];
      fill(this.#count, `${words.length} of ${words.length} left`);
      fill(this.#boxes, boxes(words.length, []));
      make.setLabel(AGAIN);
      fill(
        this.#shown,
        this.#paper(words),
        simpleButton("Print", "plain", () => window.print()),
      );
    } catch (error) {
      this.#isInUse = false;
      fill(this.#shown, refusal(error));
    } finally {
      make.setBusy();
    }
  }

  #paper(words: readonly string[]): HTMLElement {
    const { session, place } = this.#app;
    return h(
      "section",
      { class: "paper", attrs: { "aria-label": "Stop codes" } },
      h(
        "p",
        { class: "strong" },
        `countersign · stop codes of ${session.owner.name} · ${place.trustDomain}`,
      ),
      h(
        "p",
        {},
        "Each stops all your agents, once, from any device, without a key. They are shown only now.",
      ),
      h(
        "ol",
        { class: "codes" },
        words.map((word) => h("li", { class: "mono" }, word)),
      ),
    );
  }
}
