import { fill, h } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import { simpleButton } from "./ui/parts.ts";
import { clockTime } from "./ui/time.ts";

/** A connection that comes back sooner than this was never missed. */
const SHORT_MS = 1500;

/**
 * Says since when nothing arrives, and offers to try now. The status line says it to screen readers, once; what counts
 * down here is for the eye.
 */
export class OfflineNote {
  readonly root: HTMLElement = h("div", {});
  readonly #rest: HTMLElement = h("span", {});
  readonly #retry: () => void;
  #sinceMs = Date.now();
  #isShown = false;

  constructor(retry: () => void) {
    this.#retry = retry;
  }

  /** @param retryAtMs when it is tried again by itself */
  tell(isLive: boolean, retryAtMs: number | undefined): void {
    if (isLive) {
      this.#sinceMs = Date.now();
      if (this.#isShown) fill(this.root);
      this.#isShown = false;
      return;
    }
    if (!this.#isShown && Date.now() - this.#sinceMs > SHORT_MS) this.#show();
    const seconds = Math.ceil(((retryAtMs ?? 0) - Date.now()) / 1000);
    this.#rest.textContent = seconds > 0 ? `Trying again in ${seconds} s. ` : "Trying again… ";
  }

  #show(): void {
    this.#isShown = true;
    fill(
      this.root,
      h(
        "section",
        { class: "offline", attrs: { "aria-label": "No connection" } },
        icon("offline"),
        h(
          "p",
          {},
          h("strong", {}, `No connection since ${clockTime(this.#sinceMs / 1000)}. `),
          "What you see is from then. Approve, Deny and Stop wait until it is back; nothing is sent later by itself. ",
          this.#rest,
        ),
        simpleButton("Try now", "plain", this.#retry),
      ),
    );
  }
}
