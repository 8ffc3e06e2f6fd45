import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { source as axeSource } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { Home, ROOT, tell } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { enrolPasskey } from "./enrol.ts";

const SHOTS = join(ROOT, "docs/console");
const SIZES = [
  ["", { width: 1280, height: 900 }],
  ["-phone", { width: 390, height: 844 }],
] as const;

declare const axe: { run(): Promise<{ violations: readonly { id: string }[] }> };

async function picture(page: Page, name: string): Promise<void> {
  for (const [suffix, viewport] of SIZES)
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.waitForTimeout(200); // colours change in 120 ms
      const path = join(SHOTS, `${name}${suffix}${colorScheme === "dark" ? "-dark" : ""}.png`);
      await page.screenshot({ path, fullPage: true });
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => axe.run());
      expect(violations.map(({ id }) => id)).toEqual([]);
    }
  await page.setViewportSize(SIZES[0][1]);
}

let home: Home;
let browser: Browser;
let desk: Desk;
beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  home = await Home.create();
  const { ready } = await home.dev();
  const origin = ready["console"] ?? "";
  browser = await openBrowser();
  desk = await Desk.open(browser);
  await enrolPasskey(desk, home, { origin, name: "robin", comment: "MacBook" });
  await desk.page.goto(origin);
  await desk.page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await desk.page.getByRole("heading", { name: "Inbox", level: 1 }).waitFor();
});
afterAll(async () => {
  await browser.close();
  await home.close();
});

it("an owner who is asked again sees first what has changed since he approved", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin", "--single");
  const first = home.courier("mailer");
  expect(await tell(first, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("heading", { name: "mailer asks for a credential" }).waitFor();
  expect(await page.getByText(/changed since you approved it/).count()).toBe(0);
  for (const line of await page.locator(".marked").all()) {
    await line.scrollIntoViewIfNeeded();
    await line.focus();
  }
  const approve = page.getByRole("button", { name: "Approve with passkey" });
  await expect.poll(() => approve.getAttribute("aria-disabled")).toBe("false");
  await page.waitForTimeout(600);
  await approve.click();
  await page.getByRole("heading", { name: "Countersigned" }).waitFor();
  expect(await tell(first, "/v1/credential?wait=60", {})).toMatchObject({ status: 200 });
  await first.stop();

  await home.register("mailer", "--owner", "robin");
  const second = home.courier("mailer");
  expect(await tell(second, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.goto(`${page.url().split("#")[0] ?? ""}#/inbox`);
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("heading", { name: /\d things changed since you approved it/ }).waitFor();
  const row = page.getByRole("row", { name: /renews itself/ });
  expect(await row.textContent()).toBe("renews itselfwas no, one credentialnow yes");
  await page.getByText(/Same as before: .*program file/).waitFor();
  await picture(page, "request-changed");
  expect(desk.complaints).toEqual([]);
  await second.stop();
});
