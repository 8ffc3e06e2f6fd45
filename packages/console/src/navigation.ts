import { fill, h } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import type { IconName } from "./ui/icons.ts";

const TABS: readonly (readonly [page: string, label: string, icon: IconName])[] = [
  ["inbox", "Inbox", "inbox"],
  ["agents", "Agents", "agents"],
  ["log", "Log", "log"],
  ["keys", "Keys", "keys"],
  ["stop", "Stop…", "stop"],
];

/** The ways to the pages. Their links are made once: what changes takes the focus from none of them. */
export class Navigation {
  readonly root: HTMLElement;
  readonly #links: ReadonlyMap<string, HTMLElement>;
  readonly #waiting: HTMLElement = h("span", { class: "count" });

  constructor() {
    const linkTo = ([page, label, name]: (typeof TABS)[number]): HTMLElement =>
      h("a", { attrs: { href: `#/${page}` } }, icon(name), h("span", {}, label));
    const links = TABS.map((tab) => [tab[0], linkTo(tab)] as const);
    this.#links = new Map(links);
    this.#links.get("inbox")?.append(this.#waiting);
    this.root = h(
      "ul",
      {},
      links.map(([page, link]) => h("li", page === "stop" ? { class: "side-stop" } : {}, link)),
    );
  }

  /** @param current name of the page that is shown */
  tellPlace(current: string): void {
    for (const [page, link] of this.#links)
      if (page === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }

  tellWaiting(count: number): void {
    fill(
      this.#waiting,
      count > 0 ? [String(count), h("span", { class: "hidden" }, " wait")] : undefined,
    );
  }
}
