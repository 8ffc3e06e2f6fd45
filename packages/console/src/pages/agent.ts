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
import type { App, Page } from "../app.ts";
import { observedPanel } from "../observed.ts";
import { list, nameOf, number, object, optional, text } from "../read.ts";
import { h, svg } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { facts, head, link, loaded, panel } from "../ui/parts.ts";
import { left, moment, utc } from "../ui/time.ts";

const BAR_WIDTH = 600;
const BAR_HEIGHT = 28;

/** A grant, and whether its owner's signature fits the text, judged here. */
interface Judged {
  readonly grant: JsonObject;
  readonly words: string;
  readonly isSigned: boolean;
}

/**
 * Verifies an approval from the octets that were signed. A signature of several owners, or of the pages of another
 * console, is not judged here: that is said, and is no tick.
 */
async function judge(app: App, grant: JsonObject): Promise<Judged> {
  const preSigned = grant["model"] === "agent";
  const statement = readStatement(app.c, fromBase64url(text(grant, "statement")), { preSigned });
  const words = signedText(statement);
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
    return { grant, words, isSigned: statement.cs === text(grant, "cs") };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { grant, words, isSigned: false };
  }
}

/** The life of the newest approval: a bar for each credential, a stroke where it was signed, and now. Also a table below. */
function timeBar(grant: JsonObject, credentials: readonly JsonObject[], now: Seconds): SVGElement {
  const from = number(grant, "nbf");
  const until = number(grant, "exp");
  const at = (t: number): number =>
    Math.round((BAR_WIDTH * (Math.min(Math.max(t, from), until) - from)) / (until - from));
  const bars = credentials.map((row) => {
    const x = at(number(row, "iat"));
    const width = Math.max(2, at(number(row, "exp")) - x);
    return svg("rect", { class: "bar-credential", x, y: 8, width, height: 12 });
  });
  const line = (t: number, name: string): SVGElement =>
    svg("line", { class: name, x1: at(t), x2: at(t), y1: 0, y2: BAR_HEIGHT });
  return svg(
    "svg",
    {
      class: "time-bar",
      viewBox: `-2 0 ${BAR_WIDTH + 4} ${BAR_HEIGHT}`,
      "aria-hidden": "true",
      focusable: "false",
    },
    svg("rect", { class: "bar-life", x: 0, y: 12, width: BAR_WIDTH, height: 4 }),
    ...bars,
    line(from, "bar-signed"),
    line(now, "bar-now"),
  );
}

function credentialTable(credentials: readonly JsonObject[], now: Seconds): HTMLElement {
  const columns = ["Number", "From", "Until", "Log entry"];
  const rows = credentials.map((row) =>
    h(
      "tr",
      {},
      h("td", { class: "numeric" }, String(optional(row, "n", number) ?? "–")),
      h("td", {}, moment(number(row, "iat"), now)),
      h("td", {}, moment(number(row, "exp"), now)),
      h("td", { class: "numeric" }, String(number(row, "seq"))),
    ),
  );
  const header = h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map((name) => h("th", { attrs: { scope: "col" } }, name)),
    ),
  );
  const table = h("table", { class: "table" }, header, h("tbody", {}, rows));
  const region = { tabindex: 0, role: "region", "aria-label": "Credentials" };
  return h("div", { class: "table-scroll", attrs: region }, table);
}

function grantPanel({ grant, words, isSigned }: Judged, now: Seconds): HTMLElement {
  const ended = optional(grant, "ended_at", number);
  const until = number(grant, "exp");
  const isOver = ended !== undefined || now >= until;
  const checked = isSigned
    ? h(
        "p",
        { class: "log-good" },
        icon("check"),
        "The owner's signature fits this text, checked in this browser",
      )
    : h("p", { class: "note" }, "The signature was not checked in this browser.");
  const count = `${number(grant, "issued")} of ${number(grant, "max_issue")} given, at most ${number(grant, "max_live")} at the same time`;
  const life =
    ended === undefined
      ? `until ${utc(until)}${isOver ? "" : ` (${left(until - now)} left)`}`
      : `ended ${moment(ended, now)}: ${optional(grant, "ended_why", text) ?? "not known why"}`;
  return h(
    "section",
    { class: "panel" },
    h(
      "header",
      { class: "panel-head" },
      h("h2", {}, isOver ? "Approval, over" : "Approval"),
      h("p", { class: "note mono" }, text(grant, "cs").slice(8, 16)),
    ),
    facts([
      ["Life", life],
      ["Credentials", count],
      ["Signature", checked],
    ]),
    h("details", {}, h("summary", {}, "The signed text"), h("div", { class: "full-text" }, words)),
  );
}

function stopsOf(answer: JsonObject, now: Seconds): Child {
  return list(answer, "stops").map((stop) =>
    h(
      "p",
      { class: "refusal" },
      icon("stop"),
      `Stopped ${moment(number(stop, "since"), now)} (${text(stop, "scope")}). An administrator lifts it; you then sign anew.`,
    ),
  );
}

/** One agent: what it may, what it got, how its host looked, and stopping it. */
export function agentPage(app: App, name: string): Page {
  const body = h("div", { class: "agent" });
  const lead = h("span", {});
  const load = async (): Promise<readonly Child[]> => {
    const answer = await app.api.get(`/v1/owner/agents/${encodeURIComponent(name)}`);
    const now = number(answer, "now");
    const host = nameOf(text(answer, "proxy"));
    lead.textContent = `On ${host}. ${optional(answer, "agent", text) ?? "It has not asked yet."}`;
    const judged = await Promise.all(list(answer, "grants").map((grant) => judge(app, grant)));
    const credentials = list(answer, "credentials");
    const [newest] = judged;
    const life =
      newest === undefined
        ? undefined
        : panel(
            "Credentials",
            `${credentials.length} shown`,
            h("div", { class: "panel-body" }, timeBar(newest.grant, credentials, now)),
            credentialTable(credentials, now),
          );
    return [
      stopsOf(answer, now),
      judged.length === 0 ? h("p", { class: "empty" }, "You have not approved it yet.") : undefined,
      life,
      judged.map((one) => grantPanel(one, now)),
      answer["facts"] === undefined ? undefined : observedPanel(answer, host),
      h("p", {}, link([icon("stop"), `Stop ${name}…`], "#/stop", "button button-stop")),
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
    root: h("div", {}, head(name, lead, [back, mark("signed", "mark mark-large")]), body),
    close: app.onChange(again),
  };
}
