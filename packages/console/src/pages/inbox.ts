import { requestCodeOf } from "@countersign/core";
import type { Digest, JsonObject } from "@countersign/core";
import type { App, Page } from "../app.ts";
import { list, nameOf, number, object, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { mark } from "../ui/mark.ts";
import type { MarkState } from "../ui/mark.ts";
import { button, head, link, loaded, refusal } from "../ui/parts.ts";
import { left, moment } from "../ui/time.ts";
import { announceStart } from "./announce.ts";
import { startedWords } from "./request-parts.ts";

const MARKS: Readonly<Record<string, MarkState>> = {
  asked: "agent",
  approved: "signed",
  denied: "denied",
  expired: "ended",
  superseded: "ended",
};
const DECIDED: Readonly<Record<string, string>> = {
  approved: "You approved.",
  denied: "You denied.",
  expired: "Ended without an answer.",
  superseded: "Asked anew since.",
};
const MAX_DECIDED = 10;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly code: string;
  readonly reasons: readonly string[];
  readonly isExpected: boolean;
  /** User who started it, by the proxy's word. */
  readonly startedBy: number | undefined;
  readonly state: string;
  /** Of several owners: how many have signed, of how many that must. */
  readonly signed?: string;
  readonly createdAt: number;
  readonly deadline: number;
}

function signedOf(item: JsonObject): string | undefined {
  const parties = optional(item, "parties", (from, name) => object(from[name]));
  if (parties === undefined) return undefined;
  const signed = list(parties, "owners").filter((owner) => owner["signed"] === true);
  return `${signed.length} of ${number(parties, "m")} signed`;
}

function rowOf(item: JsonObject): Row {
  const signed = signedOf(item);
  return {
    id: text(item, "id"),
    name: nameOf(text(item, "entry")),
    host: nameOf(text(item, "proxy")),
    code: requestCodeOf(text(item, "req") as Digest), // a text that is no digest gives no code
    reasons: list(item, "reasons").map((reason) => text(reason, "text")),
    isExpected: item["expected"] === true,
    startedBy: optional(object(item["started_by"]), "uid", number),
    state: text(item, "state"),
    ...(signed === undefined ? {} : { signed }),
    createdAt: number(item, "created_at"),
    deadline: number(item, "deadline"),
  };
}

const title = ({ name, host }: Row): Child => [
  h("strong", {}, name),
  h("span", { class: "on-host" }, ` on ${host}`),
];

function details(row: Row, now: number): HTMLElement {
  return h(
    "p",
    { class: "row-details" },
    h("span", {}, "Code ", h("span", { class: "mono" }, row.code)),
    h("span", {}, `Asked ${moment(row.createdAt, now)}`),
    row.signed === undefined ? "" : h("span", {}, row.signed),
    row.startedBy === undefined ? undefined : h("span", {}, startedWords(row.startedBy, row.host)),
  );
}

function waitingRow(row: Row, now: number, before: Child): HTMLElement {
  const label = row.isExpected ? "Read and decide" : "Read";
  return h(
    "li",
    { class: "row" },
    before,
    h(
      "div",
      { class: "row-text" },
      h("h3", {}, title(row)),
      h(
        "p",
        {},
        row.reasons.map((reason) => `${reason} `),
      ),
      details(row, now),
    ),
    h(
      "div",
      { class: "row-side" },
      link(
        [label, h("span", { class: "hidden" }, ` ${row.name} on ${row.host}`)],
        `#/requests/${row.id}`,
        "button button-plain",
      ),
      h("p", { class: "note" }, `${left(row.deadline - now)} left`),
    ),
  );
}

/** The rows that nobody announced may be chosen and denied together. There is no such way to approve. */
class Unexpected {
  readonly element: HTMLElement;
  readonly #chosen = new Set<string>();
  readonly #count: HTMLElement = h("span", { class: "note" }, "0 chosen");
  readonly #deny;

  constructor(app: App, rows: readonly Row[], now: number, again: () => void) {
    const problem = h("div", {});
    this.#deny = button("Deny chosen", "plain", () => {
      this.#deny.setBusy("Denying…");
      void this.#denyAll(app)
        .then(again)
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
        rows.map((row) => waitingRow(row, now, this.#box(row))),
      ),
    );
  }

  #box(row: Row): HTMLElement {
    const box = h("input", {
      attrs: { type: "checkbox", "aria-label": `Choose ${row.name} on ${row.host}` },
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
    for (const id of this.#chosen)
      await app.api.post(`/v1/owner/requests/${encodeURIComponent(id)}/decision`, {
        decision: "deny",
      });
    app.say(`${this.#chosen.size} denied`);
  }
}

function decidedRow(row: Row, now: number): HTMLElement {
  return h(
    "li",
    { class: "row row-decided" },
    mark(MARKS[row.state] ?? "nobody"),
    h("p", {}, title(row)),
    h("p", { class: "row-outcome" }, DECIDED[row.state] ?? row.state),
    h("p", { class: "note" }, moment(row.createdAt, now)),
  );
}

function counted(n: number): string {
  if (n === 0) return "Nothing waits for your signature.";
  return n === 1 ? "1 request waits for your signature." : `${n} requests wait for your signature.`;
}

const EMPTY = (): HTMLElement =>
  h(
    "p",
    { class: "empty" },
    "When an agent of yours asks for a credential, it stands here. Start one: ",
    h("code", {}, "countersign run --agent NAME -- COMMAND"),
  );

function group(heading: Child, items: readonly HTMLElement[]): Child {
  return items.length === 0
    ? undefined
    : h("section", {}, h("h2", {}, heading), h("ul", { class: "rows" }, items));
}

/** Who waits: announced ones first, the others apart and silent. */
export function inboxPage(app: App): Page {
  const lead = h("span", {});
  const body = h("div", { class: "inbox" });
  const load = async (): Promise<readonly Child[]> => {
    const rows = list(await app.api.get("/v1/owner/requests?all=1"), "requests").map(rowOf);
    const now = app.now();
    const open = rows.filter((row) => row.state === "asked" && row.deadline > now);
    const expected = open.filter((row) => row.isExpected);
    const unexpected = open.filter((row) => !row.isExpected);
    const decided = rows.filter((row) => row.state !== "asked").slice(0, MAX_DECIDED);
    lead.textContent = counted(expected.length);
    const count = h("span", { class: "count" }, String(expected.length));
    return [
      group(
        ["You started these ", count],
        expected.map((row) => waitingRow(row, now, mark("agent"))),
      ),
      unexpected.length === 0 ? undefined : new Unexpected(app, unexpected, now, again).element,
      open.length === 0 ? EMPTY() : undefined,
      group(
        "Decided",
        decided.map((row) => decidedRow(row, now)),
      ),
    ];
  };
  const again = (): void => void loaded(body, load);
  again();
  return {
    title: "Inbox",
    root: h("div", {}, head("Inbox", lead, undefined, announceStart(app)), body),
    close: app.onChange(again),
  };
}
