import { readJwk, Refusal, verifyApproval } from "@countersign/core";
import type { OwnerSignature } from "@countersign/core";
import { Problem } from "../api.ts";
import type { App, OwnKey, Page } from "../app.ts";
import { isMeant, missing, reason } from "../gate.ts";
import type { GateState } from "../gate.ts";
import { notePanel, observedPanel } from "../observed.ts";
import { readOpened } from "../opened.ts";
import type { Opened } from "../opened.ts";
import { signStatement } from "../passkey.ts";
import { list, nameOf, number, object, text } from "../read.ts";
import { Rereading, stillSeen } from "../renewed.ts";
import { watchSeen } from "../seen.ts";
import { sheet } from "../sheet.ts";
import type { Sheet } from "../sheet.ts";
import { fill, h } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { button, head, refusal, simpleButton } from "../ui/parts.ts";
import type { Button } from "../ui/parts.ts";
import { left } from "../ui/time.ts";
import {
  back,
  BLOCKED,
  DENIED,
  drawOver,
  drawSigned,
  focusTitle,
  outcomeOf,
  outcomeOfOne,
} from "./request-over.ts";
import { changesPanel } from "./changes.ts";
import { announced, reasons, unfit } from "./request-parts.ts";
import type { Outcome } from "./request-over.ts";

const TICK_MS = 1000;
/** Seconds at which the time that is left is spoken. */
const SPOKEN_SECONDS: ReadonlySet<number> = new Set([60, 10]);

/** One request while it is open: what is signed, whether it may be, and what became of it. */
class RequestPage implements Page {
  readonly title = "Request";
  readonly root: HTMLElement = h("div", { class: "request" });
  readonly hidesTabs = true;
  readonly #app: App;
  readonly #id: string;
  readonly #key: OwnKey | undefined;
  #opened: Opened | undefined;
  #sheet: Sheet | undefined;
  #seen = new Set<number>();
  #turnedOnAtMs = 0;
  #shownAtMs = performance.now();
  #isBusy = false;
  #isOver = false;
  #isOpening = false;
  #isClosed = false;
  readonly #rereading = new Rereading();
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
    document.addEventListener("visibilitychange", shown);
    window.addEventListener("focus", shown);
    window.addEventListener("online", shown);
    window.addEventListener("offline", shown);
    this.#stops = [
      () => window.clearInterval(tick),
      () => document.removeEventListener("visibilitychange", shown),
      () => window.removeEventListener("focus", shown),
      () => window.removeEventListener("online", shown),
      () => window.removeEventListener("offline", shown),
      app.onChange(() => void this.#look()),
    ];
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#stopSeen();
  }

  get #path(): string {
    return `/v1/owner/requests/${encodeURIComponent(this.#id)}`;
  }

  async #open(): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    const before = this.#opened;
    try {
      const key = this.#key;
      if (key === undefined) {
        fill(this.root, back(), head("No passkey", "No key of yours can sign in this browser."));
        return;
      }
      const view = await this.#app.api.get(`${this.#path}?jkt=${encodeURIComponent(key.jkt)}`);
      const { c, place, session } = this.#app;
      const signing = { jkt: key.jkt, owner: session.owner.id, place };
      const opened = await readOpened(c, view, signing);
      // nothing changes under a finger that signs what stands there
      if (this.#isClosed || this.#isOver || this.#isBusy) return;
      this.#opened = opened;
      this.#draw(opened, before);
    } catch (error) {
      if (!this.#isClosed && !this.#isBusy) await this.#ended(error);
    } finally {
      this.#isOpening = false;
    }
  }

  /** A request that cannot be opened any more still says what became of it. */
  async #ended(error: unknown): Promise<void> {
    const isEnd =
      error instanceof Problem && ["already_decided", "approval_expired"].includes(error.reason);
    if (isEnd) {
      const view = await this.#app.api.get(this.#path).catch(() => undefined);
      if (view !== undefined) {
        this.#over(outcomeOf(view));
        return;
      }
    }
    this.#opened = undefined; // nothing that is not shown is signed
    if (error instanceof Refusal)
      fill(
        this.root,
        back(),
        head("This request cannot be shown", "Nothing of it can be signed here."),
        refusal(unfit(error)),
        this.#problem,
        h(
          "p",
          {},
          simpleButton("Deny", "plain", () => void this.#deny()),
        ),
      );
    else fill(this.root, back(), head("Request", "It could not be opened."), refusal(error));
  }

  #gate(opened: Opened): GateState {
    return {
      digits: "none",
      markedCount: this.#sheet?.marked.length ?? 0,
      seen: this.#seen,
      textEnds: opened.body.exp,
      requestEnds: number(opened.view, "deadline"),
      isOnline: navigator.onLine && this.#app.liveness() !== "lost",
      isBusy: this.#isBusy,
    };
  }

  #draw(opened: Opened, before: Opened | undefined): void {
    this.#stopSeen();
    const { view, body, rendering } = opened;
    const name = nameOf(text(view, "entry"));
    const host = nameOf(text(view, "proxy"));
    const wasRead = this.#seen.size >= (this.#sheet?.marked.length ?? 0);
    const note = this.#rereading.noteOf(opened, before, wasRead);
    this.#seen = stillSeen(this.#seen, before, rendering);
    const drawn = sheet(rendering, body.view.tpl, {
      agent: {
        who: "The agent signed",
        jkt: body.agent.jkt,
        where: `on ${host}`,
        at: opened.askedAt,
      },
      own: { who: "You", jkt: body.owner.jkt, where: this.#key?.name ?? "" },
    });
    const marked = note === undefined ? drawn.marked : [...drawn.marked, note];
    this.#sheet = { element: drawn.element, marked };
    const words = object(view["claimed"])["note"];
    fill(
      this.root,
      head(`${name} asks for a credential`, announced(view, host), back()),
      h(
        "div",
        { class: "request-columns" },
        h(
          "div",
          { class: "request-sheet" },
          changesPanel(view, this.#app.now()),
          reasons(view),
          note,
          drawn.element,
          observedPanel(view, host),
          typeof words === "string" ? notePanel(words) : undefined,
        ),
        this.#decisions(rendering.code, name, host),
      ),
    );
    this.#stopSeen = watchSeen(marked, (index) => {
      this.#seen.add(index);
      this.#tick();
    });
    this.#tick();
    focusTitle(this.root);
  }

  #decisions(code: string, name: string, host: string): HTMLElement {
    this.#noes = [
      button("Deny", "plain", () => void this.#deny()),
      button("Deny and block", "stop", () => this.#askBlock(name, host)),
    ];
    return h(
      "aside",
      { class: "decide", attrs: { "aria-label": "Decide" } },
      h(
        "div",
        { class: "decide-code" },
        h("h2", {}, "Code of this request"),
        h("p", { class: "code" }, code),
        h("p", { class: "note" }, "The agent's terminal shows the same."),
      ),
      this.#checks,
      this.#problem,
      h(
        "div",
        { class: "decide-buttons" },
        this.#bar,
        this.#approve.element,
        this.#noes.map(({ element }) => element),
      ),
      h("div", { class: "decide-time" }, icon("clock"), this.#time),
    );
  }

  #tick(): void {
    const opened = this.#opened;
    if (opened === undefined || this.#isOver) return;
    const now = this.#app.now();
    const steps = missing(this.#gate(opened), now);
    const why = reason(steps);
    const wasOff = this.#approve.element.getAttribute("aria-disabled") === "true";
    if (wasOff && why === undefined) this.#turnedOnAtMs = performance.now();
    if (!this.#isBusy) this.#approve.setOff(why);
    const unsent = steps.includes("online") ? reason(["online"]) : undefined;
    for (const no of this.#noes) no.setOff(unsent);
    this.#bar.textContent = why ?? "Ready to sign";
    this.#drawChecks();
    this.#drawTime(opened, now);
    if (steps.includes("request")) void this.#ended(new Problem(410, "approval_expired", "", ""));
    else if (steps.includes("text") && !this.#isBusy && navigator.onLine) void this.#open();
  }

  #drawChecks(): void {
    const count = this.#sheet?.marked.length ?? 0;
    if (count === 0) return fill(this.#checks);
    const isDone = this.#seen.size >= count;
    fill(
      this.#checks,
      h(
        "li",
        { class: isDone ? "check-done" : "check-open" },
        icon(isDone ? "check" : "box"),
        `${this.#seen.size} of ${count} marked ${count === 1 ? "line was" : "lines were"} on your screen`,
      ),
    );
  }

  #drawTime({ body, view }: Opened, now: number): void {
    const rest = body.exp - now;
    this.#time.textContent = `This text can be signed for ${left(rest)}. The request ends in ${left(number(view, "deadline") - now)}.`;
    if (SPOKEN_SECONDS.has(rest)) this.#app.say(`This text can be signed for ${left(rest)}.`);
  }

  #toMissing(): void {
    const index = this.#sheet?.marked.findIndex((_, i) => !this.#seen.has(i)) ?? -1;
    const line = this.#sheet?.marked[index];
    if (line === undefined) return;
    line.scrollIntoView({ block: "center" });
    line.focus();
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
    const { c, place } = this.#app;
    const me = await this.#app.api.get("/v1/owner/me");
    const jwk = list(me, "keys").find((item) => item["jkt"] === key.jkt)?.["jwk"];
    const pages = { rpId: place.rpId, origins: [window.location.origin] };
    // the statement names the key by its thumbprint, so whatever key the server shows must have that one
    await verifyApproval(
      c,
      opened.statement,
      sig,
      { jwk: readJwk(jwk), app: place.rpId },
      { pages },
    );
    this.#isOver = true;
    this.#stopSeen();
    const name = nameOf(text(opened.view, "entry"));
    drawSigned(this.root, opened, { jkt: key.jkt, name: key.name, at: this.#app.now() });
    this.#app.say(`Countersigned. ${name} gets its credential.`, "assertive");
    focusTitle(this.root);
  }

  async #deny(): Promise<void> {
    try {
      await this.#app.api.post(`${this.#path}/decision`, { decision: "deny" });
      this.#over(DENIED);
    } catch (error) {
      fill(this.#problem, refusal(error));
    }
  }

  #askBlock(name: string, host: string): void {
    const asked = h(
      "div",
      { class: "ask-again", attrs: { role: "group", "aria-label": "Deny and block" } },
      h("p", {}, `${name} on ${host} cannot ask again until you allow it.`),
      simpleButton("Block", "stop", () => void this.#block()),
      simpleButton("Only deny", "plain", () => void this.#deny()),
    );
    fill(this.#problem, asked);
    asked.querySelector("button")?.focus();
  }

  async #block(): Promise<void> {
    try {
      await this.#app.api.post(`${this.#path}/block`, {});
      this.#over(BLOCKED);
    } catch (error) {
      fill(this.#problem, refusal(error));
    }
  }

  #over(outcome: Outcome): void {
    this.#isOver = true;
    this.#stopSeen();
    drawOver(this.root, outcome);
    this.#app.say(`${outcome.title}. ${outcome.below}`, "assertive");
  }

  /** Something of the owner's changed: was it this, and elsewhere? */
  async #look(): Promise<void> {
    if (this.#isOver || this.#isBusy || this.#opened === undefined) return;
    const view = await this.#app.api.get(this.#path).catch(() => undefined);
    if (view === undefined || this.#isOver || this.#isBusy || this.#isClosed) return;
    if (view["state"] !== "asked") this.#over(outcomeOf(view));
  }
}

/** One request: read, then decide. */
export function requestPage(app: App, id: string): Page {
  return new RequestPage(app, id);
}
