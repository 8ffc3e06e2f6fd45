import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { said } from "../e2e/at-terminal.ts";
import { codeShown, has, Home, tell } from "../e2e/countersign.ts";
import type { OwnerKeyFile, Running } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { picture, WIDE } from "./pictures.ts";
import { approve, approveOf } from "./scene.ts";

/** A question of the terminal, where a line is broken or not. */
const ASKED = "yes, or no (Enter) >";

describe.skipIf(!has("script", "--version"))("a passkey of who began with an SSH key", () => {
  let home: Home;
  let browser: Browser;
  let desk: Desk;
  let page: Page;
  let origin: string;
  let key: OwnerKeyFile;
  const titled = (name: string | RegExp): Promise<void> =>
    page.getByRole("heading", { name, level: 1 }).waitFor();
  const press = (name: string | RegExp): Promise<void> =>
    page.getByRole("button", { name }).first().click();
  beforeAll(async () => {
    home = await Home.create();
    const { ready } = await home.dev();
    origin = ready["console"] ?? "";
    key = await home.keyFile("me");
    browser = await openBrowser();
    desk = await Desk.open(browser, { viewport: WIDE });
    ({ page } = desk);
  });
  afterAll(async () => {
    await browser.close();
    await home.close();
  });

  const invite = (): Running => home.atTerminal(["owner", "invite", "me", "--key", key.path]);
  const codeAt = (terminal: Running): Promise<string> =>
    terminal.when("code", ({ text }) => /type there +(\S+)/.exec(text)?.[1]);
  /** Makes the passkey on the page, up to where it waits for the terminal. @returns the eight characters */
  async function offer(code: string): Promise<string> {
    await page.goto("about:blank");
    await page.goto(`${origin}/#/enrol`);
    await page.getByLabel("Code").fill(code);
    await press("Go on");
    await titled("You make a passkey beside the key that you have.");
    await press("Make my passkey");
    await titled("Your new key signs for itself");
    await press("Sign with my new passkey");
    await titled("Say yes in the terminal");
    return (await page.locator(".code-shown").textContent()) ?? "";
  }
  const keys = async (): Promise<readonly { jkt: string; co_signers: readonly string[] }[]> => {
    const { owners } = await home.json(["owner", "list"]);
    const [owner] = owners as { keys: { jkt: string; co_signers: string[] }[] }[];
    return owner?.keys ?? [];
  };

  it("is named by the command that enrols the SSH key", async () => {
    const { out, code } = await home.cli(["owner", "enrol", "me", "--key", key.path]);
    expect(code).toBe(0);
    expect(out).toContain(`countersign owner invite me --key ${key.path}`);
  });

  it("is none when the terminal says no, and the page says so", async () => {
    const terminal = invite();
    const characters = await offer(await codeAt(terminal));
    const at = await said(terminal, "YOU ADD A KEY");
    await said(terminal, `The page must show the same eight characters: ${characters}`, at);
    await said(terminal, ASKED, at);
    await page.getByText(/^Waiting for the terminal, until/).waitFor();
    await picture(page, "enrol-wait");
    terminal.write(""); // Enter
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.text).toContain("No key was enrolled");
    await titled("The terminal said no");
    await picture(page, "enrol-declined");
    expect(await keys()).toHaveLength(1);
  });

  it("is none when the input ends before an answer", async () => {
    const terminal = invite();
    await offer(await codeAt(terminal));
    await said(terminal, ASKED);
    terminal.type("\u0004");
    expect((await terminal.ended).code).toBe(0);
    await titled("The terminal said no");
    expect(await keys()).toHaveLength(1);
  });

  it("is none when its code is typed a second time, which both say", async () => {
    const terminal = invite();
    const code = await codeAt(terminal);
    await offer(code);
    await said(terminal, ASKED);
    const other = await Desk.open(browser, { viewport: WIDE });
    await other.page.goto(`${origin}/#/enrol`);
    await other.page.getByLabel("Code").fill(code);
    await other.page.getByRole("button", { name: "Go on" }).click();
    await other.page.getByText(/is dropped: none was enrolled/).waitFor();
    await other.close();
    await titled("The link is cancelled");
    terminal.write("yes");
    expect((await terminal.ended).code).toBe(1);
    expect(terminal.text).toContain("[already_decided]");
    expect(await keys()).toHaveLength(1);
  });

  it("is his once he has compared and said yes: it signs in, and approves", async () => {
    const terminal = invite();
    const characters = await offer(await codeAt(terminal));
    await said(terminal, ASKED);
    terminal.write("yes");
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.text).toContain(`Enrolled the passkey ${characters} of me`);
    await titled("Your other key has signed for it");
    expect(await page.locator(".code-shown").textContent()).toBe(characters);
    await picture(page, "enrol-done");
    const [old, made] = await keys();
    expect(made).toMatchObject({ co_signers: [old?.jkt] });
    expect(characters.replace(" ", "")).toBe(made?.jkt.slice(0, 8));

    await press("Sign in");
    await titled("Keys");
    expect(await page.getByText("A key that none of yours signed for").count()).toBe(0);
    await page.getByRole("link", { name: "Inbox" }).first().click();
    await home.register("mailer", "--owner", "me");
    const agent = home.courier("mailer");
    const answer = tell(agent, "/v1/credential?wait=60", {});
    await page.getByText(await agent.when("code", codeShown)).waitFor();
    await page.getByRole("link", { name: /Read/ }).first().click();
    await approveOf(page).waitFor();
    await approve(page);
    expect(await answer).toMatchObject({ status: 200 });
    await agent.stop();
    expect(desk.complaints.filter((line) => !line.includes("409"))).toEqual([]);
  });

  it("is asked for at a terminal, and of who has a key", async () => {
    const piped = await home.cli(["owner", "invite", "me", "--key", key.path, "--json"]);
    expect([piped.code, JSON.parse(piped.err)]).toMatchObject([1, { reason: "terminal_required" }]);
    const nobody = home.atTerminal(["owner", "invite", "sam", "--key", key.path]);
    expect((await nobody.ended).code).toBe(1);
    expect(nobody.text).toContain("countersign owner invite NAME");
    const both = await home.cli(["owner", "invite", "me", "--key", key.path, "--no-wait"]);
    expect([both.code, both.err]).toEqual([2, expect.stringContaining("--no-wait leaves nobody")]);
    const { out } = await home.cli(["owner", "list"]);
    expect(out).not.toContain("sam");
  });
});
