// After the signature: what was found out here, who asks next, and what happens when nobody waits any more.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { tell } from "../e2e/countersign.ts";
import { picture } from "./pictures.ts";
import { approve, heading, Scene } from "./scene.ts";

let scene: Scene;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

it("says that both signatures are in the log, leads to the next request by keyboard, and to the agent", async () => {
  const desk = await scene.signedIn();
  ({ page } = desk);
  const one = await scene.ask({ isAnnounced: true });
  const two = await scene.ask({ isAnnounced: true });
  const icon = page.locator('link[rel="icon"]');
  await expect.poll(() => icon.getAttribute("href")).toBe("./waiting.svg");
  await expect.poll(() => page.title()).toMatch(/^\(2\) /);
  await scene.read(page, one);
  await approve(page);
  await page.getByText(/^Entry [\d,]+ is in the log, checked in this browser$/).waitFor();
  await page.getByText(/^First credential ends at \d\d:\d\d, then it renews itself$/).waitFor();
  await page.getByText(`${one.name} has its credential. Both signatures are there.`).waitFor();
  await picture(page, "request-countersigned");
  await page.getByRole("link", { name: `Next: ${two.name} asks` }).press("Enter");
  await heading(page, `${two.name} asks for a credential`).waitFor();
  await approve(page);
  await page.getByRole("link", { name: "To the inbox" }).waitFor();
  await expect.poll(() => icon.getAttribute("href")).toBe("./signed.svg");
  await page.getByRole("link", { name: `See ${two.name}` }).press("Enter");
  await heading(page, two.name).waitFor();
  expect(desk.complaints).toEqual([]);
});

it("says when the asker is gone: the approval stands, and the credential comes when it asks again", async () => {
  ({ page } = await scene.signedIn());
  const asking = await scene.ask({ isLeaving: true });
  await scene.read(page, asking);
  await approve(page);
  const words = `Approved. ${asking.name} gets its credential when it asks again.`;
  await page.locator("main").getByText(words).waitFor({ timeout: 30_000 });
  await picture(page, "request-asker-gone");
  expect(await scene.stateOf(asking)).toBe("approved");
});

it("stops the agent from there, asking once more", async () => {
  ({ page } = await scene.signedIn());
  const asking = await scene.ask();
  await scene.read(page, asking);
  await approve(page);
  expect(await asking.answer).toMatchObject({ status: 200 });
  await page.getByRole("button", { name: `Stop ${asking.name}…` }).press("Enter");
  await page.getByRole("button", { name: "Stop it now" }).press("Enter");
  await page.locator("main").getByText("1 of 1 host confirmed.").waitFor();
  await expect
    .poll(() => tell(asking.agent, "/v1/proof", { aud: "http://localhost:4000/" }))
    .toMatchObject({ status: 403, reason: "halted" });
});
