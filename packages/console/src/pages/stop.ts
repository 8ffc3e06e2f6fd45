import type { JsonObject } from "@countersign/core";
import { stateOf } from "../agent-state.ts";
import type { App, Page } from "../app.ts";
import { list, nameOf, number, optional, text } from "../read.ts";
import {
  agentTarget,
  counted,
  hostTarget,
  isStopped,
  listed,
  nameOfAgent,
} from "../stop-targets.ts";
import { stopper } from "../stopper.ts";
import type { Target } from "../stopper.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { head, loaded } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";
import { STOPS, stopCodeForm } from "./stop-code.ts";

function row(before: Child, name: string, below: HTMLElement, act: Child): HTMLElement {
  return h(
    "li",
    { class: "row row-stop" },
    before,
    h("div", { class: "row-text" }, h("h3", { class: "strong" }, name), below),
    act,
  );
}

/** An agent's row, and how it is told that the agent was stopped. */
interface AgentRow {
  readonly root: HTMLElement;
  readonly stopped: () => void;
}

function agentRow(app: App, agent: JsonObject): AgentRow {
  const below = (words: string): string => `on ${nameOf(text(agent, "proxy"))}, ${words}`;
  const [state, words] = stateOf(agent);
  const before = h("span", {}, mark(state));
  const said = h("p", {}, below(words));
  const stopped = (): void => {
    fill(before, mark("stopped"));
    fill(said, below("stopped"));
  };
  const target = agentTarget(text(agent, "entry"), "Stop…");
  const act = isStopped(agent) ? undefined : stopper(app, target, stopped);
  return { root: row(before, nameOfAgent(agent), said, act), stopped };
}

function hostRows(
  app: App,
  agents: readonly JsonObject[],
  stopped: (entry: string) => void,
): readonly HTMLElement[] {
  const hosts = [...new Set(agents.map((agent) => text(agent, "proxy")))];
  return hosts.map((proxy) => {
    const there = agents.filter((agent) => agent["proxy"] === proxy);
    const going = there.filter((agent) => !isStopped(agent));
    const host = nameOf(proxy);
    const done = (): void => going.forEach((agent) => stopped(text(agent, "entry")));
    const act = going.length === 0 ? undefined : stopper(app, hostTarget(host, going), done);
    return row(icon("host"), `Host ${host}`, h("p", {}, listed(there.map(nameOfAgent))), act);
  });
}

function everything(app: App, agents: readonly JsonObject[], stopped: () => void): HTMLElement {
  const hosts = new Set(agents.map((agent) => text(agent, "proxy")));
  const what = `${counted(agents.length, "agent")} on ${counted(hosts.size, "host")}`;
  const waiting = agents.filter((agent) => agent["state"] === "waiting").length;
  const below =
    waiting === 0
      ? ""
      : waiting === 1
        ? " 1 waits for you and gets nothing."
        : ` ${waiting} wait for you and get nothing.`;
  const target: Target = {
    label: "Stop everything…",
    question: `Stop ${what}?`,
    whom: agents.length === 1 ? "it" : "them",
    orders: [{ scope: "owner" }],
    isGreat: true,
  };
  return h(
    "section",
    { class: "panel stop-all", attrs: { "aria-label": "Everything" } },
    stopper(app, target, stopped),
    h("p", { class: "lead" }, `${what}.${below} One question follows.`),
  );
}

/** What can be stopped: all of it, then agents, then hosts. */
function parts(app: App, agents: readonly JsonObject[]): Child {
  const rows = new Map(agents.map((agent) => [text(agent, "entry"), agentRow(app, agent)]));
  const stopped = (entry: string): void => rows.get(entry)?.stopped();
  return [
    everything(app, agents, () => [...rows.keys()].forEach(stopped)),
    h("h2", {}, "Or only a part"),
    h(
      "ul",
      { class: "rows" },
      [...rows.values()].map(({ root }) => root),
      hostRows(app, agents, stopped),
    ),
  ];
}

function happens(agents: readonly JsonObject[], now: number): HTMLElement {
  const until = Math.max(0, ...agents.map((one) => optional(one, "credential_until", number) ?? 0));
  const last: readonly [string, string] =
    until > now
      ? [
          `By ${moment(until, now).replace("today ", "")}`,
          "The last credential ends, also for services that never ask us.",
        ]
      : ["Nothing is left", "No credential of yours is alive now."];
  const rows: readonly (readonly [string, string])[] = [
    ["At once", "No new credential, no renewal."],
    ["Within a second", "Connected hosts drop the keys: no proof is given any more."],
    last,
  ];
  return h(
    "section",
    {},
    h("h2", {}, "What happens"),
    rows.map(([when, what]) =>
      h(
        "p",
        { class: "with-icon" },
        icon("clock"),
        h("span", {}, h("strong", {}, when), h("br", {}), what),
      ),
    ),
  );
}

/** Stopping: everything, then agents, then hosts. Needs no key. */
export function stopPage(app: App): Page {
  const body = h("div", { class: "stop-columns" });
  const load = async (): Promise<readonly Child[]> => {
    const agents = list(await app.api.get("/v1/owner/agents"), "agents");
    const left =
      agents.length === 0
        ? h("p", { class: "empty" }, "No agent is registered for you, so nothing can be stopped.")
        : parts(app, agents);
    const aside = h(
      "aside",
      { class: "decide stop-aside", attrs: { "aria-label": "About stopping" } },
      happens(agents, app.now()),
      h(
        "section",
        {},
        h("h2", {}, "What stays"),
        h(
          "p",
          {},
          "What the agents did before stays done. The programs keep running, without a name. An administrator lifts a stop; you then sign anew.",
        ),
      ),
      h(
        "section",
        {},
        h("h2", {}, "With a printed code"),
        h("p", {}, "Stops everything from any device, without signing in. Each code works once."),
        stopCodeForm(app.api, STOPS, (words) => app.say(words, "assertive")),
      ),
    );
    return [h("div", { class: "stop-parts" }, left), aside];
  };
  void loaded(body, load);
  return {
    title: "Stop",
    root: h(
      "div",
      {},
      head("Stop", "No key is needed. Starting again needs your signature."),
      body,
    ),
    close: () => undefined,
  };
}
