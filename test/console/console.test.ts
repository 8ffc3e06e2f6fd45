import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { codeShown, Home, tell } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { enrolPasskey } from "./enrol.ts";
import { firstScreen, picture, WIDE } from "./pictures.ts";
import { approve } from "./scene.ts";

const CAN_BE_UNDONE = ["--action-class", "reversible_write"];

describe("the owner's console in a real browser", () => {
  let home: Home;
  let browser: Browser;
  let origin: string;
  let desk: Desk;
  beforeAll(async () => {
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
    const actions = ["--action", "messages.search", "--action", "messages.draft"];
    const limits = ["--location", "http://localhost:4000/", ...actions];
    await home.register("mailer", "--owner", "robin", ...limits, ...CAN_BE_UNDONE);
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
    await approve(page);
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
