import type { App } from "../app.ts";
import { checkEntry, isKnownLog } from "../checked.ts";
import type { CheckedEntry } from "../checked.ts";
import { list, number, object, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import { refusal, simpleButton } from "../ui/parts.ts";
import { clockTime } from "../ui/time.ts";

/** Entries that are judged before the page has its turn again: it draws, and answers whoever uses it. */
const JUDGED_A_TURN = 25;
/** As many are parsed at once: more would keep the page from its turn. */
const FETCHED_AT_A_TIME = 100;

/** A part of the owner's log, each entry judged in this browser. */
export interface LogPart {
  readonly entries: readonly CheckedEntry[];
  /** Index before which there may be older ones; 0: there are none. */
  readonly next: number;
  /** Entries of the whole log, of all owners. */
  readonly size: number;
  readonly now: number;
  readonly isKnown: boolean;
}

const turn = (): Promise<void> => new Promise((resolve) => window.setTimeout(resolve));

/**
 * Fetches a part of the owner's log and judges it.
 * @param before only entries before this index; default: from the end
 * @param told after each turn, with the index that was reached
 */
export async function readPart(
  app: App,
  { before, count }: { readonly before?: number; readonly count?: number } = {},
  told: (at: number) => void = () => undefined,
): Promise<LogPart> {
  const query = new URLSearchParams();
  if (before !== undefined) query.set("before", String(before));
  if (count !== undefined) query.set("count", String(count));
  const asked = query.size === 0 ? "" : `?${query.toString()}`;
  const answer = await app.api.get(`/v1/owner/log${asked}`);
  const vkey = text(object(answer["log"]), "vkey");
  const shown = list(answer, "entries");
  const entries: CheckedEntry[] = [];
  for (let from = 0; from < shown.length; from += JUDGED_A_TURN) {
    if (from > 0) await turn();
    const some = shown.slice(from, from + JUDGED_A_TURN);
    entries.push(...(await Promise.all(some.map((entry) => checkEntry(app.c, entry, vkey)))));
    told(entries.at(-1)?.seq ?? 0);
  }
  return {
    entries,
    next: optional(answer, "next", number) ?? 0,
    size: number(answer, "size"),
    now: number(answer, "now"),
    isKnown: isKnownLog(localStorage, vkey),
  };
}

export const counted = (n: number): string => n.toLocaleString("en-US");

/** What was judged so far, from the newest entry on without a gap. */
export class Ledger {
  readonly #isGood = new Map<number, boolean>();
  #isKnown = true;
  #now = 0;
  /** Entries of the whole log, of all owners. */
  size: number = 0;
  /** Index before which nothing was judged yet; 0: all of it was. */
  next: number = Infinity;

  get count(): number {
    return this.#isGood.size;
  }

  /** @param isAnew what was judged before does not reach up to it */
  take({ entries, next, size, now, isKnown }: LogPart, isAnew = false): void {
    if (isAnew) {
      this.#isGood.clear();
      this.next = Infinity;
    }
    for (const { seq, problem } of entries) this.#isGood.set(seq, problem === undefined);
    this.next = Math.min(this.next, next);
    [this.size, this.#now] = [size, now];
    this.#isKnown &&= isKnown;
  }

  /** The result in a sentence or two, and whether it is a good one. */
  result(): { readonly isGood: boolean; readonly words: string } {
    if (!this.#isKnown)
      return {
        isGood: false,
        words:
          "This is another log than the one this browser has known so far. Ask your administrator whether it was started anew, and why.",
      };
    const bad = [...this.#isGood.values()].filter((isGood) => !isGood).length;
    const here = "Checked in this browser, not by the server.";
    if (bad > 0)
      return {
        isGood: false,
        words: `${counted(bad)} of ${counted(this.count)} entries ${bad === 1 ? "is" : "are"} not in the log. ${here}`,
      };
    const which = this.next === 0 ? "All" : "The newest";
    const what = this.count === 1 ? "1 entry of yours" : `${counted(this.count)} of your entries`;
    const are = this.count === 1 ? "is" : "are";
    const those = this.count === 1 ? "" : `${which} `;
    return {
      isGood: true,
      words: `${those}${what} up to ${clockTime(this.#now)} ${are} in the log. ${here}`,
    };
  }
}

/** Goes through everything that is older than what was judged, for as long as the owner lets it. */
export class CheckAll {
  readonly root: HTMLElement = h("div", { class: "log-check" });
  readonly #app: App;
  readonly #ledger: Ledger;
  readonly #took: (part: LogPart) => void;
  readonly #ended: () => void;
  readonly #words: HTMLElement = h("p", {});
  readonly #bar: HTMLProgressElement = h("progress", {
    attrs: { "aria-label": "Entries of the log gone through" },
  });
  #isWanted = false;
  #isClosed = false;

  /**
   * @param took told of each part, in order
   * @param ended told when nothing is left, or he has stopped it
   */
  constructor(app: App, ledger: Ledger, took: (part: LogPart) => void, ended: () => void) {
    this.#app = app;
    this.#ledger = ledger;
    this.#took = took;
    this.#ended = ended;
  }

  /** Offers it where something is left to check, unless it goes on already. */
  offer(): void {
    if (!this.#isWanted) fill(this.root, this.#ledger.next === 0 ? undefined : this.#button());
  }

  close(): void {
    this.#isClosed = true;
    this.#isWanted = false;
  }

  #button(): HTMLElement {
    return simpleButton("Check all your entries", "plain", () => void this.#run());
  }

  /** @param at index that was reached */
  #tell(at: number): void {
    const { size, count } = this.#ledger;
    this.#bar.max = size;
    this.#bar.value = size - at;
    this.#words.textContent = `Checking ${counted(size - at)} of ${counted(size)}. ${counted(count)} are yours so far.`;
  }

  async #run(): Promise<void> {
    const stop = simpleButton("Stop checking", "plain", () => (this.#isWanted = false));
    this.#tell(this.#ledger.next);
    fill(this.root, this.#words, this.#bar, stop);
    stop.focus();
    this.#isWanted = true;
    try {
      while (this.#isWanted && this.#ledger.next > 0) {
        const before = this.#ledger.next;
        const asked = { before, count: FETCHED_AT_A_TIME };
        this.#took(await readPart(this.#app, asked, (at) => this.#tell(at)));
        this.#tell(this.#ledger.next);
      }
      this.#isWanted = false;
      if (!this.#isClosed) this.#ended();
    } catch (error) {
      this.#isWanted = false;
      const again = this.#button();
      fill(this.root, refusal(error), again);
      again.focus();
    }
  }
}
