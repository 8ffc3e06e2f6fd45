import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { codeShown, Home, ROOT, until } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { WIDE } from "./pictures.ts";
import { approve, heading } from "./scene.ts";

const MAIN = `${ROOT}packages/cli/dist/main.js`;
const RUN = /(countersign .*run --agent .+)/;

/** The page that an agent's terminal names while its owner is asked. */
const pageShown = ({ err }: Running): string | undefined =>
  /The owner is asked: (http:\S+), or countersign owner approve \S+$/m.exec(err.join("\n"))?.[1];

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens
  server.close();
  return `http://localhost:${port}/`;
}

describe("the first minutes with countersign dev, as it says", () => {
  let home: Home;
  let browser: Browser;
  let desk: Desk;
  let page: Page;
  let dev: Running;
  let service: string;
  beforeAll(async () => {
    home = await Home.create();
    service = await freeAddress();
    browser = await openBrowser();
    desk = await Desk.open(browser, { viewport: WIDE });
    ({ page } = desk);
    dev = home.start(["dev"]);
  });
  afterAll(async () => {
    await browser.close();
    await home.close();
  });
  const press = (name: string): Promise<void> => page.getByRole("button", { name }).first().click();
  const told = (what: RegExp): Promise<string> =>
    dev.when(String(what), ({ out, err }) => what.exec([...out, ...err].join("\n"))?.[1]);
  /** Types a line of the banner into a shell in the checkout; only the service's port is another, machines are shared. */
  const type = async (line: RegExp, ...more: readonly string[]): Promise<Running> => {
    const command = (await told(line)).replace("http://localhost:4000/", service);
    const words = command.replace(/^countersign /, `'${process.execPath}' '${MAIN}' `);
    return home.spawn("sh", ["-c", `cd '${ROOT}' && exec ${[words, ...more].join(" ")}`]);
  };

  it("the console: a code makes the passkey, and the terminal of dev shows its characters", async () => {
    await page.goto(await told(/1 {2}your console {2}open (\S+)/));
    await page.getByLabel("Code").fill(await told(/ code ([0-9A-Z-]{11})/));
    await press("Go on");
    await press("Make my passkey");
    await press("Sign with my new passkey");
    await heading(page, "Compare with the terminal").waitFor();
    const shown = await page.locator(".code-shown").textContent();
    expect(await told(/same eight characters: (.{9})/)).toBe(shown);
    await press("They are the same: sign in");
    await heading(page, "Keys").waitFor();
  });

  it("the first agent: it waits, its owner approves, a service knows both, and a stranger is refused", async () => {
    expect((await (await type(/2 {2}first agent {3}(.+)/)).ended).code).toBe(0);
    const agent = await type(RUN, service);
    const code = await agent.when("code", codeShown);
    await page.goto(await agent.when("page", pageShown));
    await heading(page, "hello asks for a credential").waitFor();
    await page.getByText(code).first().waitFor();
    await approve(page);
    const ends = await agent.when("words", ({ err }) =>
      err.find((line) => line.includes("no answer")),
    );
    expect(ends).toBe(`no answer of ${service}: ECONNREFUSED`);
    const running = await type(/(node .*relying-party\.mjs .+) &/, new URL(service).port);
    await running.when("service", ({ out }) => out[0]);
    const again = await type(RUN, service);
    const answer = await again.when("answer", ({ out }) => out[0]);
    expect(answer).toMatch(
      /^200 hello spiffe:\S+\/agent\/hello\/\S+, approved by urn:agent-owner:/,
    );
    const { status } = await fetch(service);
    expect(status).toBe(401);
  });

  it("stop it all: the agent is refused, and started again it is so too", async () => {
    const stop = await type(/3 {2}stop it all {3}(.+)/);
    expect((await stop.ended).code).toBe(0);
    const again = await type(RUN, service);
    await until("end", () => again.end);
    expect(again.err.join("\n")).toContain("refused: halted");
    expect((await dev.stop()).code).toBe(0);
  });
});
