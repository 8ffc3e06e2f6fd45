import { Refusal, requestCode } from "@countersign/core";
import type { JsonObject, OwnerSignature } from "@countersign/core";
import { Problem } from "../api.ts";
import type { App, OwnKey, Page } from "../app.ts";
import { isMeant, missing, reason, TICK_MS } from "../gate.ts";
import type { GateState } from "../gate.ts";
import { claimedPanel, observedPanel } from "../observed.ts";
import { readOpened } from "../opened.ts";
import type { Opened } from "../opened.ts";
import { verifyOwn } from "../own-signature.ts";
import { signStatement } from "../passkey.ts";
import { list, nameOf, number, object, text } from "../read.ts";
import { Rereading, stillSeen } from "../renewed.ts";
import { watchSeen } from "../seen.ts";
import { TimeSpoken } from "../time-spoken.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { button, head, refusal } from "../ui/parts.ts";
import type { Button } from "../ui/parts.ts";
import {
  back,
  BLOCKED,
  denied,
  drawOver,
  drawSigned,
  focusTitle,
  mistyped,
  outcomeOf,
  outcomeOfOne,
} from "./request-over.ts";
import { changesPanel } from "./changes.ts";
import { DigitsStep } from "./request-digits.ts";
import { blankSheet, requestSheet, toFirstUnseen } from "./request-sheet.ts";
import type { RequestSheet } from "./request-sheet.ts";
import {
  announced,
  blockAgain,
  decisionPanel,
  digitsCheck,
  drawTime,
  markedCheck,
  reasons,
  unfitPage,
  waitingMark,
} from "./request-parts.ts";
import type { Outcome } from "./request-over.ts";

/** One request while it is open: what is signed, whether it may be, and what became of it. */
class RequestPage implements Page {
  readonly title = "Request";
  readonly root: HTMLElement = h("div", { class: "request" });
  readonly hidesTabs = true;
  readonly #app: App;
  readonly #id: string;
  readonly #key: OwnKey | undefined;
  /** What the server says of it; the text to sign only once the digits, where it asks for them, were right. */
  #view: JsonObject | undefined;
  #opened: Opened | undefined;
  #digits: DigitsStep | undefined;
  /** The digits that were right, as they were typed: a text made anew is asked for with them. */
  #typed: string | undefined;
  #sheet: RequestSheet | undefined;
  #seen = new Set<number>();
  #turnedOnAtMs = 0;
  #shownAtMs = performance.now();
  #isBusy = false;
  #isOver = false;
  #isOpening = false;
  /** What this page has asked for and not yet drawn. */
  #own: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  readonly #rereading = new Rereading();
  readonly #spoken = new TimeSpoken();
  #stops: (() => void)[] = [];
  #stopSeen: () => void = () => undefined;
  readonly #approve: Button;
  /** Ways to say no: on whenever it can be sent. */
  #noes: readonly Button[] = [];
  readonly #checks: HTMLElement = h("ul", { class: "checks" });
  readonly #time: HTMLElement = h("p", { class: "note" });
  readonly #problem: HTMLElement = h("div", {});
  readonly #bar: HTMLElement = h("p", { class: "bar-text" });

  constructor(app: App, id: string) {
    this.#app = app;
    this.#id = id;
    const { keys, jkt } = app.session;
    this.#key = keys.find((key) => key.jkt === jkt) ?? keys[0];
    this.#approve = button(
      [icon("keys"), "Approve with passkey"],
      "primary",
      () => this.#press(),
      () => this.#toMissing(),
    );
    const tick = window.setInterval(() => this.#tick(), TICK_MS);
    const shown = (): void => {
      this.#shownAtMs = performance.now();
      this.#tick();
    };
    const closing = new AbortController();
    const { signal } = closing;
    document.addEventListener("visibilitychange", shown, { signal });
    for (const name of ["focus", "online", "offline"])
      window.addEventListener(name, shown, { signal });
    this.#stops = [
      () => window.clearInterval(tick),
      () => closing.abort(),
      app.onChange(() => void this.#look()),
    ];
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#stopSeen();
    this.#digits?.close();
  }

  get #path(): string {
    return `/v1/owner/requests/${encodeURIComponent(this.#id)}`;
  }

  #open(typed = this.#typed): Promise<void> {
    if (this.#isOpening) return Promise.resolve();
    const opening = this.#openNow(typed);
    this.#own = opening;
    return opening;
  }

  async #openNow(typed: string | undefined): Promise<void> {
    this.#isOpening = true;
    try {
      const key = this.#key;
      if (key === undefined) {
        fill(this.root, back(), head("No passkey", "No key of yours can sign in this browser."));
        return;
      }
      const { api, c, place, session } = this.#app;
      const { jkt } = key;
      const view = await (typed === undefined
        ? api.get(`${this.#path}?jkt=${encodeURIComponent(jkt)}`)
        : api.post(`${this.#path}/statement`, { jkt, match: typed }));
      const signing = { jkt, owner: session.owner.id, place, typed };
      const isWanted = view["jcs"] === undefined && view["digits"] !== undefined;
      const opened = isWanted ? undefined : await readOpened(c, view, signing);
      // nothing changes under a finger that signs what stands there
      if (this.#isClosed || this.#isOver || this.#isBusy) return;
      this.#typed = typed;
      this.#draw(view, opened);
    } catch (error) {
      if (this.#isClosed || this.#isBusy) return;
      if (typed === undefined || this.#opened !== undefined) await this.#ended(error);
      else await this.#mistyped(error);
    } finally {
      this.#isOpening = false;
    }
  }

  /** Wrong digits are counted by the server, which says what is left; anything else leaves the page as it is. */
  async #mistyped(error: unknown): Promise<void> {
    if (!(error instanceof Problem)) return fill(this.#problem, refusal(error));
    if (error.reason !== "digits_mismatched") return this.#ended(error);
    const view = await this.#app.api.get(this.#path).catch(() => undefined);
    if (view === undefined) return fill(this.#problem, refusal(error));
    if (text(view, "state") !== "asked") return this.#over(mistyped(view, this.#app.now()));
    this.#digits?.wrong(number(object(view["digits"]), "tries_left"));
  }

  /** A request that cannot be opened any more still says what became of it. */
  async #ended(error: unknown): Promise<void> {
    const isEnd =
      error instanceof Problem && ["already_decided", "approval_expired"].includes(error.reason);
    if (isEnd) {
      const view = await this.#app.api.get(this.#path).catch(() => undefined);
      if (view !== undefined) {
        this.#over(outcomeOf(view, this.#app));
        return;
      }
    }
    this.#opened = undefined; // nothing that is not shown is signed
    if (error instanceof Refusal)
      fill(
        this.root,
        unfitPage(error, this.#problem, () => this.#deny()),
      );
    else fill(this.root, back(), head("Request", "It could not be opened."), refusal(error));
  }

  #gate(view: JsonObject): GateState {
    const typed = this.#typed === undefined ? "none" : "matched";
    return {
      digits: this.#opened === undefined ? "wanted" : typed,
      markedCount: this.#sheet?.marked.length ?? 0,
      seen: this.#seen,
      textEnds: this.#opened?.body.exp ?? Infinity,
      requestEnds: number(view, "deadline"),
      isOnline: navigator.onLine && this.#app.liveness() !== "lost",
      isBusy: this.#isBusy,
    };
  }

  #draw(view: JsonObject, opened: Opened | undefined): void {
    this.#stopSeen();
    const before = this.#opened;
    [this.#view, this.#opened] = [view, opened];
    const name = nameOf(text(view, "entry"));
    const host = nameOf(text(view, "proxy"));
    const code = opened?.rendering.code ?? requestCode(this.#app.c, text(view, "request"));
    if (opened === undefined) this.#digits ??= new DigitsStep(code, view, (two) => this.#open(two));
    else if (this.#typed !== undefined && before === undefined) {
      this.#digits?.matched();
      this.#app.say("The digits match. The text to sign is there.");
    }
    const drawn = opened === undefined ? undefined : this.#drawSheet(opened, before, host);
    this.#sheet = drawn;
    const observed = observedPanel(view, host); // first where there is nothing that could have changed
    fill(
      this.root,
      head(`${name} asks for a credential`, announced(view, host), [back(), waitingMark()]),
      this.#digits?.above,
      h(
        "div",
        { class: "request-columns" },
        h(
          "div",
          { class: "request-sheet" },
          changesPanel(view, this.#app.now()),
          reasons(view),
          view["diff"] === undefined && observed,
          drawn?.renewed,
          drawn?.element ?? blankSheet(),
          view["diff"] !== undefined && observed,
          claimedPanel(view),
        ),
        this.#decisions(code, name, host),
      ),
    );
    if (drawn !== undefined)
      this.#stopSeen = watchSeen(drawn.marked, (index) => {
        this.#seen.add(index);
        this.#tick();
      });
    this.#tick();
    focusTitle(this.root);
  }

  /** The sheet, and above it what a text made anew says otherwise: one more line that must be seen. */
  #drawSheet(opened: Opened, before: Opened | undefined, host: string): RequestSheet {
    const wasRead = this.#seen.size >= (this.#sheet?.marked.length ?? 0);
    const renewed = this.#rereading.noteOf(opened, before, wasRead);
    this.#seen = stillSeen(this.#seen, before, opened.rendering);
    return requestSheet(opened, { host, keyName: this.#key?.name ?? "", renewed });
  }

  #decisions(code: string, name: string, host: string): HTMLElement {
    this.#noes = [
      button("Deny", "plain", () => this.#deny()),
      button("Deny and block", "stop", () => this.#askBlock(name, host)),
    ];
    return decisionPanel(code, {
      digits: this.#digits?.inside,
      checks: this.#checks,
      problem: this.#problem,
      bar: this.#bar,
      buttons: [this.#approve, ...this.#noes],
      time: this.#time,
    });
  }

  #tick(): void {
    const view = this.#view;
    if (view === undefined || this.#isOver) return;
    const now = this.#app.now();
    const steps = missing(this.#gate(view), now);
    const why = reason(steps);
    const wasOff = this.#approve.element.getAttribute("aria-disabled") === "true";
    if (wasOff && why === undefined) this.#turnedOnAtMs = performance.now();
    if (!this.#isBusy) this.#approve.setOff(why);
    const unsent = steps.includes("online") ? reason(["online"]) : undefined;
    for (const no of this.#noes) no.setOff(unsent);
    this.#bar.textContent = why ?? "Ready to sign";
    this.#drawChecks();
    const rest = this.#opened === undefined ? undefined : this.#opened.body.exp - now;
    const left = { request: number(view, "deadline") - now, text: rest };
    drawTime(this.#app, this.#time, left, this.#spoken);
    if (steps.includes("request")) void this.#ended(new Problem(410, "approval_expired", "", ""));
    else if (steps.includes("text") && !this.#isBusy && navigator.onLine) void this.#open();
  }

  #drawChecks(): void {
    const count = this.#sheet?.marked.length ?? 0;
    fill(
      this.#checks,
      count === 0 ? undefined : markedCheck(Math.min(this.#seen.size, count), count),
      this.#digits === undefined ? undefined : digitsCheck(this.#typed !== undefined),
    );
  }

  #toMissing(): void {
    if (this.#opened === undefined) this.#digits?.focus();
    else toFirstUnseen(this.#sheet?.marked ?? [], this.#seen);
  }

  #press(): void {
    if (this.#isBusy || !isMeant(performance.now(), this.#turnedOnAtMs, this.#shownAtMs)) return;
    void this.#sign();
  }

  async #sign(): Promise<void> {
    const { api, c, place } = this.#app;
    const opened = this.#opened;
    const key = this.#key;
    if (opened === undefined || key === undefined) return;
    this.#isBusy = true;
    fill(this.#problem);
    this.#approve.setBusy("Waiting for your passkey…");
    try {
      const sig = await signStatement(c, opened.statement.bytes, place.rpId, key.credentialId);
      this.#approve.setBusy("Sending your signature…");
      const answer = await api.post(`${this.#path}/decision`, {
        decision: "approve",
        statement: text(opened.view, "jcs"),
        sig: { ...sig },
      });
      if (answer["state"] === "signed") this.#over(outcomeOfOne(opened.view, answer));
      else await this.#signed(opened, sig, key);
    } catch (error) {
      fill(this.#problem, refusal(error));
    } finally {
      this.#isBusy = false;
      this.#approve.setBusy();
      this.#tick();
    }
  }

  /** The signature is verified here once more, as a stranger would, before the line is filled. */
  async #signed(opened: Opened, sig: OwnerSignature, key: OwnKey): Promise<void> {
    const me = await this.#app.api.get("/v1/owner/me");
    await verifyOwn(this.#app, opened.statement, sig, list(me, "keys"));
    this.#isOver = true;
    this.#stopSeen();
    const name = nameOf(text(opened.view, "entry"));
    const own = { jkt: key.jkt, name: key.name, at: this.#app.now() };
    drawSigned(this.root, opened, own, this.#app);
    this.#app.say(`Countersigned. ${name} gets its credential.`, "assertive");
    focusTitle(this.root);
  }

  #deny(): void {
    const said = (answer: JsonObject): Outcome => denied(this.#view, answer, this.#app.now());
    this.#own = this.#refuse("decision", { decision: "deny" }, said);
  }

  async #refuse(
    call: string,
    json: JsonObject,
    said: (answer: JsonObject) => Outcome,
  ): Promise<void> {
    try {
      this.#over(said(await this.#app.api.post(`${this.#path}/${call}`, json)));
    } catch (error) {
      fill(this.#problem, refusal(error));
    }
  }

  #askBlock(name: string, host: string): void {
    const asked = blockAgain(name, host, {
      block: () => {
        this.#own = this.#refuse("block", {}, () => BLOCKED);
      },
      deny: () => this.#deny(),
    });
    fill(this.#problem, asked);
    asked.querySelector("button")?.focus();
  }

  #over(outcome: Outcome): void {
    this.#isOver = true;
    this.#stopSeen();
    drawOver(this.root, outcome);
    this.#app.say(`${outcome.title}. ${outcome.below}`, "assertive");
  }

  /** Something of the owner's changed: was it this, and elsewhere? */
  async #look(): Promise<void> {
    const isOwn = (): boolean => this.#isOver || this.#isBusy || this.#isClosed;
    await this.#own;
    if (isOwn() || this.#view === undefined) return;
    const view = await this.#app.api.get(this.#path).catch(() => undefined);
    await this.#own; // it may be what this page did itself meanwhile
    if (view === undefined || isOwn()) return;
    if (view["state"] !== "asked") this.#over(outcomeOf(view, this.#app));
    else this.#digits?.told(view);
  }
}

/** One request: read, then decide. */
export const requestPage = (app: App, id: string): Page => new RequestPage(app, id);
