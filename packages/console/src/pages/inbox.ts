import type { App, Page } from "../app.ts";
import { list } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { mark } from "../ui/mark.ts";
import { button, head, link, refill, refusal, simpleButton } from "../ui/parts.ts";
import { announceStart } from "./announce.ts";
import { emptyInbox } from "./inbox-empty.ts";
import { decidedRow, OpenRow, rowOf } from "./inbox-rows.ts";
import type { Row } from "./inbox-rows.ts";

const MAX_DECIDED = 10;
const TICK_MS = 5000;

/** The rows that nobody announced may be chosen and denied together. There is no such way to approve. */
class Unexpected {
  readonly element: HTMLElement;
  readonly rows: readonly OpenRow[];
  readonly #chosen: Set<string>;
  readonly #count: HTMLElement = h("span", { class: "note" }, "0 chosen");
  readonly #deny;

  /** @param chosen kept by the caller, so that a change takes no choice away */
  constructor(app: App, rows: readonly Row[], chosen: Set<string>, again: () => void) {
    const problem = h("div", {});
    this.#chosen = chosen;
    for (const id of chosen) if (!rows.some((row) => row.id === id)) chosen.delete(id);
    this.rows = rows.map((row) => new OpenRow(row, app.now(), this.#box(row)));
    this.#deny = button("Deny chosen", "plain", () => {
      this.#deny.setBusy("Denying…");
      void this.#denyAll(app)
        .then(() => {
          this.#tell();
          again();
        })
        .catch((error: unknown) => fill(problem, refusal(error)))
        .finally(() => this.#deny.setBusy());
    });
    this.#tell();
    this.element = h(
      "section",
      { class: "inbox-unexpected" },
      h(
        "header",
        { class: "group-head" },
        h(
          "div",
          {},
          h(
            "h2",
            {},
            "You did not start these ",
            h("span", { class: "count" }, String(rows.length)),
          ),
          h(
            "p",
            { class: "lead" },
            "You did not announce them, so you got no notice. They end by themselves. If you do not recognise one, deny it.",
          ),
        ),
        h("div", { class: "group-act" }, this.#count, this.#deny.element),
      ),
      problem,
      h(
        "ul",
        { class: "rows rows-dashed" },
        this.rows.map(({ element }) => element),
      ),
    );
  }

  #box(row: Row): HTMLElement {
    const box = h("input", {
      attrs: {
        type: "checkbox",
        "aria-label": `Choose ${row.name} on ${row.host}`,
        checked: this.#chosen.has(row.id),
      },
      on: {
        change: () => {
          if (box.checked) this.#chosen.add(row.id);
          else this.#chosen.delete(row.id);
          this.#tell();
        },
      },
    });
    return h("label", { class: "choose" }, box);
  }

  #tell(): void {
    this.#count.textContent = `${this.#chosen.size} chosen`;
    this.#deny.setOff(this.#chosen.size === 0 ? "Choose requests first." : undefined);
  }

  async #denyAll(app: App): Promise<void> {
    const count = this.#chosen.size;
    for (const id of this.#chosen) {
      const path = `/v1/owner/requests/${encodeURIComponent(id)}/decision`;
      await app.api.post(path, { decision: "deny" });
      this.#chosen.delete(id);
    }
    app.say(`${count} denied`);
  }
}

function counted(n: number): string {
  if (n === 0) return "Nothing waits for your signature.";
  return n === 1 ? "1 request waits for your signature." : `${n} requests wait for your signature.`;
}

function group(heading: Child, items: readonly HTMLElement[], aside?: Child): Child {
  return items.length === 0
    ? undefined
    : h(
        "section",
        {},
        h("header", { class: "group-head" }, h("h2", {}, heading), aside),
        h("ul", { class: "rows" }, items),
      );
}

/** What stands on the page, and what has come since. */
class Inbox {
  readonly body: HTMLElement = h("div", { class: "inbox" });
  readonly lead: HTMLElement = h("span", {});
  readonly fresh: HTMLElement = h("div", { class: "inbox-new" });
  readonly #app: App;
  readonly #chosen: Set<string> = new Set();
  #open: readonly OpenRow[] = [];
  #isDrawn = false;

  constructor(app: App) {
    this.#app = app;
  }

  async look(): Promise<void> {
    const waiting = window.setTimeout(() => {
      if (!this.#isDrawn) fill(this.body, h("p", { class: "lead" }, "Loading…"));
    }, 400);
    try {
      const answer = await this.#app.api.get(`/v1/owner/requests?decided=${MAX_DECIDED}`);
      this.#take(list(answer, "requests").map(rowOf));
    } catch (error) {
      if (!this.#isDrawn) fill(this.body, refusal(error));
    } finally {
      window.clearTimeout(waiting);
    }
  }

  /** Tells each row the time that it has left. */
  tick(): void {
    for (const open of this.#open) open.tell(this.#app.now(), "asked");
  }

  /** What is under the pointer, or has focus, is moved by nothing that comes: it is offered. */
  #take(rows: readonly Row[]): void {
    const known = new Set(this.#open.map(({ row }) => row.id));
    const isHeld =
      this.body.querySelector(".row:not(.row-decided):hover") !== null ||
      this.body.contains(document.activeElement);
    if (!this.#isDrawn || !isHeld) return this.#draw(rows);
    const now = this.#app.now();
    const states = new Map(rows.map((row) => [row.id, row.state]));
    for (const open of this.#open) open.tell(now, states.get(open.row.id) ?? "expired");
    const came = rows.filter((row) => isOpen(row, now) && !known.has(row.id));
    if (came.length === 0) return fill(this.fresh);
    const show = simpleButton(`${came.length} new – show`, "plain", () => {
      this.#draw(rows);
      const [first] = came;
      this.body.querySelector<HTMLElement>(`a[href="#/requests/${first?.id ?? ""}"]`)?.focus();
      void this.look();
    });
    fill(this.fresh, show);
  }

  #draw(rows: readonly Row[]): void {
    const app = this.#app;
    const now = app.now();
    const open = rows.filter((row) => isOpen(row, now));
    const expected = open.filter((row) => row.isExpected);
    const strange = open.filter((row) => !row.isExpected);
    const decided = rows.filter((row) => row.state !== "asked").slice(0, MAX_DECIDED);
    const own = expected.map((row) => new OpenRow(row, now, mark("agent")));
    const unexpected =
      strange.length === 0
        ? undefined
        : new Unexpected(app, strange, this.#chosen, () => void this.look());
    this.#open = [...own, ...(unexpected?.rows ?? [])];
    this.#isDrawn = true;
    this.lead.textContent = counted(expected.length);
    fill(this.fresh);
    const count = h("span", { class: "count" }, String(expected.length));
    refill(this.body, [
      group(
        ["You started these ", count],
        own.map(({ element }) => element),
      ),
      unexpected?.element,
      open.length === 0 ? emptyInbox(app) : undefined,
      group(
        "Decided",
        decided.map((row) => decidedRow(row, now)),
        link("All in the log", "#/log", "text-link"),
      ),
    ]);
  }
}

const isOpen = (row: Row, now: number): boolean => row.state === "asked" && row.deadline > now;

/** Who waits: announced ones first, the others apart and silent. */
export function inboxPage(app: App): Page {
  const inbox = new Inbox(app);
  const again = (): void => void inbox.look();
  again();
  const unfollow = app.onChange(again);
  const ticking = window.setInterval(() => inbox.tick(), TICK_MS);
  return {
    title: "Inbox",
    root: h(
      "div",
      {},
      head("Inbox", inbox.lead, undefined, announceStart(app)),
      inbox.body,
      inbox.fresh,
    ),
    close: () => {
      unfollow();
      window.clearInterval(ticking);
    },
  };
}
