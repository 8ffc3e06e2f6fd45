import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Locator, Page } from "playwright-core";
import { has } from "../e2e/countersign.ts";
import { otherThan, tellAtTerminal } from "../e2e/at-terminal.ts";
import type { Desk } from "./browser.ts";
import { leap } from "./leap.ts";
import { picture, violationsOn } from "./pictures.ts";
import { approve, approveOf, denyOf, heading, isOff, Scene, spoken } from "./scene.ts";
import type { AskingAtTerminal } from "./scene.ts";

const MINUTE_MS = 60_000;
const hasTerminal = has("script", "--version");

let scene: Scene;
let desk: Desk;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(() => scene.close());

const inputOf = (on: Page): Locator =>
  on.getByRole("textbox", { name: "Two digits of the agent's terminal" });

/** Whether what is typed now goes into the boxes. */
const isTyping = (on: Page): Promise<boolean> =>
  on.evaluate<boolean>("document.activeElement?.classList.contains('digits-input') === true");

describe.skipIf(!hasTerminal)("an owner whose agent asks at a terminal where somebody sits", () => {
  let asking: AskingAtTerminal;
  beforeEach(async () => {
    desk = await scene.signedIn();
    ({ page } = desk);
    asking = await scene.askAtTerminal();
    await scene.read(page, asking);
  });
  afterEach(async () => {
    const { complaints } = desk;
    await scene.afterEach();
    // the browser's own word for the refused try; nothing else went wrong
    expect(complaints.filter((line) => !line.includes("422"))).toEqual([]);
  });

  const type = async (digits: string): Promise<void> => {
    await inputOf(page).fill(digits);
    await inputOf(page).press("Enter");
  };

  it("sees no text to sign before he has typed the digits, then reads it and approves", async () => {
    await page.getByText("There is nothing to sign yet.").waitFor();
    expect(await page.locator(".full-text, .signatures, .clause").count()).toBe(0);
    expect(await isOff(approveOf(page))).toBe(true);
    expect(await page.locator(".decide .code").textContent()).toBe(asking.code);
    await page.getByText("I sort the mail.").waitFor();
    expect(await page.locator("body").textContent()).not.toContain(`"${asking.digits}"`);
    await picture(page, "digits");
    await approveOf(page).press("Enter"); // off: leads to what is missing
    expect(await isTyping(page)).toBe(true);

    await type(otherThan(asking.digits));
    await page.getByText("After 1 more wrong try this request is denied.").waitFor();
    expect(await inputOf(page).getAttribute("aria-invalid")).toBe("true");
    expect(await isTyping(page)).toBe(true);
    expect(await scene.stateOf(asking)).toBe("asked");
    await picture(page, "digits-wrong");

    await type(asking.digits);
    await page.getByText("They match").waitFor();
    await page.getByText(`You typed the two digits from the agent’s terminal:`).waitFor();
    expect(await page.locator(".full-text").textContent()).toContain(
      `digits:     "${asking.digits}"`,
    );
    await picture(page, "digits-matched");
    await approve(page);
    // asked again: taking pictures lasts longer than anybody waits for one answer
    const answer = await tellAtTerminal(asking.agent, "/v1/credential?wait=60");
    expect(answer).toMatchObject({ status: 200 });
  });

  it("has denied it when he types wrong ones twice", async () => {
    await type(otherThan(asking.digits));
    await page.getByText("After 1 more wrong try").waitFor();
    await type(otherThan(otherThan(asking.digits)));
    await heading(page, "Denied").waitFor();
    expect(await spoken(page).textContent()).toMatch(
      /The digits were wrong twice, so you denied it\. .* may ask again in \d/,
    );
    expect(await page.getByRole("button", { name: /Approve|Deny/ }).count()).toBe(0);
    expect(await violationsOn(page)).toEqual([]);
    await picture(page, "digits-denied");
    expect(await scene.stateOf(asking)).toBe("denied");
    expect(await asking.answer).toMatchObject({ status: 403, reason: "approval_denied" });
  });

  it("hears of wrong ones that were typed elsewhere, keeps what he types, and reads of them later too", async () => {
    await inputOf(page).pressSequentially("4");
    const [{ jkt } = expect.fail("no key")] = await scene.keys();
    const wrong = { jkt, match: otherThan(asking.digits) };
    const path = `/v1/owner/requests/${asking.id}/statement`;
    const answer = await scene.home.local("server.sock", path, wrong);
    expect(answer).toMatchObject({ reason: "digits_mismatched" });
    const said = page.getByText(
      "After 1 more wrong try this request is denied. If that was not you",
    );
    await said.waitFor();
    expect(await inputOf(page).inputValue()).toBe("4");
    expect(await isTyping(page)).toBe(true);
    await page.reload();
    await said.waitFor();
    await type(asking.digits);
    await page.getByText("They match").waitFor();
  });

  it("sends nothing that is not two digits, by Enter or by the button", async () => {
    const tries: string[] = [];
    page.on("request", (sent) => {
      if (sent.url().endsWith("/statement")) tries.push(sent.url());
    });
    await inputOf(page).pressSequentially("4x");
    expect(await inputOf(page).inputValue()).toBe("4");
    await inputOf(page).press("Enter");
    await page.getByRole("button", { name: "Check" }).press("Enter");
    expect(await isTyping(page)).toBe(true);
    expect(tries).toEqual([]);
    await inputOf(page).fill(asking.digits);
    await page.getByRole("button", { name: "Check" }).press("Enter");
    await page.getByText("They match").waitFor();
    expect(tries).toHaveLength(1);
  });

  it("can say no without them", async () => {
    await denyOf(page).press("Enter");
    await heading(page, "Denied").waitFor();
    expect(await asking.answer).toMatchObject({ status: 403 });
  });

  it("types them before the sheet on a narrow page, and keeps what he typed when it widens", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await inputOf(page).fill("4");
    const before = (await inputOf(page).boundingBox())?.y ?? 0;
    const reasons = (await page.getByText("Why you are asked").boundingBox())?.y ?? 0;
    expect(before).toBeLessThan(reasons);
    await page.setViewportSize({ width: 1280, height: 900 });
    await expect.poll(() => page.locator(".decide .digits-input").count()).toBe(1);
    expect(await inputOf(page).inputValue()).toBe("4");
    expect(await isTyping(page)).toBe(true);
  });
});

it.skipIf(!hasTerminal)(
  "a text made anew after five minutes asks for no digits again",
  async () => {
    const clocked = await scene.newDesk();
    await clocked.page.clock.install();
    await scene.signIn(clocked.page);
    const asking = await scene.askAtTerminal();
    await scene.read(clocked.page, asking);
    await inputOf(clocked.page).fill(asking.digits);
    await inputOf(clocked.page).press("Enter");
    await clocked.page.getByText("They match").waitFor();
    const number = (): Promise<string | undefined> =>
      clocked.page
        .locator(".full-text")
        .textContent()
        .then((text) => /number: +(\S+)/.exec(text ?? "")?.[1]);
    const first = await number();
    const land = await leap(clocked.page, 5 * MINUTE_MS + 1000);
    await expect.poll(number).not.toBe(first);
    await land();
    await clocked.page.getByText("They match").waitFor();
    await approve(clocked.page);
    expect(await asking.answer).toMatchObject({ status: 200 });
    await scene.afterEach();
  },
);
