import type { App } from "../app.ts";
import { list, nameOf, text } from "../read.ts";
import { fill, h } from "../ui/dom.ts";
import { refusal, simpleButton } from "../ui/parts.ts";

interface Choice {
  readonly entry: string;
  readonly name: string;
  readonly host: string;
}

async function choices(app: App): Promise<readonly Choice[]> {
  const rows = list(await app.api.get("/v1/owner/agents"), "agents");
  return rows.map((row) => {
    const entry = text(row, "entry");
    return { entry, name: nameOf(entry), host: nameOf(text(row, "proxy")) };
  });
}

/** Says beforehand which agent will be started: what comes of it is expected, and nothing is approved by it. */
export function announceStart(app: App): HTMLElement {
  const place = h("div", { class: "announce" });
  const offer = (): HTMLElement =>
    simpleButton("Announce a start…", "plain", () => void choose().catch(fail));
  const fail = (error: unknown): void => fill(place, refusal(error), offer());
  const send = async ({ entry, name, host }: Choice): Promise<void> => {
    await app.api.post("/v1/owner/expectations", { agent: entry, host });
    fill(place, h("p", {}, `Announced: ${name} on ${host}, for the next 10 minutes.`), offer());
    app.say(`Announced: ${name} on ${host}.`);
  };
  const choose = async (): Promise<void> => {
    const all = await choices(app);
    if (all.length === 0) {
      fill(place, h("p", {}, "No agent is registered for you. Your administrator adds one."));
      return;
    }
    const select = h(
      "select",
      { class: "field", attrs: { id: "announce-agent" } },
      all.map(({ name, host }, i) => h("option", { attrs: { value: i } }, `${name} on ${host}`)),
    );
    const form = h(
      "form",
      {
        class: "announce-form",
        on: {
          submit: (event) => {
            event.preventDefault();
            const chosen = all[Number(select.value)];
            if (chosen !== undefined) void send(chosen).catch(fail);
          },
        },
      },
      h("label", { class: "strong", attrs: { for: "announce-agent" } }, "Agent and host"),
      select,
      h("p", { class: "note" }, "For the next 10 minutes. It approves nothing."),
      h(
        "div",
        { class: "pair" },
        h("button", { class: "button button-plain", attrs: { type: "submit" } }, "Announce"),
        simpleButton("Cancel", "plain", () => fill(place, offer())),
      ),
    );
    fill(place, form);
    select.focus();
  };
  fill(place, offer());
  return place;
}
