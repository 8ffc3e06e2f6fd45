import { readdirSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { demoBase, hangAllNaming, Home, processesNaming, ROOT } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { WIDE } from "./pictures.ts";
import { approve, denyOf, heading } from "./scene.ts";

/** What the person reads in the terminal: the first match, now or later. */
const told = (demo: Running, what: RegExp): Promise<string> =>
  demo.when(String(what), ({ out }) => what.exec(out.join("\n"))?.[1]);

describe("npm run demo -- --console", () => {
  let browser: Browser;
  let home: Home;
  let base: string;
  let desk: Desk;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    home = await Home.create();
    base = demoBase();
    desk = await Desk.open(browser, { viewport: WIDE });
    ({ page } = desk);
  });
  afterEach(async () => {
    await desk.close();
    await home.close();
    rmSync(base, { recursive: true });
  });
  const start = (...args: readonly string[]): Running =>
    home.spawn(process.execPath, [`${ROOT}scripts/demo.mjs`, "--console", ...args], {
      TMPDIR: base,
    });
  /** Started, and through with building. */
  const begin = async (...args: readonly string[]): Promise<Running> => {
    const demo = start(...args);
    await told(demo, /building … (built) in/);
    return demo;
  };
  const press = (name: string | RegExp): Promise<void> =>
    page.getByRole("button", { name }).first().click();
  const leftBehind = (): readonly string[] => [...readdirSync(base), ...processesNaming(base)];

  /** Does what the second step says; the same eight characters stand in both places. */
  async function makePasskey(demo: Running): Promise<void> {
    const link = await told(demo, /open +(\S+#\/enrol)$/m);
    expect(link).toMatch(/^http:\/\/localhost:\d+\//);
    await page.goto(link);
    await page.getByLabel("Code").fill(await told(demo, /type there +(\S+)/));
    await press("Go on");
    await press("Make my passkey");
    await press("Sign with my new passkey");
    await heading(page, "Compare with the terminal").waitFor();
    const shown = await page.locator(".code-shown").textContent();
    expect(await told(demo, /same eight characters: (.{9})/)).toBe(shown);
    await press("They are the same: sign in");
    await heading(page, "Keys").waitFor();
  }

  /** Opens the request in the way that the fifth step says, and compares its code. */
  async function openRequest(demo: Running): Promise<void> {
    const code = await told(demo, /must show the code ([0-9A-Z-]+)/);
    expect(await told(demo, /it waits, and shows the code (\S+)/)).toBe(code);
    await page.goto(await told(demo, /Open +(\S+\/) +and there: Inbox/));
    await page.getByRole("link", { name: "Inbox" }).first().click();
    await page.getByText(code).waitFor();
    await page.getByRole("link", { name: /Read/ }).first().click();
    await heading(page, "hello asks for a credential").waitFor();
  }

  it("is told from its output to its last line by a person with a passkey", async () => {
    const demo = await begin("--minutes", "3");
    await makePasskey(demo);
    await openRequest(demo);
    await approve(page);
    await page.goto(await told(demo, /Open +(\S+#\/stop) +and press/));
    await heading(page, "Stop").waitFor();
    await press("Stop hello…");
    await press("Stop it now");
    expect(await demo.ended).toEqual({ code: 0, signal: null });
    const text = demo.out.join("\n");
    expect(demo.err.join("\n")).toBe("");
    expect(text).not.toContain("✗");
    expect(text).not.toContain("127.0.0.1");
    for (const line of [
      /✓ services on this machine pin your key [\w-]{43}/,
      /✓ it answers: 200 hello spiffe:\S+, approved by urn:agent-owner:/,
      /✓ the owner's signature fits the statement/,
      /✓ the entry is in the configured log/,
      /✓ a passkey that knew its user has signed: assurance 3 of 4/,
      /✓ its next proof: refused, halted/,
      /✓ the same agent, started again: refused, halted/,
      /waiting for your decision in the console, \d+ (s|min) left/,
    ])
      expect(text).toMatch(line);
    const [, held, all] = /(\d+) of (\d+) checks held, in .* s$/.exec(text) ?? [];
    expect(held).toBe(all);
    expect(leftBehind()).toEqual([]);
  });

  it("ends well where the person says no: nothing was issued", async () => {
    const demo = await begin("--minutes", "3");
    await makePasskey(demo);
    await openRequest(demo);
    await denyOf(page).click();
    expect((await demo.ended).code).toBe(0);
    expect(demo.out.join("\n")).toMatch(/the agent: refused, approval_denied[^]*You said no/);
    expect(leftBehind()).toEqual([]);
  });

  it("ends by itself where nobody comes, and says so", async () => {
    const demo = await begin("--minutes", "0.05");
    expect((await demo.ended).code).toBe(1);
    expect(demo.out.join("\n")).toMatch(
      /Nothing came within 3 s: it waited for your passkey[^]*Once more: npm run demo -- --console/,
    );
    expect(leftBehind()).toEqual([]);
  });

  /** Where a person may have enough of it: what was read until then, or done. */
  const PHASES: readonly (readonly [string, (demo: Running) => Promise<unknown>])[] = [
    ["while server and proxy start", (demo) => told(demo, /^ 1 {2}(A server)/m)],
    ["where it waits for a passkey", (demo) => told(demo, /type there +(\S+)/)],
    [
      "where it waits for a decision",
      async (demo) => {
        await makePasskey(demo);
        await told(demo, /must show the code ([0-9A-Z-]+)/);
      },
    ],
    [
      "where it waits for a stop",
      async (demo) => {
        await makePasskey(demo);
        await openRequest(demo);
        await approve(page);
        await told(demo, /Open +(\S+#\/stop) +and press/);
      },
    ],
  ];

  it.each(PHASES)("ends what it started at Ctrl-C, %s", async (_, reach) => {
    const demo = await begin();
    await reach(demo);
    demo.signal("SIGINT");
    expect(await demo.ended).toEqual({ code: 130, signal: null });
    expect(leftBehind()).toEqual([]);
  });

  it("ends at once at a second Ctrl-C, and leaves nothing either", async () => {
    const demo = await begin();
    await told(demo, /type there +(\S+)/);
    hangAllNaming(base);
    demo.signal("SIGINT");
    await told(demo, /^(Stopped)\. Everything of it is being ended/m);
    demo.signal("SIGINT");
    expect(await demo.ended).toEqual({ code: 130, signal: null });
    await expect.poll(leftBehind).toEqual([]);
  });

  it.each([
    [["--out", "there"], "--out belongs to the demo that runs by itself"],
    [["--minutes", "0"], "--minutes is a number, at most 120"],
    [["--minutes", "soon"], "--minutes is a number, at most 120"],
  ])("refuses %j", async (args, message) => {
    const demo = start(...args);
    expect((await demo.ended).code).toBe(2);
    expect(demo.err.join("\n")).toContain(message);
    expect(demo.err.join("\n")).toContain("usage: npm run demo");
  });
});
