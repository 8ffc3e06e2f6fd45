import type { JsonObject, Seconds } from "@countersign/core";
import type { App } from "../app.ts";
import { list, nameOf, number, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { mark } from "../ui/mark.ts";
import { link } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";

const see = (): HTMLElement => h("p", {}, link("See the agents", "#/agents", "text-link"));

/** How the first request comes about. */
function start(agents: readonly JsonObject[]): readonly Child[] {
  const idle = agents.find(({ state }) => state === "idle");
  if (idle === undefined)
    return [
      h("p", {}, "Your agents are stopped. An administrator lifts a stop; you then sign anew."),
      see(),
    ];
  return [
    h(
      "p",
      {},
      "No agent has an approval of yours. Announce a start, then start the agent on its host, and its request stands here:",
    ),
    h("p", {}, h("code", {}, `countersign run --agent ${nameOf(text(idle, "entry"))} -- COMMAND`)),
    see(),
  ];
}

function nextStep(agents: readonly JsonObject[], now: Seconds): readonly Child[] {
  if (agents.length === 0)
    return [h("p", {}, "No agent is registered for you. Your administrator adds one.")];
  const ends = agents.flatMap((agent) =>
    agent["state"] === "stopped" ? [] : (optional(agent, "grant_until", number) ?? []),
  );
  if (ends.length === 0) return start(agents);
  const end = moment(Math.min(...ends), now);
  return [
    h("p", {}, `Your agents work inside what you signed. The next approval ends ${end}.`),
    see(),
  ];
}

/** Where nobody waits: until when the agents may go on, or how one begins. */
export function emptyInbox(app: App): HTMLElement {
  const body = h("div", {});
  app.api
    .get("/v1/owner/agents")
    .then((answer) => fill(body, nextStep(list(answer, "agents"), number(answer, "now"))))
    .catch(() => undefined); // what is said above holds without it
  return h(
    "section",
    { class: "empty inbox-empty" },
    mark("nobody", "mark mark-large"),
    h("h2", {}, "Nothing waits for you"),
    body,
  );
}
