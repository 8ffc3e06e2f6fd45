import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { codeShown, until } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { FirstMinutes, LINES } from "../e2e/first-minutes.ts";
import { Desk, openBrowser } from "./browser.ts";
import { WIDE } from "./pictures.ts";
import { approve, heading } from "./scene.ts";

/** The page that an agent's terminal names while its owner is asked. */
const pageShown = ({ err }: Running): string | undefined =>
  /The owner is asked: (http:\S+), or countersign owner approve \S+$/m.exec(err.join("\n"))?.[1];

describe("the first minutes with countersign dev and a browser, as it says", () => {
  let first: FirstMinutes;
  let browser: Browser;
  let desk: Desk;
  let page: Page;
  beforeAll(async () => {
    first = await FirstMinutes.begin();
    browser = await openBrowser();
    desk = await Desk.open(browser, { viewport: WIDE });
    ({ page } = desk);
  });
  afterAll(async () => {
    await browser.close();
    await first.close();
  });
  const press = (name: string): Promise<void> => page.getByRole("button", { name }).first().click();

  it("the console: a code makes the passkey, and the terminal of dev shows its characters", async () => {
    await page.goto(await first.told(/1 {2}your console {2}open (\S+)/));
    await page.getByLabel("Code").fill(await first.told(/ code ([0-9A-Z-]{11})/));
    await press("Go on");
    await press("Make my passkey");
    await press("Sign with my new passkey");
    await heading(page, "Compare with the terminal").waitFor();
    const shown = await page.locator(".code-shown").textContent();
    expect(await first.told(/same eight characters: (.{9})/)).toBe(shown);
    await press("They are the same: sign in");
    await heading(page, "Keys").waitFor();
  });

  it("the first agent: it waits, its owner approves, a service knows both, and a stranger is refused", async () => {
    const { service } = first;
    for (const line of [LINES.register, LINES.announce])
      expect((await (await first.type(line)).ended).code).toBe(0);
    const agent = await first.type(LINES.run, service);
    const code = await agent.when("code", codeShown);
    await page.goto(await agent.when("page", pageShown));
    await heading(page, "hello asks for a credential").waitFor();
    await page.getByText(code).first().waitFor();
    await page.getByText("You announced it.").waitFor();
    await approve(page);
    const ends = await agent.when("words", ({ err }) =>
      err.find((line) => line.includes("no answer")),
    );
    expect(ends).toBe(`no answer of ${service}: ECONNREFUSED`);
    await first.serve();
    const again = await first.type(LINES.run, service);
    const answer = await again.when("answer", ({ out }) => out[0]);
    expect(answer).toMatch(
      /^200 hello spiffe:\S+\/agent\/hello\/\S+, approved by urn:agent-owner:/,
    );
    const { status } = await fetch(service);
    expect(status).toBe(401);
  });

  it("stop it all: the agent is refused, and started again it is so too", async () => {
    expect((await (await first.type(LINES.stop)).ended).code).toBe(0);
    const again = await first.type(LINES.run, first.service);
    await until("end", () => again.end);
    expect(again.err.join("\n")).toContain("refused: halted");
    expect((await first.dev.stop()).code).toBe(0);
  });
});
