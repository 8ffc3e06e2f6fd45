import type { JsonObject } from "@countersign/core";
import type { App } from "../app.ts";
import { deviceName } from "../device-name.ts";
import {
  deviceState,
  forgetDevice,
  isUntilSignOut,
  NotTurnedOn,
  setUntilSignOut,
  turnOff,
  turnOn,
} from "../push/device.ts";
import type { Around, DeviceState } from "../push/device.ts";
import { list, number, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";
import { icon } from "../ui/icons.ts";
import { button, loaded, panel, refusal } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";

/** What is said of a device that takes no notices, and what to do about it. */
const OFF: Readonly<Record<Exclude<DeviceState["is"], "on">, readonly [string, string]>> = {
  off: ["Off.", "Your browser asks you once more whether this page may show notices."],
  blocked: [
    "Blocked by this browser.",
    "Allow notifications for this address in the browser’s settings, then load this page again.",
  ],
  unsupported: [
    "This browser cannot take notices.",
    "Leave the console open in a tab, or use another browser.",
  ],
  unconfigured: ["Not set up.", "Ask your administrator whether notices can be pushed here."],
};

function problemOf(error: unknown): HTMLElement {
  if (!(error instanceof NotTurnedOn)) return refusal(error);
  return h(
    "div",
    { class: "refusal", attrs: { role: "alert" } },
    icon("warning"),
    h(
      "p",
      {},
      h("strong", {}, "This browser did not turn notices on."),
      " Nothing changed. Allow them when it asks; where it does not ask, its push service may be out of reach.",
    ),
  );
}

/** Notices on the owner's devices while the console is closed. */
class Notices {
  readonly root: HTMLElement = h("div", { class: "notices" });
  readonly #app: App;
  readonly #around: Around;

  constructor(app: App) {
    this.#app = app;
    this.#around = { c: app.c, api: app.api, owner: app.session.owner.id };
    this.load();
  }

  load(): void {
    void loaded(this.root, () => this.#content());
  }

  async #content(): Promise<readonly Child[]> {
    const answer = await this.#app.api.get("/v1/owner/push-subscriptions");
    const state = await deviceState(this.#around, answer);
    const mine = state.is === "on" ? state.id : undefined;
    const others = list(answer, "subscriptions").filter((row) => row["id"] !== mine);
    return [
      panel(
        "Notices on this device",
        "while the console is closed, too",
        h(
          "div",
          { class: "panel-body" },
          h(
            "p",
            {},
            "They come when an agent that you announced waits for you, and when your keys change. A notice says who waits, never what for, and approves nothing.",
          ),
          state.is === "on" ? this.#on(state) : this.#off(state, answer),
        ),
        others.length === 0 ? undefined : this.#others(others),
      ),
    ];
  }

  /** A button whose press may fail: why stands below it. */
  #press(label: string, busy: string, problem: HTMLElement, act: () => Promise<void>): HTMLElement {
    const pressed = button(label, "plain", () => {
      fill(problem);
      pressed.setBusy(busy);
      act()
        .catch((error: unknown) => fill(problem, problemOf(error)))
        .finally(() => pressed.setBusy());
    });
    return pressed.element;
  }

  #off({ is }: Exclude<DeviceState, { is: "on" }>, answer: JsonObject): readonly Child[] {
    const [what, next] = OFF[is];
    const problem = h("div", {});
    const press = this.#press("Turn on", "Waiting for your browser…", problem, async () => {
      await turnOn(this.#around, answer, deviceName());
      this.#done("Notices on this device are on.");
    });
    return [
      h("p", { class: "notice-state" }, h("strong", {}, what), h("span", {}, next)),
      is === "off" ? h("div", { class: "act" }, press) : undefined,
      problem,
    ];
  }

  #on({ id, since }: Extract<DeviceState, { is: "on" }>): readonly Child[] {
    const problem = h("div", { attrs: { "aria-live": "polite" } });
    const send = this.#press("Send one to this device", "Sending…", problem, async () => {
      await this.#app.api.post(`/v1/owner/push-subscriptions/${id}/test`, {});
      fill(
        problem,
        h("p", {}, "Sent. It comes within a few seconds, unless this device is set to silence."),
      );
    });
    const stop = this.#press("Turn off", "Turning off…", problem, async () => {
      await turnOff(this.#around, id);
      this.#done("Notices on this device are off.");
    });
    const box = h("input", { attrs: { type: "checkbox", id: "notices-until-sign-out" } });
    box.checked = isUntilSignOut();
    box.addEventListener("change", () => setUntilSignOut(box.checked));
    return [
      h(
        "p",
        { class: "notice-state" },
        icon("check"),
        h("strong", {}, `On since ${moment(since, this.#app.now())}.`),
      ),
      h("div", { class: "act" }, send, stop),
      h(
        "p",
        { class: "choice" },
        box,
        h("label", { attrs: { for: box.id } }, "Turn them off when I sign out"),
      ),
      problem,
    ];
  }

  #others(rows: readonly JsonObject[]): HTMLElement {
    return h(
      "section",
      { class: "other-devices", attrs: { "aria-labelledby": "other-devices" } },
      h("h3", { attrs: { id: "other-devices" } }, "Other devices"),
      h(
        "ul",
        { class: "rows rows-plain" },
        rows.map((row) => this.#other(row)),
      ),
    );
  }

  #other(row: JsonObject): HTMLElement {
    const name = text(row, "name");
    const problem = h("div", {});
    const since = `on since ${moment(number(row, "made_at"), this.#app.now())}`;
    const remove = this.#press("Remove", "Removing…", problem, async () => {
      await forgetDevice(this.#app.api, text(row, "id"));
      this.#done(`${name} gets no more notices.`);
    });
    remove.setAttribute("aria-label", `Remove ${name}, ${since}`);
    return h(
      "li",
      { class: "row row-key" },
      h(
        "div",
        { class: "row-text" },
        h("p", { class: "key-name" }, h("strong", {}, name)),
        h(
          "p",
          { class: "note" },
          `${since}; by the key `,
          h("span", { class: "mono" }, text(row, "key").slice(0, 8)),
        ),
        problem,
      ),
      remove,
    );
  }

  /** Says what was done, and shows it; the button that was pressed is gone, so that the section takes the focus. */
  #done(words: string): void {
    this.#app.say(words);
    void loaded(this.root, () => this.#content()).then(() => {
      const title = this.root.querySelector("h2");
      title?.setAttribute("tabindex", "-1");
      title?.focus();
    });
  }
}

/** The section of a page that turns notices on and off. */
export const noticesPanel = (app: App): HTMLElement => new Notices(app).root;
