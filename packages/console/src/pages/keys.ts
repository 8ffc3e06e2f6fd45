import { base64url } from "@countersign/core";
import type { JsonObject, OwnerSignature } from "@countersign/core";
import type { App, Page } from "../app.ts";
import { deviceName } from "../device-name.ts";
import { keySheet, short } from "../key-sheet.ts";
import { standing } from "../key-standing.ts";
import { signStatement } from "../passkey.ts";
import { makePasskey, readKeyText } from "../registration.ts";
import type { KeyText } from "../registration.ts";
import { list, number, object, optional, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { button, head, link, loaded, panel, refill, refusal, simpleButton } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";
import { keyTrace } from "../ui/trace.ts";
import { noticesPanel } from "./notices.ts";
import { PrintedCodes } from "./printed-codes.ts";
import { sessionsPanel } from "./sessions.ts";

/** What a signature by a key proves, by what holds it. */
const PROVES: Readonly<Record<string, string>> = {
  synced_passkey:
    "Passkey, kept in sync between your devices. Proves that you were there and unlocked it.",
  device_bound_passkey:
    "Passkey that stays on its device. Proves that you were there and unlocked it.",
  security_key: "Security key, cannot be copied. Proves that you were there and entered its PIN.",
  software:
    "Key in a file. Proves only that the file was used. Signs approvals of at most 24 hours.",
};

function vouched(key: JsonObject): string {
  const { co_signers: by } = key;
  const names = Array.isArray(by) ? by.filter((jkt) => typeof jkt === "string") : [];
  if (names.length > 0) return `signed for by ${names.map(short).join(" and ")}`;
  return key["basis"] === "x509"
    ? "named by your company's certificate"
    : "nobody else signed for it";
}

/** Asks once more in the button's place. */
function remover(app: App, key: JsonObject, changed: () => void): HTMLElement {
  const place = h("div", { class: "stopper", attrs: { "aria-live": "polite" } });
  const jkt = text(key, "jkt");
  const offer = (): void => fill(place, simpleButton("Remove…", "plain", ask));
  const remove = async (): Promise<void> => {
    try {
      await app.api.remove(`/v1/owner/keys/${jkt}`);
      app.say(`Key ${short(jkt)} is removed. What it approved has ended.`, "assertive");
      changed();
    } catch (error) {
      fill(place, refusal(error), simpleButton("Remove…", "plain", ask));
    }
  };
  const ask = (): void => {
    const keep = simpleButton("Keep", "plain", offer);
    fill(
      place,
      h(
        "p",
        { class: "strong" },
        jkt === app.session.jkt
          ? "Remove it? What it approved ends, and you are signed out."
          : "Remove it? What it approved ends.",
      ),
      h(
        "div",
        { class: "pair" },
        keep,
        simpleButton("Remove now", "stop", () => void remove()),
      ),
    );
    keep.focus();
  };
  offer();
  return place;
}

function signedWords(key: JsonObject, now: number): string {
  const at = optional(key, "last_signed_at", number);
  return at === undefined ? "No approval signed" : `Last signed ${moment(at, now)}`;
}

function keyRow(app: App, key: JsonObject, isLast: boolean, changed: () => void): HTMLElement {
  const now = app.now();
  const jkt = text(key, "jkt");
  const out = standing(key, now);
  const isRemoved = key["removed_at"] !== undefined;
  return h(
    "li",
    { class: `row row-key${out === undefined ? "" : " row-out"}` },
    h("div", { class: "key-trace" }, keyTrace(jkt, "trace trace-own")),
    h(
      "div",
      { class: "row-text" },
      h(
        "h2",
        { class: "key-name" },
        text(key, "comment") === "" ? "Key" : text(key, "comment"),
        " ",
        jkt === app.session.jkt ? h("span", { class: "pill" }, "This session") : undefined,
        " ",
        h("span", { class: "mono" }, short(jkt)),
      ),
      h("p", {}, PROVES[text(key, "held_by")] ?? "What it proves is not known."),
      h("p", { class: "note" }, `Added ${moment(number(key, "added_at"), now)}; ${vouched(key)}.`),
      out === undefined ? undefined : h("p", { class: "strong" }, out),
    ),
    h("p", { class: "note" }, signedWords(key, now)),
    isRemoved
      ? undefined
      : isLast
        ? h("p", { class: "note" }, "Your last key stays.")
        : remover(app, key, changed),
  );
}

function lossPanel(isOnlyKey: boolean): HTMLElement {
  const first = isOnlyKey
    ? "You have one key only. If you lose it, you need a second person and a wait of 24 hours: add another one now."
    : "You have a second key. Losing one costs you nothing: sign in with the other and remove it.";
  const line = (name: "warning" | "check" | "clock", words: string): HTMLElement =>
    h("li", { class: "with-icon" }, icon(name), h("span", {}, words));
  return panel(
    "If you lose your keys",
    "",
    h(
      "ul",
      { class: "panel-body plain-list" },
      line(isOnlyKey ? "warning" : "check", first),
      line(
        "clock",
        "All lost: a second person and a wait of 24 hours. Approvals made with the lost keys end; they do not move to the new key.",
      ),
      h("li", {}, link("What to do then", "#/recover", "text-link")),
    ),
  );
}

/** Adding: the new key signs, then the one of this session signs for it. */
class Adding {
  readonly root: HTMLElement = h("div", { class: "adding", attrs: { "aria-live": "polite" } });
  readonly #app: App;
  readonly #changed: () => void;

  constructor(app: App, changed: () => void) {
    this.#app = app;
    this.#changed = changed;
  }

  async begin(): Promise<void> {
    const { c, api, place, session } = this.#app;
    try {
      const { options } = await api.post("/v1/owner/keys/webauthn/options", {});
      const made = await makePasskey(c, object(options));
      const { credential } = made;
      const taken = await api.post("/v1/owner/keys/webauthn/verify", { credential });
      this.#show(readKeyText(c, taken, made, place, session.owner.id));
    } catch (error) {
      fill(this.root, refusal(error));
    }
  }

  #show(keyText: KeyText): void {
    const problem = h("div", {});
    const name = h("input", {
      class: "text-field",
      attrs: { id: "key-name", maxlength: 100, autocomplete: "off" },
    });
    name.value = deviceName();
    const place = h("div", { class: "pair" });
    const leave = simpleButton("Do not add it", "plain", () => fill(this.root));
    // two presses, so that whoever has two keys in front of him knows which one is asked
    const first = this.#press("Sign with the new key", problem, async () => {
      const sig = await this.#signed(keyText, keyText.credentialId);
      const second = this.#press("Now sign with the key of this session", problem, () =>
        this.#post(keyText, sig, name.value),
      );
      fill(place, leave, second);
      second.focus();
    });
    fill(place, leave, first);
    fill(
      this.root,
      keySheet(
        keyText,
        h(
          "p",
          { class: "sheet-below" },
          "The new key signs this text, and then the key of this session signs for it. Nobody else is asked.",
        ),
      ),
      h("label", { class: "strong", attrs: { for: "key-name" } }, "Name of the new key"),
      name,
      place,
      problem,
    );
    first.focus();
  }

  #press(label: string, problem: HTMLElement, act: () => Promise<void>): HTMLElement {
    const pressed = button([icon("keys"), label], "primary", () => {
      fill(problem);
      pressed.setBusy("Waiting for the key…");
      void act()
        .catch((error: unknown) => fill(problem, refusal(error)))
        .finally(() => pressed.setBusy());
    });
    return pressed.element;
  }

  #signed({ statement }: KeyText, credentialId: string): Promise<OwnerSignature> {
    const { c, place } = this.#app;
    return signStatement(c, statement.bytes, place.rpId, credentialId);
  }

  async #post(keyText: KeyText, sig: OwnerSignature, comment: string): Promise<void> {
    const { api, session } = this.#app;
    const { statement } = keyText;
    const old = session.keys.find(({ jkt }) => jkt === session.jkt);
    if (old === undefined) throw new TypeError("a session of no key");
    const co = await this.#signed(keyText, old.credentialId);
    await api.post("/v1/owner/keys", {
      statement: base64url(statement.bytes),
      sig: { ...sig },
      comment,
      co_signatures: [{ jkt: session.jkt, sig: { ...co } }],
    });
    this.#app.say(`Added the key ${short(statement.body.key.jkt)}.`, "assertive");
    fill(this.root);
    this.#changed();
  }
}

/** What can sign in the owner's name; printed codes; what to do when keys are lost. */
export function keysPage(app: App): Page {
  const body = h("div", {});
  const codes = new PrintedCodes(app);
  // what stays is never put into anything new: it would lose focus
  const beside = h("div", { class: "key-beside" });
  const columns = h("div", { class: "key-columns" }, codes.root, beside);
  const load = async (): Promise<readonly Child[]> => {
    const answer = await app.api.get("/v1/owner/keys");
    codes.tell(object(answer["stop_codes"]));
    const keys = list(answer, "keys");
    const signing = keys.filter((key) => standing(key, app.now()) === undefined);
    const rows = keys.map((key) =>
      keyRow(app, key, signing.length === 1 && signing[0] === key, again),
    );
    refill(beside, [lossPanel(signing.length === 1), sessionsPanel(app)]);
    return [h("section", { class: "panel" }, h("ul", { class: "rows rows-plain" }, rows)), columns];
  };
  const again = (): void => void loaded(body, load);
  again();
  const adding = new Adding(app, again);
  const add = simpleButton("Add a key", "primary", () => void adding.begin());
  return {
    title: "Keys",
    root: h(
      "div",
      {},
      head("Keys", "What can sign in your name.", undefined, add),
      adding.root,
      body,
      noticesPanel(app),
    ),
    close: app.onChange(() => {
      if (!codes.isInUse) again();
    }),
  };
}
