import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { codeShown, Home, tell } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { picture, SHOTS, WIDE } from "./pictures.ts";
import { approve, approveOf } from "./scene.ts";

/** What the terminal of `owner invite` says. */
const told = (running: Running, what: RegExp): Promise<string> =>
  running.when(String(what), ({ out, err }) => what.exec([...out, ...err].join("\n"))?.[1]);

describe("the first key, in a real browser", () => {
  let home: Home;
  let browser: Browser;
  let desk: Desk;
  let page: Page;
  let origin: string;
  let code: string;
  const titled = (name: string | RegExp): Promise<void> =>
    page.getByRole("heading", { name, level: 1 }).waitFor();
  const press = (name: string | RegExp): Promise<void> =>
    page.getByRole("button", { name }).first().click();
  const typed = async (text: string): Promise<void> => {
    await page.getByLabel("Code").fill(text);
    await press("Go on");
  };
  const again = async (): Promise<void> => {
    await page.goto("about:blank");
    await page.goto(`${origin}/#/enrol`);
    await titled("Make your passkey");
  };
  beforeAll(async () => {
    home = await Home.create();
    const { ready } = await home.dev();
    origin = ready["console"] ?? "";
    browser = await openBrowser();
    desk = await Desk.open(browser, { viewport: WIDE });
    ({ page } = desk);
  });
  afterAll(async () => {
    await browser.close();
    await home.close();
  });

  it("is made by a code from the terminal, which shows the same eight characters, and signs in", async () => {
    const terminal = home.start(["owner", "invite", "robin"]);
    const url = await told(terminal, /open +(\S+)/);
    expect(url).toBe(`${origin}/#/enrol`);
    expect(url).toMatch(/^http:\/\/localhost:\d+\/#\/enrol$/);
    code = await told(terminal, /type there +(\S+)/);
    await page.goto(url);
    await titled("Make your passkey");
    await picture(page, "enrol-code");
    await typed("00000-00000");
    await page.getByText("invitation_invalid").waitFor();
    await typed(code.toLowerCase());
    await titled(/You become the owner of agents/);
    await picture(page, "enrol-offer");
    await press("Make my passkey");
    await titled("Your new key signs for itself");
    // closed between the ceremonies: the code is good still
    await again();
    await typed(code);
    await press("Make my passkey");
    await titled("Your new key signs for itself");
    await page.getByText("kind: ").first().waitFor();
    await picture(page, "enrol-sign");
    await press("Sign with my new passkey");
    await titled("Compare with the terminal");
    const characters = await page.locator(".code-shown").textContent();
    expect(await told(terminal, /same eight characters: (.{9})/)).toBe(characters);
    expect((await terminal.ended).code).toBe(0);
    await picture(page, "enrol-compare");
    await press("They are the same: sign in");
    await titled("Keys");
    await page.getByText("You have one key only").waitFor();
    await picture(page, "keys-one");
  });

  it("gets a second one, which both sign for, and printed codes", async () => {
    await desk.secondAuthenticator();
    await press("Add a key");
    await page.getByRole("button", { name: "Sign with the new key" }).waitFor();
    await picture(page, "keys-add");
    await page.getByLabel("Name of the new key").fill("YubiKey desk");
    await press("Sign with the new key");
    await page.getByRole("button", { name: "Now sign with" }).waitFor();
    await desk.onlyFirst();
    await press("Now sign with");
    await page.getByText("You have a second key").waitFor();
    await page.getByText("YubiKey desk").waitFor();
    // whatever is drawn anew while they are made: they are shown only now
    await home.register("sorter", "--owner", "robin");
    await page.route("**/v1/owner/stop-codes", async (route) => {
      const response = await route.fetch();
      const heard = page.waitForResponse((one) => one.url().endsWith("/v1/owner/keys"));
      await home.json(["owner", "expect", "sorter"]);
      await heard;
      await route.fulfill({ response });
    });
    await press("Make stop codes");
    await expect.poll(() => page.locator(".codes li").count()).toBe(8);
    await picture(page, "keys");
    await page.emulateMedia({ media: "print" });
    await page.screenshot({ path: join(SHOTS, "keys-print.png") });
    expect(await page.getByRole("button", { name: "Add a key" }).isVisible()).toBe(false);
    await page.emulateMedia({ media: null });
  });

  it("approves with the second key, after the first was removed and its session ended", async () => {
    const { owners } = await home.json(["owner", "list"]);
    const [owner] = owners as { keys: { jkt: string; comment: string }[] }[];
    const first = owner?.keys.find(({ comment }) => comment !== "YubiKey desk")?.jkt ?? "";
    await page.locator(".row-key", { hasText: "This session" }).getByText("Remove…").click();
    await press("Remove now");
    await titled("Sign in");
    await desk.onlySecond();
    await press("Sign in with a passkey");
    await page.getByRole("link", { name: "Inbox" }).first().click();
    await titled("Inbox");
    await home.register("mailer", "--owner", "robin");
    const agent = home.courier("mailer");
    const answer = tell(agent, "/v1/credential?wait=60", {});
    await page.getByText(await agent.when("code", codeShown)).waitFor();
    await page.getByRole("link", { name: /Read/ }).first().click();
    await approveOf(page).waitFor();
    await approve(page);
    expect(await answer).toMatchObject({ status: 200 });
    expect(first).not.toBe("");
    await page.evaluate(`location.hash = "#/keys"`);
    const key = page.locator(".row-key", { hasText: "YubiKey desk" });
    await key.getByText(/^Last signed today \d\d:\d\d$/).waitFor();
    await agent.stop();
  });

  it("asks on every page about a key that none of his signed for, and says what was approved with it", async () => {
    const strange = await home.owner("robin");
    await page.getByText("A key that none of yours signed for").waitFor();
    await page.getByText("It has signed no approval.").waitFor();
    await home.register("second", "--owner", "robin");
    const agent = home.courier("second");
    const answer = tell(agent, "/v1/credential?wait=60", {});
    await home.approve((await home.waiting()).id, strange);
    expect(await answer).toMatchObject({ status: 200 });
    await page.getByText(/It has signed an approval in your name, last today/).waitFor();
    await page.evaluate(`location.hash = "#/agents/second"`);
    await titled("second");
    await page
      .getByText(/^Works on .* signed for with a key that none of yours signed for\.$/)
      .waitFor();
    await page
      .getByText(/^Signed with a key that none of yours signed for: .*stop every/)
      .waitFor();
    expect(await page.getByText("signature fits this text").count()).toBe(0);
    await picture(page, "agent-strange");
    await page.evaluate(`location.hash = "#/agents/mailer"`);
    await titled("mailer");
    await page.getByText(/Signed for by you until/).waitFor();
    await page.getByText("The owner's signature fits this text").waitFor();
    const url = "https://hooks.example.com/notices";
    const { id } = await home.json(["owner", "webhook", "add", "robin", url]);
    await home.json(["owner", "webhook", "remove", String(id)]);
    await page.evaluate(`location.hash = "#/log"`);
    await page
      .getByText(/^an administrator has notices of yours posted to hooks\.example\.com$/)
      .waitFor();
    await page.getByText(/^second was approved with a key that none of yours/).waitFor();
    await page.getByText(/^mailer was approved by you with/).waitFor();
    await agent.stop();
    await page.evaluate(`location.hash = "#/keys"`);
    await titled("Keys");
    await page
      .getByText(/stop everything first, then remove the key.*The log has the entry \d+\./)
      .waitFor();
    for (const name of ["Inbox", "Agents", "Log", "Stop"]) {
      await page
        .getByRole("link", { name: new RegExp(`^${name}`) })
        .first()
        .click();
      await titled(name);
      expect(await page.getByRole("region", { name: "A key that you did not add" }).count()).toBe(
        1,
      );
    }
    await page.getByRole("link", { name: "Keys" }).first().click();
    await picture(page, "keys-strange");
    await press("Remove it");
    await expect.poll(() => page.locator(".strange").count()).toBe(0);
    // what was approved with it has ended, and is not called his
    await page.evaluate(`location.hash = "#/agents/second"`);
    await page.getByText(/It ended today .*: the key that signed it was removed/).waitFor();
    await page.getByText(/^Signed with a key that none of yours signed for/).waitFor();
  });

  it("is suspended by its link being used twice, which says when and whom to tell", async () => {
    const { invitation } = await home.json(["owner", "invite", "sam", "--no-wait"]);
    const { code: once } = invitation as { code: string };
    await again();
    await typed(once);
    await press("Make my passkey");
    await press("Sign with my new passkey");
    await titled("Compare with the terminal");
    await again();
    await typed(once);
    await page.getByText(/It was used at .* UTC.*Tell whoever gave you the link/).waitFor();
    await picture(page, "enrol-used");
    expect((await home.cli(["owner", "list"])).out).toContain("SUSPENDED");
  });
});
