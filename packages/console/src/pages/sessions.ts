import type { App } from "../app.ts";
import { fill, h } from "../ui/dom.ts";
import { panel, refusal, simpleButton } from "../ui/parts.ts";
import { moment } from "../ui/time.ts";

/** Where the owner is signed in; one press ends all of it. This page follows by itself: its stream of events ends. */
export function sessionsPanel(app: App): HTMLElement {
  const problem = h("div", {});
  const leave = simpleButton("Sign out everywhere", "plain", () => {
    fill(problem);
    app.api
      .post("/v1/owner/sign-out-everywhere", {})
      .catch((error: unknown) => fill(problem, refusal(error)));
  });
  return panel(
    "Signed in",
    `here until ${moment(app.session.until, app.now()).replace("today ", "")}`,
    h(
      "div",
      { class: "panel-body" },
      h(
        "p",
        {},
        "A session ends after eight hours, and after one hour in which nobody uses it. If you left one open elsewhere, end them all, this one too.",
      ),
      h("div", { class: "act" }, leave),
      problem,
    ),
  );
}
