import { base64url } from "@countersign/core";
import type { Crypto, JsonObject } from "@countersign/core";
import type { Api } from "../api.ts";
import type { Place } from "../app.ts";
import { deviceName } from "../device-name.ts";
import { keySheet, short } from "../key-sheet.ts";
import { offerEnd } from "../offered-key.ts";
import { signIn, signStatement } from "../passkey.ts";
import { makePasskey, readKeyText } from "../registration.ts";
import type { KeyText } from "../registration.ts";
import { nameOf, number, object, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { mark } from "../ui/mark.ts";
import { button, refusal, simpleButton } from "../ui/parts.ts";
import type { Button } from "../ui/parts.ts";
import { clockTime } from "../ui/time.ts";
import { ENDS, wordsOf } from "./enrol-words.ts";
import type { EmptyEnd } from "./enrol-words.ts";

interface At {
  readonly c: Crypto;
  readonly api: Api;
  readonly place: Place;
}

/** After the end of its time, for what is on the way. */
const LATE_SECONDS = 15;

/** The steps of a key that is made by a code. Each is a screen of its own, with its title in focus. */
class Enrolment {
  readonly root: HTMLElement = h("main", { class: "sign-in enrol", attrs: { id: "content" } });
  readonly #at: At;
  readonly #done: (answer: JsonObject) => void;
  #code = "";
  /** Counts the screens: what was begun on one ends with it. */
  #shown = 0;

  constructor(at: At, done: (answer: JsonObject) => void) {
    this.#at = at;
    this.#done = done;
    this.#askCode();
  }

  #screen(step: string, title: string, ...children: readonly Child[]): void {
    this.#shown += 1;
    fill(
      this.root,
      h(
        "header",
        { class: "enrol-head" },
        h("p", { class: "logo" }, mark("nobody", "mark mark-logo"), "countersign"),
        h("p", { class: "note" }, step),
      ),
      h("h1", { attrs: { tabindex: -1 } }, title),
      children,
    );
    this.root.querySelector("h1")?.focus();
  }

  /** Runs one step of the ceremony; what goes wrong is said below the buttons. */
  #press(label: Child, busy: string, problem: HTMLElement, act: () => Promise<void>): Button {
    const pressed = button(label, "primary", () => {
      fill(problem);
      pressed.setBusy(busy);
      void act()
        .catch((error: unknown) => fill(problem, refusal(error)))
        .finally(() => pressed.setBusy());
    });
    return pressed;
  }

  #call(step: string, more: JsonObject = {}): Promise<JsonObject> {
    return this.#at.api.post(`/v1/owner/enrolment/${step}`, { code: this.#code, ...more });
  }

  #askCode(): void {
    const problem = h("div", {});
    const field = h("input", {
      class: "code-field",
      attrs: {
        id: "code",
        autocomplete: "off",
        autocapitalize: "characters",
        spellcheck: "false",
        maxlength: 64,
        "aria-describedby": "code-help",
      },
    });
    const next = this.#press("Go on", "Looking…", problem, async () => {
      this.#code = field.value;
      this.#offer(await this.#call("options"));
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") next.element.click();
    });
    this.#screen(
      "Step 1 of 3",
      "Make your passkey",
      h(
        "p",
        { class: "lead" },
        `With it you sign what your agents in ${this.#at.place.trustDomain} may do. The address of this page must read `,
        h("span", { class: "mono strong" }, this.#at.place.rpId),
        ".",
      ),
      h("label", { class: "strong", attrs: { for: "code" } }, "Code"),
      field,
      h(
        "p",
        { class: "note", attrs: { id: "code-help" } },
        "The terminal that gave you this address shows it: two groups of five. It is good once, for ten minutes.",
      ),
      next.element,
      problem,
    );
  }

  #cancelButton(problem: HTMLElement): HTMLElement {
    return simpleButton("Not me: cancel the link", "plain", () => {
      void this.#call("cancel")
        .then(({ suspended }) => this.#cancelled(suspended !== undefined))
        .catch((error: unknown) => fill(problem, refusal(error)));
    });
  }

  #cancelled(isSuspended: boolean): void {
    this.#screen(
      "Cancelled",
      "The link is cancelled",
      h(
        "p",
        { class: "lead" },
        isSuspended
          ? "The key that was made with it is suspended: it approves nothing. Tell whoever gave you the link; he removes it: countersign owner list."
          : "Its code works no longer, and no key was made. Tell whoever gave you the link.",
      ),
    );
  }

  #offer(answer: JsonObject): void {
    const { place, c } = this.#at;
    const problem = h("div", {});
    const owner = nameOf(text(object(answer["owner"]), "id").replaceAll(":", "/"));
    const { co_signer: coSigner } = answer;
    const words = wordsOf(
      place.trustDomain,
      coSigner === undefined ? undefined : text(answer, "co_signer"),
    );
    const make = this.#press(
      [icon("keys"), "Make my passkey"],
      "Waiting for your device…",
      problem,
      async () => {
        // each try has a challenge of its own: one that was used, or is over, is not offered again
        const { options } = await this.#call("options");
        const made = await makePasskey(c, object(options));
        const taken = await this.#call("verify", { credential: made.credential });
        this.#sign(readKeyText(c, taken, made, place));
      },
    );
    const clauses: readonly (readonly [string, ...Child[]])[] = [
      [
        "Who asks",
        "The server ",
        h("span", { class: "value" }, place.issuer),
        ` made this link at ${clockTime(number(answer, "invited_at"))} for the owner `,
        h("span", { class: "value" }, owner),
        `. It works once, until ${clockTime(number(answer, "invited_until"))}.`,
      ],
      [
        "What it does",
        `It makes a passkey on this device, for the address ${place.rpId} only. The key never leaves the device or its vault. The server stores its public half.`,
      ],
      ["How sure", ...words.surety],
    ];
    this.#screen(
      "Step 1 of 3",
      words.title,
      h(
        "article",
        { class: "sheet" },
        h(
          "h2",
          { class: "sheet-title" },
          "An agent of yours gets a name only when you sign for it.",
        ),
        clauses.map(([name, ...said]) =>
          h("section", { class: "clause" }, h("h3", {}, name), h("div", {}, h("p", {}, said))),
        ),
      ),
      h("div", { class: "pair" }, this.#cancelButton(problem), make.element),
      problem,
      h("p", { class: "note" }, words.next),
    );
  }

  #sign(keyText: KeyText): void {
    const { c, place } = this.#at;
    const problem = h("div", {});
    const { statement, credentialId } = keyText;
    const sign = this.#press(
      [icon("keys"), "Sign with my new passkey"],
      "Waiting for your passkey…",
      problem,
      async () => {
        const sig = await signStatement(c, statement.bytes, place.rpId, credentialId);
        const posted = { statement: base64url(statement.bytes), comment: deviceName() };
        const answer = await this.#call("key", { ...posted, sig: { ...sig } });
        const { jkt } = statement.body.key;
        if (answer["jkt"] !== jkt) throw new TypeError("another key than was signed for");
        if (answer["state"] === "waiting") this.#wait(jkt, answer);
        else this.#compare(jkt);
      },
    );
    this.#screen(
      "Step 2 of 3",
      "Your new key signs for itself",
      h(
        "p",
        { class: "lead" },
        "This is the text that it signs, line by line, from the exact octets.",
      ),
      keySheet(keyText),
      h("div", { class: "pair" }, this.#cancelButton(problem), sign.element),
      problem,
    );
  }

  #enterButton(label: string, problem: HTMLElement): HTMLElement {
    const { c, api, place } = this.#at;
    return this.#press(label, "Waiting for your passkey…", problem, async () => {
      const nonce = text(await api.post("/v1/owner/sign-in/nonce", {}), "nonce");
      this.#done(await api.post("/v1/owner/sign-in", await signIn(c, nonce, place.rpId)));
    }).element;
  }

  /** A further key is none before another one of the owner has signed for it, in the terminal. */
  #wait(jkt: string, answer: JsonObject): void {
    const problem = h("div", {});
    const until = number(answer, "expires_at");
    const line = h("p", { class: "note", attrs: { role: "status" } });
    this.#screen(
      "Step 3 of 3",
      "Say yes in the terminal",
      h(
        "p",
        { class: "lead" },
        "The terminal that gave you the code shows the same eight characters, and asks. There your key ",
        h("span", { class: "mono strong" }, short(text(answer, "co_signer"))),
        " signs for this one:",
      ),
      h("p", { class: "code-shown" }, short(jkt)),
      line,
      h("div", { class: "pair" }, this.#cancelButton(problem)),
      problem,
      h(
        "p",
        { class: "note" },
        "If it shows others, somebody else may have used the link: say no there. This page goes on by itself.",
      ),
    );
    void this.#follow(jkt, until, line);
  }

  async #follow(jkt: string, until: number, line: HTMLElement): Promise<void> {
    const { api } = this.#at;
    const shown = this.#shown;
    const waiting = `Waiting for the terminal, until ${clockTime(until)}.`;
    fill(line, waiting);
    const end = await offerEnd({
      ask: () => this.#call("state", { jkt }),
      isShown: () => this.root.isConnected && this.#shown === shown,
      isLate: () => api.now() > until + LATE_SECONDS,
      heard: (isAnswered) => {
        const said = isAnswered ? waiting : "The server does not answer. It is asked again.";
        if (line.textContent !== said) fill(line, said);
      },
    });
    if (end === "enrolled") this.#enrolled(jkt);
    else if (end !== undefined) this.#came(end);
  }

  #came(end: EmptyEnd): void {
    const [title, what, next] = ENDS[end];
    this.#screen("Ended", title, h("p", { class: "lead" }, what), h("p", {}, next));
  }

  #enrolled(jkt: string): void {
    const problem = h("div", {});
    this.#screen(
      "Done",
      "Your other key has signed for it",
      h("p", { class: "lead" }, "This passkey is yours now, and signs as that key does:"),
      h("p", { class: "code-shown" }, short(jkt)),
      h("div", { class: "pair" }, this.#enterButton("Sign in", problem)),
      problem,
    );
  }

  #compare(jkt: string): void {
    const problem = h("div", {});
    const enter = this.#enterButton("They are the same: sign in", problem);
    this.#screen(
      "Step 3 of 3",
      "Compare with the terminal",
      h(
        "p",
        { class: "lead" },
        "The terminal that gave you the code shows the same eight characters:",
      ),
      h("p", { class: "code-shown" }, short(jkt)),
      h("div", { class: "pair" }, this.#cancelButton(problem), enter),
      problem,
      h(
        "p",
        { class: "note" },
        "If it shows others, or shows nothing, somebody else may have used the link: cancel it. Next: a second key, so that losing this one costs nothing, and printed stop codes. Both can wait; Keys keeps saying so.",
      ),
    );
  }
}

/**
 * A passkey of an owner, by a code that the terminal shows; needs no session.
 * @param done told the server's answer to the sign-in that ends it
 */
export function enrolPage(at: At, done: (answer: JsonObject) => void): HTMLElement {
  return new Enrolment(at, done).root;
}
