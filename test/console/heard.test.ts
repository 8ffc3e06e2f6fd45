// What whoever cannot see is told: headings and landmarks in their order, names of controls with their reason, what is
// said by itself and when; and whole stories by keyboard in which focus is never on nothing.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import {
  controlsOf,
  focusedName,
  hasFocus,
  heardOn,
  listenTo,
  lostOn,
  outlineOf,
  tabTo,
} from "./ears.ts";
import { leap } from "./leap.ts";
import { approveOf, heading, isOff, rowOf, Scene } from "./scene.ts";

const MINUTE_MS = 60_000;
const PLACE = ["--location", "http://localhost:4000/"];
const IRREVERSIBLE = [
  ...[...PLACE, "--action", "messages.send"],
  ...["--action-class", "irreversible_action"],
];

let scene: Scene;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
beforeEach(async () => {
  ({ page } = await scene.newDesk());
  await listenTo(page);
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

const goTo = async (name: string): Promise<void> => {
  await page.evaluate(`location.hash = "#/${name.toLowerCase()}"`);
  await heading(page, name).waitFor();
  await expect.poll(() => page.locator("main").innerText()).not.toMatch(/Loading…|^\s*$/);
};

/** Roles and names of the landmarks, in their order. */
async function landmarks(): Promise<readonly string[]> {
  const tree = await page.locator("body").ariaSnapshot();
  return [...tree.matchAll(/^ *- (main|navigation|complementary|region)(?: "([^"]*)")?/gm)].map(
    ([, role = "", name = ""]) => `${role} ${name}`.trim(),
  );
}

describe("a page", () => {
  it("says what it is: its headings from the first level on without a gap, and its landmarks", async () => {
    await page.goto(scene.origin);
    await heading(page, "Sign in").waitFor();
    expect(await outlineOf(page)).toEqual(["1 Sign in"]);
    expect(await landmarks()).toEqual(["main"]);
    await scene.signIn(page);
    const [mine, other] = [await scene.ask({ isAnnounced: true }), await scene.ask()];
    await rowOf(page, other.name).waitFor();
    expect(await outlineOf(page)).toEqual([
      "1 Inbox",
      "2 You started these 1",
      `3 ${mine.name} on localhost`,
      "2 You did not start these 1",
      `3 ${other.name} on localhost`,
    ]);
    expect(await landmarks()).toEqual(["navigation Console", "main"]);
    const outlines: Readonly<Record<string, readonly unknown[]>> = {
      Agents: ["1 Agents"],
      Log: ["1 Log", "2 How you decide"],
      Keys: [
        "1 Keys",
        expect.stringMatching(/^2 MacBook This session .{4} .{4}$/),
        "2 Printed stop codes",
        "2 If you lose your keys",
        "2 Signed in",
        "2 Notices on this device",
      ],
      Stop: [
        "1 Stop",
        "2 Or only a part",
        `3 ${mine.name}`,
        `3 ${other.name}`,
        "3 Host localhost",
        "2 What happens",
        "2 What stays",
        "2 With a printed code",
      ],
    };
    for (const [name, outline] of Object.entries(outlines)) {
      await goTo(name);
      expect(await hasFocus(heading(page, name))).toBe(true);
      await expect.poll(() => outlineOf(page)).toEqual(outline);
    }
  });

  it("of a request never approved before tells in its order who, why, what was seen, what is signed, what is claimed, and how to decide", async () => {
    await scene.signIn(page);
    const asking = await scene.ask({ limits: IRREVERSIBLE, note: "I send \u202Email." });
    await page.setViewportSize({ width: 1280, height: 420 }); // the marked line is below
    await scene.read(page, asking);
    expect(await outlineOf(page)).toEqual([
      `1 ${asking.name} asks for a credential`,
      "2 Why you are asked",
      "2 What the proxy on localhost observed",
      `2 You let the agent ${asking.name} act under its own name.`,
      ...["Who", "How long", "What it can do", "How to undo", "Your signature"].map(
        (clause) => `3 ${clause}`,
      ),
      "3 The signed text in full",
      "2 The agent says – not checked by anybody. Do not decide by this.",
      "2 Code of this request",
    ]);
    expect(await landmarks()).toEqual([
      "navigation Console",
      "main",
      "navigation Back",
      "region The signed text in full",
      "region Lines of the signed text",
      "complementary Decide",
    ]);
    const tree = await page.locator("main").ariaSnapshot();
    const at = (words: string): number => tree.indexOf(words);
    const order = [
      'article "What you sign"',
      'group "Cannot be undone, 1 of 1"',
      "Quotation from the agent, not checked.",
      "U+202E",
      "End of quotation.",
      'button "Approve with passkey"',
      'button "Deny"',
      'button "Deny and block"',
    ];
    expect(order.map(at)).toEqual(order.map(at).toSorted((a, b) => a - b));
    expect(order.filter((words) => at(words) < 0)).toEqual([]);
    const buttons = (await controlsOf(page, "button")).filter(({ name }) =>
      /Approve|Deny/.test(name),
    );
    expect(buttons).toEqual([
      {
        name: "Approve with passkey",
        description: "First read every marked line.",
        isOff: true,
      },
      { name: "Deny", description: "", isOff: false },
      { name: "Deny and block", description: "", isOff: false },
    ]);
    await page.locator(".marked").focus();
    await expect
      .poll(async () => (await controlsOf(page, "button")).find(({ name }) => /Approve/.test(name)))
      .toEqual({ name: "Approve with passkey", description: "", isOff: false });
  });

  it("names each control in a list by what it is for, and says why one is off", async () => {
    await scene.signIn(page);
    const [mine, other] = [await scene.ask({ isAnnounced: true }), await scene.ask()];
    await rowOf(page, other.name).waitFor();
    const links = (await controlsOf(page, "link")).map(({ name }) => name);
    expect(links).toContain(`Read and decide ${mine.name} on localhost`);
    expect(links).toContain(`Read ${other.name} on localhost`);
    expect(await controlsOf(page, "checkbox")).toMatchObject([
      { name: `Choose ${other.name} on localhost` },
    ]);
    const denyChosen = async (): Promise<unknown> =>
      (await controlsOf(page, "button")).find(({ name }) => name === "Deny chosen");
    expect(await denyChosen()).toMatchObject({
      description: "Choose requests first.",
      isOff: true,
    });
    await page.getByLabel(`Choose ${other.name}`).check();
    expect(await denyChosen()).toMatchObject({ description: "", isOff: false });
    await goTo("Stop");
    await page.getByText("Or only a part").waitFor();
    const stops = (await controlsOf(page, "button")).map(({ name }) => name);
    expect(stops).toEqual(
      expect.arrayContaining(["Stop everything…", `Stop ${mine.name}…`, `Stop ${other.name}…`]),
    );
    expect(stops.filter((name) => name === "Stop…")).toEqual([]);
  });
});

describe("what is said by itself", () => {
  it("is who waits, what time is left at a minute and at ten seconds, and that it ended: each once", async () => {
    await page.clock.install();
    await scene.signIn(page);
    await goTo("Keys");
    await page.getByText(/^Live/).waitFor();
    await heardOn(page);
    const asking = await scene.ask({ isAnnounced: true });
    await expect.poll(() => page.title()).toBe("(1) Keys · countersign");
    expect(await heardOn(page)).toEqual([`politely: 1 new request: ${asking.name}`]);
    await scene.read(page, asking);
    await page.clock.pauseAt((await page.evaluate<number>("Date.now()")) + 1000);
    const rest = async (): Promise<number> => {
      const words = await page.locator(".decide-time").textContent();
      const [, minutes = "0", seconds = "0"] =
        /signed for (?:(\d+) min )?(\d+) s/.exec(words ?? "") ?? [];
      return Number(minutes) * 60 + Number(seconds);
    };
    // the server's clock is not moved, and would be heard in every answer
    await page.route("**/v1/**", (route) => route.abort());
    /** Without what is said of the connection. */
    const heard = async (): Promise<readonly string[]> =>
      (await heardOn(page)).filter((words) => !/: (Live|Offline)/.test(words));
    await page.clock.runFor(((await rest()) - 62) * 1000);
    expect(await heard()).toEqual([]);
    await page.clock.runFor(4000);
    expect(await heard()).toEqual(["politely: This text can be signed for 1 min 0 s."]);
    await page.clock.runFor(50_000);
    expect(await heard()).toEqual(["politely: This text can be signed for 10 s."]);
    await page.unroute("**/v1/**");
    await page.clock.resume();
    await leap(page, 70 * MINUTE_MS);
    await heading(page, /^This request ended at/).waitFor();
    const ended = (await heardOn(page)).filter((words) => words.startsWith("at once: "));
    expect(ended).toEqual([expect.stringMatching(/^at once: This request ended at \d\d:\d\d\. /)]);
  });

  it("is that the connection is gone, and that it is back: each once, and no seconds", async () => {
    await scene.signIn(page);
    await page.getByText(/^Live/).waitFor();
    await heardOn(page);
    await page.context().setOffline(true);
    await page.getByText(/^No connection since/).waitFor();
    await page.getByText(/Trying again/).waitFor();
    await page.context().setOffline(false);
    await page.getByText(/^Live/).waitFor();
    const heard = (await heardOn(page)).filter((words) => !words.includes("new request"));
    expect(heard).toEqual([
      "politely: Offline. Nothing is sent later by itself.",
      "politely: Live",
    ]);
  });

  it("is a refusal, at once", async () => {
    await page.goto(`${scene.origin}/#/stop-code`);
    await heading(page, "Stop agents with a printed code").waitFor();
    await heardOn(page);
    await page.getByLabel("Printed code").fill("nothing");
    await page.getByLabel("Printed code").press("Enter");
    await page.getByRole("alert").waitFor();
    expect(await heardOn(page)).toEqual([
      "at once: This is not a printed code. It has four groups of four characters. Nothing was sent. stop_code_invalid",
    ]);
  });
});

describe("by keyboard alone", () => {
  const press = (key: string): Promise<void> => page.keyboard.press(key);

  /** Signs in, and goes to a page of the side bar. */
  async function enter(to?: string): Promise<void> {
    await page.goto(scene.origin);
    await heading(page, "Sign in").waitFor();
    await tabTo(page, /^Sign in with a passkey/);
    await press("Enter");
    await heading(page, "Inbox").waitFor();
    if (to === undefined) return;
    await page.getByRole("link", { name: "Skip to content" }).focus();
    await tabTo(page, new RegExp(`^${to}`));
    await press("Enter");
    await heading(page, to).waitFor();
    expect(await hasFocus(heading(page, to))).toBe(true);
  }

  async function read(name: string): Promise<void> {
    await rowOf(page, name).waitFor();
    await tabTo(page, new RegExp(`^Read.* ${name} `));
    await press("Enter");
    await heading(page, `${name} asks for a credential`).waitFor();
    expect(await hasFocus(heading(page, `${name} asks for a credential`))).toBe(true);
  }

  it("an owner reads a line that cannot be undone, approves, and goes on from the title", async () => {
    await enter();
    const asking = await scene.ask({ limits: IRREVERSIBLE, isAnnounced: true });
    await read(asking.name);
    const passed = await tabTo(page, /^Approve with passkey/);
    expect(passed.filter((name) => /^Cannot be undone, 1 of 1$/.test(name))).toHaveLength(1);
    await expect.poll(() => isOff(approveOf(page))).toBe(false);
    await expect
      .poll(
        async () => {
          // a press within half a second of turning on is ignored
          if ((await focusedName(page)).startsWith("Approve")) await press("Enter");
          return heading(page, "Countersigned").isVisible();
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(await hasFocus(heading(page, "Countersigned"))).toBe(true);
    expect(await asking.answer).toMatchObject({ status: 200 });
    await tabTo(page, new RegExp(`^See ${asking.name}`));
    await press("Enter");
    await heading(page, asking.name).waitFor();
    expect(await lostOn(page)).toEqual([]);
  });

  it("an owner denies, and is at what came of it", async () => {
    await enter();
    const asking = await scene.ask();
    await read(asking.name);
    await tabTo(page, /^Deny$/);
    await press("Enter");
    await heading(page, "Denied").waitFor();
    expect(await hasFocus(heading(page, "Denied"))).toBe(true);
    await tabTo(page, /^To the inbox$/);
    await press("Enter");
    await heading(page, "Inbox").waitFor();
    expect(await scene.stateOf(asking)).toBe("denied");
    expect(await lostOn(page)).toEqual([]);
  });

  it("an owner chooses several that he did not start, and denies them together", async () => {
    await enter();
    const [one, two] = [await scene.ask(), await scene.ask()];
    await rowOf(page, two.name).waitFor();
    for (const { name } of [two, one]) {
      await tabTo(page, new RegExp(`^Choose ${name} `));
      await press("Space");
    }
    await page.getByText("2 chosen").waitFor();
    await page.getByRole("button", { name: "Deny chosen" }).focus();
    await heardOn(page);
    await press("Enter");
    await expect.poll(() => scene.stateOf(one)).toBe("denied");
    await expect.poll(() => scene.stateOf(two)).toBe("denied");
    await expect.poll(() => heardOn(page)).toContain("politely: 2 denied");
    expect(await lostOn(page)).toEqual([]);
  });

  it("an owner prints stop codes", async () => {
    await page.addInitScript("globalThis.print = () => { globalThis.isPrinted = true; }");
    await enter("Keys");
    await page.getByText("Printed stop codes").waitFor();
    await tabTo(page, /^Make stop codes|^Make new codes/);
    await press("Enter");
    await expect.poll(() => page.locator(".codes li").count()).toBe(8);
    expect(await hasFocus(page.getByRole("button", { name: "Make new codes" }))).toBe(true);
    await tabTo(page, /^Print$/);
    await press("Enter");
    expect(await page.evaluate("globalThis.isPrinted")).toBe(true);
    expect(await lostOn(page)).toEqual([]);
  });

  it("an owner keeps his place on Keys while something else happens, and its list is read anew", async () => {
    await enter("Keys");
    await tabTo(page, /^Make stop codes|^Make new codes/);
    const make = page.getByRole("button", { name: /^Make (stop|new) codes$/ });
    const rows = page.locator(".rows > li");
    await rows.evaluateAll((all) => all.forEach((row) => row.classList.add("old")));
    await scene.ask();
    await expect.poll(() => page.locator(".rows > li.old").count()).toBe(0);
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(resolve))");
    expect(await hasFocus(make)).toBe(true);
    expect(await lostOn(page)).toEqual([]);
  });

  it("an owner stops everything: Keep first, nothing by a slip, and it is said at once", async () => {
    const asking = await scene.ask();
    await enter("Stop");
    await page.getByText("Or only a part").waitFor();
    await tabTo(page, /^Stop everything…/);
    await press("Enter");
    expect(await hasFocus(page.getByRole("button", { name: /^Keep (it|them)$/ }))).toBe(true);
    await tabTo(page, /^Stop (it|them) now$/);
    await heardOn(page);
    await press("Enter");
    await page
      .getByText(/1 of 1 host confirmed/)
      .first()
      .waitFor();
    const heard = await heardOn(page);
    expect(
      heard.filter((words) => /^at once: Stopped at \d\d:\d\d:\d\d\.$/.test(words)),
    ).toHaveLength(1);
    expect(heard).toContain("politely: 1 of 1 host confirmed.");
    expect(await asking.answer).toMatchObject({ status: 403 });
    expect(await lostOn(page)).toEqual([]);
  });
});
