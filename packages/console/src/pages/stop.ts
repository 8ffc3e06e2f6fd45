import type { JsonObject } from "@countersign/core";
import type { App, Page } from "../app.ts";
import { list, nameOf, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { head, loaded, panel, refusal, simpleButton } from "../ui/parts.ts";
import { clockTime } from "../ui/time.ts";

const ASK_MS = 10_000;

interface Target {
  readonly label: string;
  readonly question: string;
  readonly order: JsonObject;
}

/** A stop asks once more, in its own place, and the question goes away by itself: in favour of nothing done. */
function stopper(app: App, target: Target): HTMLElement {
  const place = h("div", { class: "stopper", attrs: { "aria-live": "polite" } });
  const offer = (): void => fill(place, simpleButton([icon("stop"), target.label], "stop", ask));
  const stop = async (): Promise<void> => {
    try {
      await app.api.post("/v1/owner/halt", target.order);
      const at = clockTime(app.now());
      fill(
        place,
        h(
          "p",
          { class: "strong" },
          `Stopped at ${at}. Your signature is needed before it goes on.`,
        ),
      );
      app.say(`Stopped at ${at}.`, "assertive");
    } catch (error) {
      fill(place, refusal(error), simpleButton([icon("stop"), target.label], "stop", ask));
    }
  };
  const ask = (): void => {
    const back = window.setTimeout(offer, ASK_MS);
    const keep = simpleButton("Keep", "plain", () => {
      window.clearTimeout(back);
      offer();
    });
    const now = simpleButton("Stop now", "stop", () => {
      window.clearTimeout(back);
      void stop();
    });
    fill(
      place,
      h("p", { class: "strong" }, target.question),
      h("div", { class: "pair" }, keep, now),
    );
    keep.focus();
  };
  offer();
  return place;
}

function row(name: Child, below: Child, act: HTMLElement): HTMLElement {
  return h(
    "li",
    { class: "row" },
    h("div", { class: "row-text" }, h("h3", {}, name), h("p", {}, below)),
    act,
  );
}

const WHAT_HAPPENS: readonly (readonly [when: string, what: string])[] = [
  ["At once", "No new credential. The agent's door answers that it is stopped."],
  ["Within a second", "The proxies that are connected drop the keys: no more proofs."],
  ["Within minutes", "A service that looks only at the credential learns of it when that ends."],
  ["Afterwards", "What was done stays done. An administrator lifts the stop; you then sign anew."],
];

function agentRow(app: App, agent: JsonObject): HTMLElement {
  const name = nameOf(text(agent, "entry"));
  const order = { scope: "entry", target: text(agent, "entry") };
  const act =
    agent["state"] === "stopped"
      ? h("p", { class: "note" }, "stopped")
      : stopper(app, { label: `Stop ${name}`, question: `Stop ${name}?`, order });
  return row(name, `on ${nameOf(text(agent, "proxy"))}`, act);
}

const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;

function everythingOf(agents: readonly JsonObject[]): Target {
  const hosts = new Set(agents.map((agent) => text(agent, "proxy")));
  return {
    label: "Stop everything of mine",
    question: `Stop ${plural(agents.length, "agent")} on ${plural(hosts.size, "host")}?`,
    order: { scope: "owner" },
  };
}

/** Stopping: everything, then one agent. Needs no key. */
export function stopPage(app: App): Page {
  const body = h("div", { class: "stop-columns" });
  const load = async (): Promise<readonly Child[]> => {
    const agents = list(await app.api.get("/v1/owner/agents"), "agents");
    const rows = agents.map((agent) => agentRow(app, agent));
    const everything = h("div", { class: "panel-body" }, stopper(app, everythingOf(agents)));
    const one = panel("One agent", "", h("ul", { class: "rows rows-plain" }, rows));
    const when = WHAT_HAPPENS.map(([name, what]) => [h("dt", {}, name), h("dd", {}, what)]);
    return [
      h("div", {}, panel("Everything", "", everything), rows.length === 0 ? undefined : one),
      panel("What happens when", "", h("dl", { class: "facts" }, when)),
    ];
  };
  void loaded(body, load);
  const lead = "Stopping is one step and needs no key. To go on needs your signature.";
  return {
    title: "Stop",
    root: h("div", {}, head("Stop", lead), body),
    close: () => undefined,
  };
}
