// The inbox while things happen: nothing moves under a pointer, choices stay, rows end where they stand.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { leap } from "./leap.ts";
import { picture } from "./pictures.ts";
import { heading, Scene } from "./scene.ts";

let scene: Scene;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

const row = (name: string) => page.locator(".row", { hasText: new RegExp(`^${name} on`) });
const polite = () => page.locator('p[aria-live="polite"]');

it("offers what is new and moves nothing; what was chosen stays chosen, and is denied together", async () => {
  const desk = await scene.signedIn();
  ({ page } = desk);
  const [one, two] = [await scene.ask(), await scene.ask()];
  await row(two.name).waitFor();
  await page.getByLabel(`Choose ${one.name}`).check();
  await row(two.name).hover();
  const before = await row(two.name).boundingBox();
  const three = await scene.ask();
  const show = page.getByRole("button", { name: "1 new – show" });
  await show.waitFor();
  expect(await row(two.name).boundingBox()).toEqual(before);
  expect(await row(three.name).count()).toBe(0);
  // nobody announced it: it raises no count, no voice and no favicon
  expect(await polite().textContent()).not.toContain(three.name);
  expect(await page.title()).toBe("Inbox · countersign");
  expect(await page.locator('link[rel="icon"]').getAttribute("href")).not.toBe("./waiting.svg");
  await picture(page, "inbox-new");
  await show.press("Enter");
  await row(three.name).waitFor();
  const read = page.getByRole("link", { name: `Read ${three.name}` });
  expect(await read.evaluate((link) => link.matches(":focus"))).toBe(true);
  expect(await page.getByLabel(`Choose ${one.name}`).isChecked()).toBe(true);
  await page.getByLabel(`Choose ${three.name}`).press("Space");
  await page.getByText("2 chosen").waitFor();
  await page.getByRole("button", { name: "Deny chosen" }).press("Enter");
  await row(one.name).first().getByText("You denied.").waitFor();
  await expect.poll(() => scene.stateOf(one)).toBe("denied");
  expect(await scene.stateOf(three)).toBe("denied");
  expect(await scene.stateOf(two)).toBe("asked");
  expect(await page.getByRole("button", { name: /Approve/ }).count()).toBe(0);
  expect(desk.complaints).toEqual([]);
});

it("says an announced one politely, by its name, and counts it", async () => {
  ({ page } = await scene.signedIn());
  const asking = await scene.ask({ isAnnounced: true });
  await row(asking.name).waitFor();
  await expect.poll(() => polite().textContent()).toBe(`1 new request: ${asking.name}`);
  await expect.poll(() => page.title()).toBe("(1) Inbox · countersign");
});

it("lets a request end where it stands", async () => {
  ({ page } = await scene.newDesk());
  await page.clock.install();
  await scene.signIn(page);
  const asking = await scene.ask({ isAnnounced: true });
  await row(asking.name).getByText(/left$/).waitFor();
  await leap(page, 70 * 60_000);
  await row(asking.name).getByText("Ended without an answer.").waitFor();
  expect(await page.getByRole("link", { name: `Read and decide ${asking.name}` }).count()).toBe(0);
  await heading(page, "Inbox").waitFor();
});
