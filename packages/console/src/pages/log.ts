import type { JsonObject } from "@countersign/core";
import type { App, Page } from "../app.ts";
import { checkEntry, isKnownLog } from "../checked.ts";
import type { CheckedEntry } from "../checked.ts";
import { knownKeys, STRANGE } from "../known-keys.ts";
import { list, nameOf, number, object, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { head, loaded, refusal, simpleButton } from "../ui/parts.ts";
import { clockTime, moment } from "../ui/time.ts";
import { habitsPanel } from "./habits.ts";

/** What an entry says, in words; a type that has none is named as it is. */
const WORDS: Readonly<Record<string, string>> = {
  "approval.asked": "asked for your approval",
  "approval.approved": "was approved by you with",
  "approval.signed": "was signed by you, and waits for others:",
  "approval.denied": "was denied by you",
  "approval.mismatched": "was answered with wrong digits",
  "approval.expired": "ended without an answer",
  "approval.presigned": "was approved by you beforehand with",
  "credential.issued": "got a credential",
  "key.added": "a key of yours was added",
  "key.removed": "a key of yours was removed",
  "key.suspended": "a key of yours was suspended",
  "key.resumed": "a key of yours was taken up again",
  "key.recovery_announced": "a recovery of your keys was announced",
  "key.recovered": "your keys were recovered",
  "key.recovery_cancelled": "a recovery of your keys was cancelled",
  "owner.push_subscribed": "a device takes notices, by the key",
  "owner.push_ended": "a device takes no more notices; its key was",
  "owner.stop_codes_made": "new stop codes of yours were made",
  "admin.stop_codes_made": "an administrator made new stop codes of yours",
  "admin.owner_invited": "an administrator invited you to make your first key",
  "admin.webhook_added": "an administrator has notices of yours posted to",
  "admin.webhook_rotated": "notices of yours are signed with a new secret for",
  "admin.webhook_enabled": "notices of yours are posted again to",
  "admin.webhook_removed": "notices of yours are posted no more to",
  "notice.webhook_disabled": "notices of yours were not taken any more by",
  "approval.announced": "was announced by you",
  "approval.starters_changed": "the users who start in your name were changed",
  "approval.unblocked": "may ask again",
  "halt.set": "stopped",
  "halt.lifted": "a stop was lifted",
};

function subjectOf(record: JsonObject): string | undefined {
  const entry = optional(record, "entry", text) ?? optional(record, "target", text);
  return entry === undefined || entry.startsWith("urn:") ? undefined : nameOf(entry);
}

/** What a signature in one's own name is called where the key is not one's own. */
const STRANGE_WORDS: Readonly<Record<string, string>> = {
  "approval.approved": `was approved with ${STRANGE}:`,
  "approval.signed": `was signed with ${STRANGE}:`,
  "approval.presigned": `was approved beforehand with ${STRANGE}:`,
};

/** Whose the entries are, and which keys are his. */
interface Reader {
  readonly owner: string;
  readonly known: ReadonlySet<string>;
}

function wordsOf({ type, record }: CheckedEntry, { owner, known }: Reader): string {
  const { key, owner: signer } = record;
  const isStrange = signer === owner && typeof key === "string" && !known.has(key);
  return (isStrange ? STRANGE_WORDS[type] : undefined) ?? WORDS[type] ?? type;
}

function said(entry: CheckedEntry, reader: Reader): Child {
  const words = wordsOf(entry, reader);
  const subject = subjectOf(entry.record);
  const key = optional(entry.record, "key", text)?.slice(0, 8);
  const what = key ?? optional(entry.record, "host", text);
  return [
    subject === undefined ? undefined : h("strong", {}, `${subject} `),
    words,
    what === undefined ? undefined : [" ", h("span", { class: "mono" }, what)],
  ];
}

function save(entry: CheckedEntry): void {
  const blob = new Blob([entry.proof], { type: "text/plain" });
  const url = URL.createObjectURL(blob);
  h("a", { attrs: { href: url, download: `entry-${entry.seq}.tlog-proof` } }).click();
  URL.revokeObjectURL(url);
}

function row(entry: CheckedEntry, reader: Reader, now: number): HTMLElement {
  const isGood = entry.problem === undefined;
  const words = isGood ? "checked here" : "not in the log";
  const note = isGood
    ? undefined
    : h(
        "p",
        { class: "log-problem" },
        "The server showed an entry that its log does not hold. Save the proof; show it to somebody else.",
      );
  return h(
    "li",
    { class: "row row-log" },
    h("p", { class: "mono note" }, String(entry.seq)),
    h("div", { class: "row-text" }, h("p", { class: "log-said" }, said(entry, reader)), note),
    h("p", { class: "note" }, moment(entry.t, now)),
    h("p", { class: isGood ? "log-good" : "log-bad" }, icon(isGood ? "check" : "warning"), words),
    simpleButton("Save proof", "plain", () => save(entry)),
  );
}

/** Result first, then the entries. */
function summary(entries: readonly CheckedEntry[], isKnown: boolean, now: number): HTMLElement {
  const bad = entries.filter(({ problem }) => problem !== undefined).length;
  if (!isKnown)
    return h(
      "p",
      { class: "log-result log-bad" },
      icon("warning"),
      "This is another log than the one this browser has known so far. Ask your administrator whether it was started anew, and why.",
    );
  if (bad > 0)
    return h(
      "p",
      { class: "log-result log-bad" },
      icon("warning"),
      `${bad} of ${entries.length} entries are not in the log. Checked in this browser, not by the server.`,
    );
  return h(
    "p",
    { class: "log-result log-good" },
    icon("check"),
    `All ${entries.length} entries shown, up to ${clockTime(now)}, are in the log. Checked in this browser, not by the server.`,
  );
}

/** The owner's entries of the log, each judged here. */
export function logPage(app: App): Page {
  const body = h("div", { class: "log" });
  let shown: readonly CheckedEntry[] = [];
  const { id: owner } = app.session.owner;
  const draw = (
    answer: JsonObject,
    isKnown: boolean,
    known: ReadonlySet<string>,
  ): readonly Child[] => {
    const now = number(answer, "now");
    const next = optional(answer, "next", number);
    if (shown.length === 0) return [h("p", { class: "empty" }, "The log says nothing of you yet.")];
    const rows = shown.map((entry) => row(entry, { owner, known }, now));
    const older =
      next === undefined
        ? undefined
        : simpleButton("Show older entries", "plain", () => void more(next));
    return [summary(shown, isKnown, now), h("ul", { class: "rows" }, rows), older];
  };
  const load = async (before?: number): Promise<readonly Child[]> => {
    const [answer, known] = await Promise.all([
      app.api.get(`/v1/owner/log${before === undefined ? "" : `?before=${before}`}`),
      knownKeys(app),
    ]);
    const vkey = text(object(answer["log"]), "vkey");
    const entries = list(answer, "entries").map((entry) => checkEntry(app.c, entry, vkey));
    const checked = await Promise.all(entries);
    shown = before === undefined ? checked : [...shown, ...checked];
    return draw(answer, isKnownLog(localStorage, vkey), known);
  };
  const more = (next: number): Promise<void> =>
    load(next)
      .then((children) => fill(body, children))
      .catch((error: unknown) => body.prepend(refusal(error)));
  const habits = habitsPanel(app);
  const loadAll = (): void => {
    void loaded(body, load);
    void habits.load();
  };
  loadAll();
  const lead =
    "What was decided about your agents and keys. A server that shows what its log does not hold is found out here.";
  return {
    title: "Log",
    root: h("div", {}, head("Log", lead), body, habits.element),
    close: app.onChange(loadAll),
  };
}
