import type { JsonObject } from "@countersign/core";
import type { App } from "./app.ts";
import { checkEntry, isKnownLog } from "./checked.ts";
import type { Opened } from "./opened.ts";
import { list, nameOf, number, object, text } from "./read.ts";
import { agentTarget } from "./stop-targets.ts";
import { stopper } from "./stopper.ts";
import { fill, h } from "./ui/dom.ts";
import type { Child } from "./ui/dom.ts";
import { icon } from "./ui/icons.ts";
import type { IconName } from "./ui/icons.ts";
import { link } from "./ui/parts.ts";
import { moment } from "./ui/time.ts";

/** How long it is waited for the first credential: who waits at his terminal fetches it at once. */
const LOOKS_MS = [300, 700, 1000, 2000, 4000, 8000] as const;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => window.setTimeout(resolve, ms));

function say(line: HTMLElement, name: IconName, words: Child, className = ""): void {
  line.className = className;
  fill(line, icon(name), words);
}

/**
 * Looks for the approval in the log, and judges the entry here. Where it took several owners, the entry names the text of
 * whoever signed first; it is found by the request that all of them answered.
 * @returns the digest by which the grant is known; undefined where it was not found
 */
async function findInLog(app: App, opened: Opened, line: HTMLElement): Promise<string | undefined> {
  const { body, rendering } = opened;
  const answer = await app.api.get("/v1/owner/log");
  const vkey = text(object(answer["log"]), "vkey");
  const approvals = list(answer, "entries").filter(({ type }) => type === "approval.approved");
  for (const entry of approvals) {
    const checked = await checkEntry(app.c, entry, vkey);
    if (checked.problem !== undefined || !isKnownLog(localStorage, vkey)) continue;
    const { cs, req } = checked.record;
    const isThis = body.grant.parties === undefined ? cs === rendering.cs : req === body.req;
    if (!isThis || typeof cs !== "string") continue;
    const seq = checked.seq.toLocaleString("en-US");
    const entryLink = link(`Entry ${seq}`, "#/log", "text-link");
    const words = h("span", {}, entryLink, " is in the log, checked in this browser");
    say(line, "check", words, "check-done");
    return cs;
  }
  say(line, "warning", "This browser did not find it in the log. Look at Log.", "check-open");
  return undefined;
}

/** Waits for the first credential under an approval. @returns its end; undefined where nobody fetched one */
async function firstCredential(
  app: App,
  { name, cs }: { readonly name: string; readonly cs: string },
  isThere: () => boolean,
): Promise<number | undefined> {
  for (const ms of LOOKS_MS) {
    await pause(ms);
    if (!isThere()) return undefined;
    const answer = await app.api.get(`/v1/owner/agents/${encodeURIComponent(name)}`);
    const got = list(answer, "credentials").find((row) => row["cs"] === cs);
    if (got !== undefined) return number(got, "exp");
  }
  return undefined;
}

async function nextRequest(app: App, id: string): Promise<JsonObject | undefined> {
  const now = app.now();
  return list(await app.api.get("/v1/owner/requests"), "requests").find(
    (row) => row["expected"] === true && row["id"] !== id && number(row, "deadline") > now,
  );
}

/** Where to go from there: to whoever asks next, else to the inbox. */
function nextWay(app: App, id: string): HTMLElement {
  const place = h("span", { class: "signed-next" });
  const inbox = (): Child => link("To the inbox", "#/inbox", "button button-plain");
  const to = (row: JsonObject): Child =>
    link(
      `Next: ${nameOf(text(row, "entry"))} asks`,
      `#/requests/${text(row, "id")}`,
      "button button-plain",
    );
  void nextRequest(app, id)
    .then((row) => fill(place, row === undefined ? inbox() : to(row)))
    .catch(() => fill(place, inbox()));
  return place;
}

/** Says when the first credential ends, or that nobody fetched it. */
async function tellCredential(
  app: App,
  { view, body }: Opened,
  {
    cs,
    line,
    lead,
  }: { readonly cs: string; readonly line: HTMLElement; readonly lead: HTMLElement },
): Promise<void> {
  const name = nameOf(text(view, "entry"));
  const of = { name, cs };
  const until = await firstCredential(app, of, () => line.isConnected).catch(() => undefined);
  if (!line.isConnected) return;
  if (until === undefined) {
    lead.textContent = `Approved. ${name} gets its credential when it asks again.`;
    say(line, "clock", "Nobody waits for it now");
    app.say(lead.textContent);
    return;
  }
  lead.textContent = `${name} has its credential. Both signatures are there.`;
  const end = moment(until, app.now()).replace("today ", "");
  const then = body.grant.use === "single" ? "it is the only one" : "then it renews itself";
  say(line, "clock", `First credential ends at ${end}, ${then}`);
}

/** What is known after signing, as it becomes known. @param lead the sentence below the title */
export function signedAside(app: App, opened: Opened, lead: HTMLElement): HTMLElement {
  const { view, rendering } = opened;
  const entry = text(view, "entry");
  const name = nameOf(entry);
  const log = h("li", {}, icon("clock"), "Looking for it in the log…");
  const got = h("li", {}, icon("clock"), `Waiting for ${name} to fetch its credential…`);
  const signed = h("li", {});
  say(signed, "check", "Your signature fits this text, checked in this browser", "check-done");
  void findInLog(app, opened, log)
    .catch(() => {
      say(log, "warning", "The log was not reached. Look at Log later.", "check-open");
      return undefined;
    })
    .then((cs = rendering.cs) => tellCredential(app, opened, { cs, line: got, lead }));
  return h(
    "aside",
    { class: "decide", attrs: { "aria-label": "What happened" } },
    h("ul", { class: "checks" }, signed, log, got),
    h(
      "div",
      { class: "signed-ways" },
      link(`See ${name}`, `#/agents/${name}`, "button button-plain"),
      nextWay(app, text(view, "id")),
      stopper(app, agentTarget(entry, `Stop ${name}…`)),
    ),
    h("p", { class: "note" }, "Changed your mind? Stopping works at once and needs no key."),
  );
}
