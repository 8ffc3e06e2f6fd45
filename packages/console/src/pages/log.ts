import { isObject } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { App, Page } from "../app.ts";
import type { CheckedEntry } from "../checked.ts";
import { knownKeys, STRANGE } from "../known-keys.ts";
import { nameOf, object, optional, text } from "../read.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { head, loaded, refill, refusal, simpleButton } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";
import { habitsPanel } from "./habits.ts";
import { CheckAll, Ledger, readPart } from "./log-check.ts";
import type { LogPart } from "./log-check.ts";

/** Entries that are not in the log, beyond those shown: as many are told one by one. */
const MAX_BAD_ROWS = 25;

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
  "key.known": "was said to be yours: the key",
  "key.recovery_announced": "a recovery of your keys was announced",
  "key.recovered": "your keys were recovered",
  "key.recovery_cancelled": "a recovery of your keys was cancelled",
  "owner.invitation_cancelled": "an invitation of yours was cancelled",
  "owner.push_subscribed": "a device takes notices, by the key",
  "owner.push_ended": "a device takes no more notices; its key was",
  "owner.stop_codes_made": "new stop codes of yours were made",
  "admin.stop_codes_made": "an administrator made new stop codes of yours",
  "admin.owner_invited": "an administrator invited you to make a passkey",
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
  "entry.added": "was registered for you by an administrator",
  "entry.changed": "was registered anew by an administrator",
  "entry.removed": "is registered no more: an administrator removed it",
};
const GIVEN_AWAY = "was taken from you by an administrator: others approve it now";

function subjectOf(record: JsonObject): string | undefined {
  const { entry, target } = record;
  // an administrator's record holds the whole of it
  const id = isObject(entry) ? entry["id"] : (entry ?? target);
  return typeof id !== "string" || id.startsWith("urn:") ? undefined : nameOf(id);
}

/** Whether the entry of this record is approved by others than this owner. */
function isGivenAway({ type, record }: CheckedEntry, owner: string): boolean {
  const { entry } = record;
  if (type !== "entry.changed" || !isObject(entry)) return false;
  const { owners } = object(entry["parties"]);
  return entry["owner"] !== owner && !(Array.isArray(owners) && owners.includes(owner));
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

function wordsOf(entry: CheckedEntry, { owner, known }: Reader): string {
  const { type, record } = entry;
  if (isGivenAway(entry, owner)) return GIVEN_AWAY;
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

/** Result first: whoever has just waited for it has the focus there. */
function summary(ledger: Ledger): HTMLElement {
  const { isGood, words } = ledger.result();
  return h(
    "p",
    { class: `log-result ${isGood ? "log-good" : "log-bad"}`, attrs: { tabindex: -1 } },
    icon(isGood ? "check" : "warning"),
    words,
  );
}

/** What is shown of the log: the newest entries, older ones on demand, and every one that is not in it. */
class LogBody {
  readonly root: HTMLElement = h("div", { class: "log" });
  readonly #app: App;
  readonly #ledger = new Ledger();
  readonly #checkAll: CheckAll;
  #shown: readonly CheckedEntry[] = [];
  /** Index before which nothing is shown. */
  #next = 0;
  /** Found beyond what is shown. */
  #bad: readonly CheckedEntry[] = [];
  #known: ReadonlySet<string> = new Set();

  constructor(app: App) {
    this.#app = app;
    this.#checkAll = new CheckAll(
      app,
      this.#ledger,
      (part) => this.#take(part),
      () => this.#told(),
    );
  }

  close(): void {
    this.#checkAll.close();
  }

  /** The newest entries; what was shown and judged before stays, if they reach down to it. */
  async load(): Promise<readonly Child[]> {
    const [part, known] = await Promise.all([readPart(this.#app), knownKeys(this.#app)]);
    this.#known = known;
    const oldest = part.entries.at(-1)?.seq ?? 0;
    const isJoined = (this.#shown[0]?.seq ?? -1) >= oldest;
    this.#ledger.take(part, !isJoined);
    this.#shown = [...part.entries, ...this.#shown.filter(({ seq }) => isJoined && seq < oldest)];
    if (!isJoined) [this.#next, this.#bad] = [part.next, []];
    return this.#draw();
  }

  async #more(): Promise<void> {
    const part = await readPart(this.#app, { before: this.#next });
    this.#take(part);
    this.#shown = [...this.#shown, ...part.entries];
    this.#next = part.next;
    this.#bad = this.#bad.filter(({ seq }) => seq < this.#next);
    refill(this.root, this.#draw());
    this.#app.say(`${part.entries.length} older entries are shown.`);
  }

  #take(part: LogPart): void {
    this.#ledger.take(part);
    const bad = part.entries.filter(({ problem }) => problem !== undefined);
    this.#bad = [...this.#bad, ...bad].slice(0, MAX_BAD_ROWS);
  }

  /** Everything was gone through, or as much as he wanted. */
  #told(): void {
    refill(this.root, this.#draw());
    this.root.querySelector<HTMLElement>(".log-result")?.focus();
    this.#app.say(this.#ledger.result().words);
  }

  #rows(entries: readonly CheckedEntry[]): HTMLElement {
    const reader = { owner: this.#app.session.owner.id, known: this.#known };
    const now = this.#app.now();
    return h(
      "ul",
      { class: "rows" },
      entries.map((entry) => row(entry, reader, now)),
    );
  }

  #draw(): readonly Child[] {
    if (this.#shown.length === 0)
      return [h("p", { class: "empty" }, "The log says nothing of you yet.")];
    this.#checkAll.offer();
    const bad = this.#bad.filter(({ seq }) => seq < this.#next);
    return [
      summary(this.#ledger),
      this.#checkAll.root,
      bad.length === 0 ? undefined : this.#rows(bad),
      this.#rows(this.#shown),
      this.#next === 0
        ? undefined
        : simpleButton("Show older entries", "plain", () => {
            this.#more().catch((error: unknown) => this.root.prepend(refusal(error)));
          }),
    ];
  }
}

/** The owner's entries of the log, each judged here. */
export function logPage(app: App): Page {
  const body = new LogBody(app);
  const habits = habitsPanel(app);
  const loadAll = (): void => {
    void loaded(body.root, () => body.load());
    void habits.load();
  };
  loadAll();
  const lead =
    "What was decided about your agents and keys. A server that shows what its log does not hold is found out here.";
  const unfollow = app.onChange(loadAll);
  return {
    title: "Log",
    root: h("div", {}, head("Log", lead), body.root, habits.element),
    close: () => {
      unfollow();
      body.close();
    },
  };
}
