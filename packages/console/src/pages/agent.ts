import {
  fromBase64url,
  readJwk,
  readOwnerSignature,
  readStatement,
  Refusal,
  signedText,
  verifyApproval,
} from "@countersign/core";
import type { JsonObject, Seconds } from "@countersign/core";
import { allowsPanel, isOver, pastApproval } from "../allows-panel.ts";
import type { Judged } from "../allows-panel.ts";
import type { App, Page } from "../app.ts";
import { hostPanel } from "../host-state.ts";
import { knownKeys, STRANGE } from "../known-keys.ts";
import { lifeOf } from "../life.ts";
import type { LifeFacts } from "../life.ts";
import { lifePanel } from "../life-panel.ts";
import { programPanel } from "../observed.ts";
import { list, nameOf, number, object, optional, text } from "../read.ts";
import { agentTarget, hostTarget } from "../stop-targets.ts";
import { stopper } from "../stopper.ts";
import type { Target } from "../stopper.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import type { MarkState } from "../ui/mark.ts";
import { head, link, loaded, panel } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";

/**
 * Verifies an approval from the octets that were signed. A signature of several owners, or of the pages of another
 * console, is not judged here: that is said, and is no tick.
 */
async function judge(app: App, grant: JsonObject, known: ReadonlySet<string>): Promise<Judged> {
  const preSigned = grant["model"] === "agent";
  const statement = readStatement(app.c, fromBase64url(text(grant, "statement")), { preSigned });
  const { body } = statement;
  const ceiling = body.kind === "credential" ? body.grant.ceiling : [];
  const { id, jkt } = body.owner;
  const isStrange = id === app.session.owner.id && !known.has(jkt);
  const read = { grant, words: signedText(statement), ceiling, jkt, isStrange };
  const key = object(grant["key"]);
  const application = optional(key, "app", text);
  const pages = { rpId: app.place.rpId, origins: [window.location.origin] };
  try {
    await verifyApproval(
      app.c,
      statement,
      readOwnerSignature(grant["sig"]),
      { jwk: readJwk(key["jwk"]), ...(application === undefined ? {} : { app: application }) },
      { pages },
    );
    return { ...read, isSigned: statement.cs === text(grant, "cs") };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...read, isSigned: false };
  }
}

function factsOf(answer: JsonObject): LifeFacts {
  return {
    credentials: list(answer, "credentials").map((row) => ({
      from: number(row, "iat"),
      until: number(row, "exp"),
      n: optional(row, "n", number),
      seq: number(row, "seq"),
    })),
    grants: list(answer, "grants").map((grant) => ({
      from: number(grant, "nbf"),
      until: Math.min(number(grant, "exp"), optional(grant, "ended_at", number) ?? Infinity),
    })),
    stops: list(answer, "stops").map((stop) => number(stop, "since")),
  };
}

const STOPPED: Readonly<Record<string, string>> = {
  owner: "with everything of its owner's",
  entry: "by itself",
  agent: "by itself",
  proxy: "with its host",
  domain: "with everything here",
};

function stopsOf(answer: JsonObject, now: Seconds): Child {
  return list(answer, "stops").map((stop) =>
    h(
      "p",
      { class: "refusal" },
      icon("stop"),
      `Stopped ${moment(number(stop, "since"), now)}, ${STOPPED[text(stop, "scope")] ?? text(stop, "scope")}. An administrator lifts it; you then sign anew.`,
    ),
  );
}

/** The state of an agent in a mark and a sentence. */
function standing(
  answer: JsonObject,
  judged: readonly Judged[],
  now: Seconds,
): readonly [MarkState, string] {
  const host = nameOf(text(answer, "proxy"));
  const live = judged.find(({ grant }) => !isOver(grant, now));
  if (list(answer, "stops").length > 0) return ["stopped", `Stopped on ${host}.`];
  if (live !== undefined) {
    const until = moment(number(live.grant, "exp"), now);
    return live.isStrange
      ? ["agent", `Works on ${host} until ${until}, signed for with ${STRANGE}.`]
      : ["signed", `Works on ${host}. Signed for by you until ${until}.`];
  }
  return ["nobody", `Registered for ${host}. Nobody has signed for it now.`];
}

/** The ways to stop: each is made once and kept, so that nothing that happens takes a question or its outcome away. */
class Stops {
  readonly #app: App;
  readonly #made: Map<string, HTMLElement> = new Map();
  /** Those that were used: their outcome stays. */
  readonly #used: Set<string> = new Set();

  constructor(app: App) {
    this.#app = app;
  }

  panel(answer: JsonObject, agents: readonly JsonObject[], live: Judged | undefined): HTMLElement {
    const entry = text(answer, "entry");
    const name = nameOf(entry);
    const host = nameOf(text(answer, "proxy"));
    const there = agents.filter(
      (agent) => agent["proxy"] === answer["proxy"] && agent["state"] !== "stopped",
    );
    const ways = new Map<string, Target>();
    if (list(answer, "stops").length === 0) ways.set(entry, agentTarget(entry, `Stop ${name}…`));
    if (live !== undefined) ways.set(text(live.grant, "cs"), approvalTarget(name, live));
    if (there.length > 1) {
      const label = `Stop your ${there.length} agents on ${host}…`;
      ways.set(host, { ...hostTarget(host, there), label, name: label });
    }
    for (const [key, target] of ways) this.#make(key, target);
    const shown = [...this.#made].filter(([key]) => ways.has(key) || this.#used.has(key));
    return panel(
      "Stop",
      "needs no key",
      h(
        "div",
        { class: "panel-body stop-ways" },
        shown.map(([, way]) => way),
        h("p", { class: "note" }, LEARNS),
      ),
    );
  }

  #make(key: string, target: Target): void {
    if (this.#made.has(key)) return;
    this.#made.set(
      key,
      stopper(this.#app, target, () => this.#used.add(key)),
    );
  }
}

const LEARNS =
  "Keys are gone within a second where the host is connected. A service that looks only at the credential learns of it when that ends.";

const approvalTarget = (name: string, { grant }: Judged): Target => ({
  label: "End this approval…",
  question: `End the approval of ${name}? It may ask you anew.`,
  whom: "it",
  verb: "End",
  orders: [{ scope: "grant", target: text(grant, "cs") }],
});

/** One agent: what it got and gets, what it may, how its host looks, and stopping it. */
export function agentPage(app: App, name: string): Page {
  const body = h("div", { class: "agent" });
  const lead = h("span", {});
  const marked = h("span", { class: "page-mark" }, mark("nobody", "mark mark-large"));
  const stops = new Stops(app);
  const load = async (): Promise<readonly Child[]> => {
    const [answer, all, known] = await Promise.all([
      app.api.get(`/v1/owner/agents/${encodeURIComponent(name)}`),
      app.api.get("/v1/owner/agents"),
      knownKeys(app),
    ]);
    const now = number(answer, "now");
    const host = nameOf(text(answer, "proxy"));
    const grants = list(answer, "grants");
    const judged = await Promise.all(grants.map((grant) => judge(app, grant, known)));
    const [state, words] = standing(answer, judged, now);
    fill(marked, mark(state, "mark mark-large"));
    lead.textContent = words;
    const live = judged.find(({ grant }) => !isOver(grant, now));
    const alive = list(answer, "credentials").filter((row) => number(row, "exp") > now);
    const past = judged.filter((one) => one !== live);
    const isKnown = answer["facts"] !== undefined;
    return [
      stopsOf(answer, now),
      judged.length === 0
        ? h("p", { class: "empty" }, "You have not approved it yet.")
        : lifePanel(lifeOf(factsOf(answer), now)),
      h(
        "div",
        { class: "agent-columns" },
        h(
          "div",
          { class: "agent-column" },
          live === undefined ? undefined : allowsPanel(live, alive.length, now),
          stops.panel(answer, list(all, "agents"), live),
        ),
        isKnown
          ? h("div", { class: "agent-column" }, hostPanel(answer, now), programPanel(answer, host))
          : undefined,
      ),
      past.map((one) => pastApproval(one, now)),
      h("p", { class: "note agent-id" }, optional(answer, "agent", text) ?? text(answer, "entry")),
    ];
  };
  const again = (): void => void loaded(body, load);
  again();
  const back = h(
    "nav",
    { attrs: { "aria-label": "Back" } },
    link([icon("back"), "Agents"], "#/agents", "back"),
  );
  return {
    title: name,
    root: h("div", {}, head(name, lead, [back, marked]), body),
    close: app.onChange(again),
  };
}
