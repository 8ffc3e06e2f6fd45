import type { JsonObject, Seconds } from "@countersign/core";
import { stateOf } from "../agent-state.ts";
import type { App, Page } from "../app.ts";
import { list, nameOf, number, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { mark } from "../ui/mark.ts";
import { head, link, loaded, refusal, simpleButton } from "../ui/parts.ts";
import { agentPage } from "./agent.ts";
import { left, moment } from "../ui/time.ts";

const COLUMNS = ["Agent", "State", "Approved until", "Credential until", "Given"];

const counted = (n: number): string => n.toLocaleString("en-US");

/** Lets an agent ask again. @param entry its id */
type Allow = (entry: string) => void;

function allowAgain(entry: string, allow: Allow): HTMLElement {
  const name = nameOf(entry);
  return h(
    "p",
    { class: "blocked" },
    "Blocked: it cannot ask. ",
    simpleButton(["Allow again", h("span", { class: "hidden" }, ` ${name}`)], "plain", () =>
      allow(entry),
    ),
  );
}

function agentRow(row: JsonObject, now: Seconds, allow: Allow): HTMLElement {
  const [state, words] = stateOf(row);
  const until = optional(row, "grant_until", number);
  const credential = optional(row, "credential_until", number);
  const issued = optional(row, "issued", number);
  return h(
    "tr",
    {},
    h(
      "th",
      { attrs: { scope: "row" } },
      link(h("strong", {}, nameOf(text(row, "entry"))), `#/agents/${nameOf(text(row, "entry"))}`),
      h("span", { class: "on-host" }, ` on ${nameOf(text(row, "proxy"))}`),
    ),
    h(
      "td",
      {},
      h("span", { class: "with-mark" }, mark(state, "mark mark-small"), words),
      row["blocked"] === true ? allowAgain(text(row, "entry"), allow) : undefined,
    ),
    h("td", {}, until === undefined ? "–" : `${moment(until, now)} (${left(until - now)})`),
    h("td", {}, credential === undefined ? "–" : moment(credential, now)),
    h(
      "td",
      { class: "numeric" },
      issued === undefined ? "–" : `${counted(issued)} of ${counted(number(row, "max_issue"))}`,
    ),
  );
}

function agentTable(rows: readonly JsonObject[], now: Seconds, allow: Allow): HTMLElement {
  const columns = COLUMNS.map((name) => h("th", { attrs: { scope: "col" } }, name));
  const table = h(
    "table",
    { class: "table" },
    h("thead", {}, h("tr", {}, columns)),
    h(
      "tbody",
      {},
      rows.map((row) => agentRow(row, now, allow)),
    ),
  );
  const region = { tabindex: 0, role: "region", "aria-label": "Agents" };
  return h("div", { class: "table-frame", attrs: region }, table);
}

/** The owner's agents: who waits, who has what until when, who is stopped. */
export function agentsPage(app: App, name = ""): Page {
  if (name !== "") return agentPage(app, name);
  const body = h("div", {});
  const problem = h("div", {});
  const allow = (entry: string): void => {
    fill(problem);
    const path = `/v1/owner/agents/${encodeURIComponent(nameOf(entry))}/unblock`;
    void app.api
      .post(path, {})
      .then(() => {
        app.say(`${nameOf(entry)} may ask again.`);
        again();
      })
      .catch((error: unknown) => fill(problem, refusal(error)));
  };
  const load = async (): Promise<readonly Child[]> => {
    const rows = list(await app.api.get("/v1/owner/agents"), "agents");
    if (rows.length > 0) return [agentTable(rows, app.now(), allow)];
    return [
      h("p", { class: "empty" }, "No agent is registered for you. Your administrator adds one."),
    ];
  };
  const again = (): void => void loaded(body, load);
  again();
  const lead = "What you approved, what is left of it, and what is stopped.";
  return {
    title: "Agents",
    root: h("div", {}, head("Agents", lead), problem, body),
    close: app.onChange(again),
  };
}
