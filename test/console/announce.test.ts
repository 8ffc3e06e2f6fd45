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
  ["-phone", { width: 320, height: 700 }],
] as const;

declare const axe: { run(): Promise<{ violations: readonly { id: string }[] }> };
declare const document: {
  readonly documentElement: { readonly scrollWidth: number; readonly clientWidth: number };
};

/** Pictures of the page; axe finds nothing, and nothing is wider than the screen. */
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
      const isWider = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      expect(isWider, `${name}${suffix} is wider than its screen`).toBe(false);
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

it("an owner announces a start by keyboard: what comes of it is his, the next is not", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin");
  await home.register("sorter", "--owner", "robin");
  await page.getByRole("button", { name: "Announce a start…" }).press("Enter");
  const choice = page.getByLabel("Agent and host");
  await choice.waitFor();
  await expect.poll(() => choice.evaluate((one) => one.matches(":focus"))).toBe(true);
  await picture(page, "announce");
  await choice.selectOption({ index: 0 });
  await page.getByRole("button", { name: "Announce", exact: true }).press("Enter");
  await page.getByText(/Announced: mailer on .*, for the next 10 minutes/).waitFor();
  const agents = ["mailer", "sorter"].map((name) => home.courier(name));
  const answers = agents.map((agent) => tell(agent, "/v1/credential", {}));
  await Promise.all(answers);
  const mine = page.locator("section", { hasText: "You started these" });
  await mine.getByText("mailer").first().waitFor();
  expect(await mine.getByText("sorter").count()).toBe(0);
  await mine.getByText(/Started under uid \d+ on .* \(the proxy's word\)/).waitFor();
  await page.locator(".inbox-unexpected", { hasText: "sorter" }).waitFor();
  await picture(page, "inbox-announced");
  expect(desk.complaints).toEqual([]);
  for (const agent of agents) await agent.stop();
});
