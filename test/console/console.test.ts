import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { source as axeSource } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { codeShown, Home, ROOT, tell } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { enrolPasskey } from "./enrol.ts";

const SHOTS = join(ROOT, "docs/console");
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };

declare const axe: {
  run(): Promise<{ violations: readonly { id: string; nodes: readonly { html: string }[] }[] }>;
};

/** What axe finds wrong on the page as it stands. */
async function violationsOn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
}

/** Takes the page's picture light and dark, wide and narrow, and lets axe look at each. */
async function picture(page: Page, name: string): Promise<void> {
  for (const [suffix, viewport] of [
    ["", WIDE],
    ["-phone", NARROW],
  ] as const)
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const path = join(SHOTS, `${name}${suffix}${colorScheme === "dark" ? "-dark" : ""}.png`);
      await page.screenshot({ path, fullPage: true });
      expect(await violationsOn(page), `${name}${suffix} ${colorScheme}`).toEqual([]);
    }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
}

/** What a visitor of the README sees. */
async function firstScreen(page: Page, name: string, height: number): Promise<void> {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate("scrollTo(0, 0)");
  const clip = { x: 0, y: 0, width: WIDE.width, height };
  await page.screenshot({ path: join(SHOTS, `first-screen-${name}.png`), clip });
}

describe("the owner's console in a real browser", () => {
  let home: Home;
  let browser: Browser;
  let origin: string;
  let desk: Desk;
  beforeAll(async () => {
    mkdirSync(SHOTS, { recursive: true });
    home = await Home.create();
    const { ready } = await home.dev();
    origin = ready["console"] ?? "";
    browser = await openBrowser();
    desk = await Desk.open(browser, { viewport: WIDE });
    await enrolPasskey(desk, home, { origin, name: "robin", comment: "MacBook" });
  });
  afterAll(async () => {
    await browser.close();
    await home.close();
  });

  it("signs in, shows who waits, approves by passkey, and the agent has its credential", async () => {
    const { page } = desk;
    await page.goto(origin);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await picture(page, "sign-in");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByRole("heading", { name: "Inbox", level: 1 }).waitFor();
    await picture(page, "inbox-empty");
    await home.register("mailer", "--owner", "robin");
    await home.json(["owner", "expect", "mailer"]);
    const agent = home.courier("mailer");
    const answer = tell(agent, "/v1/credential?wait=60", {
      note: "I sort the mail.\u202E<b>hi</b> https://evil.example",
    });
    const code = await agent.when("code", codeShown);
    await page.getByText(code).waitFor();
    await picture(page, "inbox");
    await firstScreen(page, "inbox", 480);
    await page.getByRole("link", { name: /Read/ }).first().click();
    await page.getByRole("heading", { name: "mailer asks for a credential" }).waitFor();
    await picture(page, "request");
    const approve = page.getByRole("button", { name: "Approve with passkey" });
    for (const line of await page.locator(".marked").all()) {
      await line.scrollIntoViewIfNeeded();
      await line.focus();
    }
    await expect.poll(() => approve.getAttribute("aria-disabled")).toBe("false");
    await page.waitForTimeout(600);
    await approve.click();
    await page.getByRole("heading", { name: "Countersigned" }).waitFor();
    await picture(page, "request-signed");
    await firstScreen(page, "signed", 900);
    expect(await answer).toMatchObject({ status: 200 });
    await page.goto(`${origin}/#/agents/mailer`);
    await page.getByText("The owner's signature fits this text, checked in this browser").waitFor();
    await picture(page, "agent");
    for (const name of ["Agents", "Log", "Stop"]) {
      await page
        .getByRole("link", { name: new RegExp(`^${name}`) })
        .first()
        .click();
      await page.getByRole("heading", { name, level: 1 }).waitFor();
      await page.getByText("mailer").first().waitFor();
      await picture(page, name.toLowerCase());
    }
    expect(desk.complaints).toEqual([]);
    await agent.stop();
  });
});
