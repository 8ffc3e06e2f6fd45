// Each page at each width for which the design has a layout, and at 400 %: nothing beyond an edge, nothing cut, nothing over
// another, every target as large as a finger needs (console.md 3).
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { faultsAt } from "./layout.ts";
import { picture } from "./pictures.ts";
import { heading, Scene } from "./scene.ts";

/** A window of 1280 by 900 at 400 % is one of 320 by 225, at 200 % one of 640 by 450. */
const SIZES = [
  [320, 225],
  [320, 700],
  [390, 844],
  [640, 450],
  [720, 900],
  [900, 1100],
  [1040, 900],
  [1440, 900],
] as const;
const LONG = `mailer-${"of-a-long-name-".repeat(3)}x`;
const NOTE = `See https://evil.example/${"w".repeat(120)} \u202Enow`;

let scene: Scene;
let page: Page;
let request = "";
beforeAll(async () => {
  scene = await Scene.open();
  await scene.home.register(LONG, "--owner", "robin");
  const asking = await scene.ask({ isAnnounced: true, note: NOTE });
  await scene.ask();
  request = `requests/${asking.id}`;
  ({ page } = await scene.signedIn());
});
afterAll(() => scene.close());

/** Each page, and what is there once it has loaded. */
const PAGES = [
  ["inbox", ".row"],
  ["request", ".sheet"],
  ["agents", ".table"],
  [`agents/${LONG}`, ".stop-ways"],
  ["log", ".row-log"],
  ["keys", ".key-columns"],
  ["stop", ".row-stop"],
] as const;

async function goTo(name: string, loaded: string): Promise<void> {
  await page.evaluate(`location.hash = "#/none"`);
  await heading(page, "Inbox").waitFor();
  await page.evaluate(`location.hash = "#/${name === "request" ? request : name}"`);
  await page.locator(`main ${loaded}`).first().waitFor();
}

describe.each(SIZES)("at %d by %d", (width, height) => {
  it.each(PAGES)("%s stands as it should", async (name, loaded) => {
    await page.setViewportSize({ width, height });
    await goTo(name, loaded);
    expect(await faultsAt(page, width)).toEqual([]);
  });
});

describe("on a tablet", () => {
  it("the pages stand in a rail of icons with their names below, and what decides is under the sheet", async () => {
    await page.setViewportSize({ width: 900, height: 1100 });
    await goTo("request", ".sheet");
    const side = await page.getByRole("navigation", { name: "Console" }).boundingBox();
    expect(side?.width).toBe(64);
    for (const name of ["Inbox", "Agents", "Log", "Keys", "Stop…"]) {
      const link = page.locator("nav.side a", { hasText: name });
      const [icon, words] = [link.locator("svg"), link.locator("span").first()];
      const [above, below] = [await icon.boundingBox(), await words.boundingBox()];
      expect(above === null || below === null || above.y + above.height <= below.y + 1).toBe(true);
      expect(await words.isVisible()).toBe(true);
    }
    const sheet = await page.locator(".sheet").boundingBox();
    const panel = await page.getByRole("complementary", { name: "Decide" }).boundingBox();
    expect(panel?.y ?? 0).toBeGreaterThan((sheet?.y ?? 0) + (sheet?.height ?? Infinity));
  });

  it("long names and words stay inside their frames", async () => {
    for (const [name, loaded, of] of [
      ["stop", ".row-stop", "stop-long"],
      ["request", ".sheet", "request-long"],
      [`agents/${LONG}`, ".stop-ways", "agent-long"],
    ] as const) {
      await goTo(name, loaded);
      await picture(page, of);
    }
  });
});

it("a page that is as it should not be is found out", async () => {
  await page.setViewportSize({ width: 320, height: 700 });
  await goTo("inbox", ".row");
  await page.evaluate(`{
    const small = document.createElement("button");
    small.textContent = "small";
    small.style.cssText = "position: absolute; left: 300px; top: 0; width: 60px; height: 10px; overflow: hidden; font-size: 60px";
    document.querySelector("main h1").append(small);
    const over = document.createElement("p");
    over.textContent = "over";
    over.style.cssText = "position: absolute; top: 90px";
    document.querySelector("main").append(over);
  }`);
  const kinds = (await faultsAt(page, 320)).map((fault) => fault.replace(/:.*/s, ""));
  expect([...new Set(kinds)].toSorted()).toEqual([
    "beyond the edge",
    "cut",
    "out of its box",
    "over another",
    "scrolls to the side",
    "too small",
  ]);
});
