import type { Crypto, JsonObject } from "@countersign/core";
import type { Api } from "./api.ts";
import type { App, Page, PageMaker, Place, Session } from "./app.ts";
import { ComingNote, fetched } from "./fetched.ts";
import { watchingKey } from "./key-watch.ts";
import { keysNote } from "./keys-note.ts";
import { goLive } from "./live.ts";
import type { Live, Liveness } from "./live.ts";
import { Navigation } from "./navigation.ts";
import { OfflineNote } from "./offline.ts";
import { addressOf, Pages } from "./pages.ts";
import type { Address } from "./pages.ts";
import { leaveDevice } from "./push/device.ts";
import { list, nameOf, number, text } from "./read.ts";
import { fill, h } from "./ui/dom.ts";
import { mark } from "./ui/mark.ts";
import { simpleButton } from "./ui/parts.ts";
import { clockTime, moment } from "./ui/time.ts";

const CHANGES_SETTLE_MS = 150;
const CLOCK_MS = 1000;
const IDLE_MS = 1000;

interface Parts {
  readonly c: Crypto;
  readonly api: Api;
  readonly place: Place;
  readonly session: Session;
}

/** The mark on a tile; its right stroke is missing while a request waits. */
function showFavicon(isWaiting: boolean): void {
  const icons = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  if (icons !== null) icons.href = isWaiting ? "./waiting.svg" : "./signed.svg";
}

/** Once the browser has nothing better to do; a second later where it does not say so. */
function whenIdle(act: () => void): void {
  const { requestIdleCallback: idle } = window as Partial<Pick<Window, "requestIdleCallback">>;
  if (idle === undefined) window.setTimeout(act, IDLE_MS);
  else idle.call(window, act);
}

/** Everything around a page: side bar, liveness, what is spoken, which page the address names. */
export class Shell {
  readonly #parts: Parts;
  readonly #signedOut: (note?: string) => void;
  readonly #listeners = new Set<() => void>();
  readonly #main: HTMLElement = h("main", {
    class: "content",
    attrs: { id: "content", tabindex: -1 },
  });
  readonly #polite: HTMLElement = h("p", { class: "hidden", attrs: { "aria-live": "polite" } });
  readonly #loud: HTMLElement = h("p", { class: "hidden", attrs: { "aria-live": "assertive" } });
  readonly #status: HTMLElement = h("p", { class: "live", attrs: { role: "status" } });
  readonly #clock: HTMLElement = h("span", {
    class: "live-clock",
    attrs: { "aria-hidden": "true" },
  });
  readonly #navigation = new Navigation();
  readonly #note: ReturnType<typeof keysNote>;
  readonly #stops: readonly (() => void)[];
  readonly #live: Live;
  readonly #offline: OfflineNote = new OfflineNote(() => this.#live.retry());
  #liveness: Liveness = "lost";
  #waiting = 0;
  #known: ReadonlySet<string> = new Set();
  readonly #pages: Pages = new Pages();
  readonly #coming: ComingNote;
  #page: Page | undefined;
  /** Where the page that is shown stands. */
  #shownAt: string | undefined;
  /** What is said when the session ends. */
  #parting = "Your session has ended. Nothing was decided by that: sign in, and you read on here.";
  /** Counts what was asked for: only the last one is shown. */
  #turn = 0;
  #changed = 0;

  constructor({ api, ...parts }: Parts, signedOut: (note?: string) => void) {
    this.#parts = { ...parts, api: watchingKey(api, (words) => (this.#parting = words)) };
    this.#signedOut = signedOut;
    this.#note = keysNote(this.#app());
    this.#coming = new ComingNote(api);
    const routed = (): void => this.#show();
    window.addEventListener("hashchange", routed);
    const tick = window.setInterval(() => this.#tellTime(), CLOCK_MS);
    fill(document.body, this.#frame());
    this.#live = goLive(api, {
      event: () => this.#change(),
      liveness: (liveness) => this.#setLiveness(liveness),
    });
    this.#stops = [
      () => window.removeEventListener("hashchange", routed),
      () => window.clearInterval(tick),
      () => this.#note.close(),
      () => this.#live.stop(),
    ];
    this.#tellLiveness();
    this.#show();
  }

  close(): void {
    this.#turn += 1;
    for (const stop of this.#stops) stop();
    this.#coming.clear();
    this.#page?.close();
    window.clearTimeout(this.#changed);
    showFavicon(false);
  }

  #frame(): readonly HTMLElement[] {
    const { session, place } = this.#parts;
    const leave = simpleButton("Sign out", "plain", () => void this.#leave());
    return [
      h(
        "a",
        { class: "skip", attrs: { href: "#content" }, on: { click: (event) => this.#skip(event) } },
        "Skip to content",
      ),
      h(
        "nav",
        { class: "side", attrs: { "aria-label": "Console" } },
        h("p", { class: "logo" }, mark("signed", "mark mark-logo"), h("span", {}, "countersign")),
        this.#navigation.root,
        h(
          "div",
          { class: "side-foot" },
          h(
            "p",
            { class: "note" },
            h("strong", {}, session.owner.name),
            ` · ${place.trustDomain}. Signed in until ${moment(session.until, Date.now() / 1000).replace("today ", "")}. This session can read, deny and stop. Approving needs your passkey each time.`,
          ),
          leave,
        ),
      ),
      h(
        "div",
        { class: "column" },
        h("div", { class: "live-line" }, this.#status, this.#clock),
        this.#offline.root,
        this.#note.root,
        this.#coming.root,
        this.#main,
      ),
      this.#polite,
      this.#loud,
    ];
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.#main.querySelector("h1")?.focus();
  }

  async #leave(): Promise<void> {
    const { c, api, session } = this.#parts;
    await leaveDevice({ c, api, owner: session.owner.id }).catch(() => undefined);
    await api.post("/v1/owner/sign-out", {}).catch(() => undefined);
    this.#signedOut();
  }

  #app(): App {
    const { c, api, place, session } = this.#parts;
    return {
      c,
      api,
      place,
      session,
      now: () => api.now(),
      liveness: () => this.#liveness,
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      say: (words, how = "polite") => {
        (how === "polite" ? this.#polite : this.#loud).textContent = words;
      },
      go: (hash) => {
        window.location.hash = hash;
      },
    };
  }

  /** Shows what the address names, at once or when it has come; until then the page before it stays. */
  #show(): void {
    const address = addressOf(window.location.hash);
    const { name } = address;
    const turn = (this.#turn += 1);
    const maker = this.#pages.maker(name);
    if (maker !== undefined) return this.#put(address, maker);
    this.#coming.wait(this.#pages.label(name));
    fetched(this.#pages.fetch(name), this.#parts.api).then(
      (came) => {
        if (turn === this.#turn) this.#put(address, came);
      },
      (error: unknown) => {
        if (turn === this.#turn) this.#unfetched(address, error);
      },
    );
  }

  #put({ name, parameter, hash }: Address, maker: PageMaker): void {
    this.#coming.clear();
    this.#page?.close();
    this.#page = maker(this.#app(), parameter);
    this.#shownAt = hash;
    document.body.classList.toggle("without-tabs", this.#page.hidesTabs === true);
    fill(this.#main, this.#page.root);
    this.#navigation.tellPlace(name === "requests" ? "inbox" : name);
    this.#tellTitle();
    window.scrollTo(0, 0);
    // a page that has to be loaded first has no title yet
    (this.#main.querySelector("h1") ?? this.#main).focus({ preventScroll: true });
  }

  /** The address goes back to the page that stays, or to the inbox where there is none. */
  #unfetched({ hash }: Address, error: unknown): void {
    window.history.replaceState(null, "", this.#shownAt ?? "#/inbox");
    if (this.#shownAt === undefined) this.#show();
    this.#coming.failed(error, hash);
  }

  /** Says new ones politely; those that nobody announced are not among them. */
  #tellWaiting(rows: readonly JsonObject[]): void {
    const names = rows
      .filter((row) => !this.#known.has(text(row, "id")))
      .map((row) => nameOf(text(row, "entry")));
    const what = names.length === 1 ? "1 new request" : `${names.length} new requests`;
    if (names.length > 0) this.#polite.textContent = `${what}: ${names.join(", ")}`;
    this.#known = new Set(rows.map((row) => text(row, "id")));
    this.#waiting = rows.length;
    showFavicon(rows.length > 0);
    this.#navigation.tellWaiting(rows.length);
    this.#tellTitle();
  }

  #tellTitle(): void {
    const waiting = this.#waiting > 0 ? `(${this.#waiting}) ` : "";
    document.title = `${waiting}${this.#page?.title ?? "Inbox"} · countersign`;
  }

  #setLiveness(liveness: Liveness): void {
    if (liveness === "signed-out") {
      this.#signedOut(this.#parting);
      return;
    }
    const was = this.#liveness;
    this.#liveness = liveness;
    if (was !== liveness) this.#tellLiveness();
    if (liveness === "live") whenIdle(() => void this.#pages.fetchRest());
    // what changed while nobody listened
    if (liveness === "live" && was === "lost") this.#change();
  }

  /** Speaks only when its kind changes; the seconds beside it are for the eye. */
  #tellLiveness(): void {
    const isLive = this.#liveness === "live";
    this.#status.classList.toggle("is-live", isLive);
    this.#status.textContent = isLive ? "Live" : "Offline. Nothing is sent later by itself.";
    document.body.classList.toggle("is-offline", !isLive);
    this.#tellTime();
  }

  #tellTime(): void {
    this.#clock.textContent =
      this.#liveness === "live" ? `\u00a0· ${clockTime(Date.now() / 1000)}` : "";
    this.#offline.tell(this.#liveness === "live", this.#live.retryAtMs());
  }

  /** Who waits, on whichever page: decided requests count no more. */
  async #count(): Promise<void> {
    const answer = await this.#parts.api.get("/v1/owner/requests").catch(() => undefined);
    if (answer === undefined) return;
    const now = this.#parts.api.now();
    const waiting = list(answer, "requests").filter(
      (row) => row["expected"] === true && number(row, "deadline") > now,
    );
    this.#tellWaiting(waiting);
  }

  /** Many changes at once are one. */
  #change(): void {
    window.clearTimeout(this.#changed);
    this.#changed = window.setTimeout(() => {
      for (const listener of this.#listeners) listener();
      void this.#count();
    }, CHANGES_SETTLE_MS);
  }
}
