import { Unreachable } from "./api.ts";
import type { Api } from "./api.ts";
import { fill, h } from "./ui/dom.ts";
import { Outdated, refusal, simpleButton } from "./ui/parts.ts";

/** A wait that is shorter than this was none. */
const WAIT_MS = 400;
/** Answers whoever asks. */
const ABOUT = "/v1/owner/console";

/**
 * Waits for a part of the console that stands in a file of its own.
 * @throws Unreachable where the server is not reached; Outdated where it is, and the file was not to be had
 */
export async function fetched<T>(part: Promise<T>, api: Pick<Api, "get">): Promise<T> {
  try {
    return await part;
  } catch {
    await api.get(ABOUT);
    throw new Outdated("a file of the console is gone");
  }
}

/** Loads the whole console anew, at this place in it: a browser remembers of a file that it did not come. */
export function loadAnew(hash: string): void {
  window.history.replaceState(null, "", hash);
  window.location.reload();
}

/** Says that a part of the console is on its way, or was not to be had; the page that is shown stays under it. */
export class ComingNote {
  readonly root: HTMLElement;
  readonly #api: Pick<Api, "get">;
  readonly #line: HTMLElement = h("p", { class: "lead", attrs: { role: "status" } });
  readonly #problem: HTMLElement = h("div", {});
  #waiting = 0;

  constructor(api: Pick<Api, "get">) {
    this.#api = api;
    this.root = h("div", { class: "coming" }, this.#line, this.#problem);
  }

  /** @param label what comes, as its tab says it */
  wait(label: string): void {
    this.clear();
    this.#waiting = window.setTimeout(() => fill(this.#line, `Loading ${label}…`), WAIT_MS);
  }

  clear(): void {
    window.clearTimeout(this.#waiting);
    fill(this.#line);
    fill(this.#problem);
  }

  /** @param hash where it was to stand: the console is loaded anew there, once the server can be reached */
  failed(error: unknown, hash: string): void {
    this.clear();
    const label = error instanceof Unreachable ? "Try again" : "Load again";
    const again = simpleButton(label, "plain", () => {
      this.#api.get(ABOUT).then(
        () => loadAnew(hash),
        (still: unknown) => this.failed(still, hash),
      );
    });
    fill(this.#problem, refusal(error), again);
  }
}
