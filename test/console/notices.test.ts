import { afterAll, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import type { Desk } from "./browser.ts";
import { tell } from "../e2e/countersign.ts";
import { picture } from "./pictures.ts";
import { heading, Scene } from "./scene.ts";

let scene: Scene;
let desk: Desk;
beforeAll(async () => {
  scene = await Scene.open();
  desk = await scene.signedIn();
});
afterAll(() => scene.close());

/** What calls for an owner wherever he is: the title, the icon of the tab, the number at Inbox, what is spoken. */
async function calling(page: Page): Promise<object> {
  const icon = await page.locator('link[rel="icon"]').getAttribute("href");
  return {
    title: await page.title(),
    icon,
    counts: (await page.locator(".side .count").allTextContents()).filter((count) => count !== ""),
    spoken: await page.locator('[aria-live="polite"]').allTextContents(),
  };
}

async function atAgents(page: Page): Promise<void> {
  await page.evaluate('location.hash = "#/agents"');
  await heading(page, "Agents").waitFor();
}

it("a question that nobody announced changes neither title, icon, number nor what is spoken; an announced one does", async () => {
  const { page } = desk;
  const quiet = await calling(page);
  expect(quiet).toMatchObject({
    title: "Inbox · countersign",
    icon: expect.stringContaining("signed.svg") as string,
    counts: [],
  });

  const stranger = await scene.ask();
  await page.locator(".inbox-unexpected", { hasText: stranger.name }).waitFor();
  expect(await calling(page)).toEqual(quiet);
  await picture(page, "inbox-unexpected");
  await atAgents(page);
  expect(await calling(page)).toEqual({ ...quiet, title: "Agents · countersign" });

  await scene.home.register("reader", "--owner", "robin");
  await scene.home.json(["owner", "expect", "reader"]);
  const reader = scene.home.courier("reader");
  await tell(reader, "/v1/credential", {});
  await expect.poll(() => page.title()).toBe("(1) Agents · countersign");
  expect(await calling(page)).toMatchObject({
    icon: expect.stringContaining("waiting.svg") as string,
    counts: [expect.stringContaining("1") as string],
    spoken: [expect.stringContaining("reader") as string],
  });
  await reader.stop();
  expect(desk.complaints).toEqual([]);
});
