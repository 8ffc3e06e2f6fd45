import { afterAll, beforeAll, expect, it } from "vitest";
import { source as axeSource } from "axe-core";
import type { Browser } from "playwright-core";
import { Home, tell } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { enrolPasskey } from "./enrol.ts";

declare const axe: { run(): Promise<{ violations: readonly { id: string }[] }> };

let home: Home;
let browser: Browser;
let desk: Desk;
beforeAll(async () => {
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

it("an owner denies and blocks, the agent asks no more, and he lets it ask again", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin");
  const first = home.courier("mailer");
  expect(await tell(first, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("button", { name: "Deny and block" }).press("Enter");
  await page.getByRole("button", { name: "Block", exact: true }).press("Enter");
  await page.getByRole("heading", { name: "Denied and blocked" }).waitFor();
  await first.stop();
  const second = home.courier("mailer");
  expect(await tell(second, "/v1/credential", {})).toMatchObject({
    status: 403,
    reason: "approval_denied",
  });
  await page
    .getByRole("link", { name: /^Agents/ })
    .first()
    .click();
  await page.getByText("Blocked: it cannot ask.").waitFor();
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run());
  expect(violations.map(({ id }) => id)).toEqual([]);
  await page.getByRole("button", { name: "Allow again mailer" }).press("Enter");
  await page.getByText("Blocked: it cannot ask.").waitFor({ state: "detached" });
  expect(await tell(second, "/v1/credential", {})).toMatchObject({ status: 202 });
  const { requests } = await home.json(["owner", "requests"]);
  const [{ id = "" } = {}] = requests as readonly { readonly id?: string }[];
  expect(await home.json(["owner", "block", id])).toEqual({ state: "denied", blocked: true });
  await page.getByText("Blocked: it cannot ask.").waitFor();
  await second.stop();
  expect(desk.complaints).toEqual([]);
});
