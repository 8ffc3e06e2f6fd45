// An agent that takes two of two owners: the first signs, the second sees who has signed, and signs; then it is granted.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { Home, tell } from "../e2e/countersign.ts";
import { Desk, openBrowser } from "./browser.ts";
import { enrolPasskey } from "./enrol.ts";
import { picture, WIDE } from "./pictures.ts";
import { approve, approveOf, heading, isOff, readMarked } from "./scene.ts";

let home: Home;
let browser: Browser;
let origin: string;
const desks = new Map<string, Desk>();
beforeAll(async () => {
  home = await Home.create();
  const { ready } = await home.dev();
  origin = ready["console"] ?? "";
  browser = await openBrowser();
  for (const name of ["alice", "bob"]) {
    const desk = await Desk.open(browser, { viewport: WIDE });
    await enrolPasskey(desk, home, { origin, name, comment: `Mac of ${name}` });
    desks.set(name, desk);
  }
});
afterAll(async () => {
  await browser.close();
  await home.close();
});

async function signedIn(name: string): Promise<Page> {
  const desk = desks.get(name);
  if (desk === undefined) throw new Error(`no desk of ${name}`);
  await desk.page.goto(origin);
  await desk.page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await heading(desk.page, "Inbox").waitFor();
  return desk.page;
}

async function read(page: Page): Promise<void> {
  await page.getByRole("link", { name: /Read .*mailer/ }).press("Enter");
  await heading(page, "mailer asks for a credential").waitFor();
}

it("is granted by the second signature; each sees who has signed", async () => {
  const parties = ["--owner", "alice", "--party", "bob", "--quorum", "2"];
  await home.register("mailer", ...parties);
  const agent = home.courier("mailer");
  const answer = tell(agent, "/v1/credential?wait=60", {});
  answer.catch(() => undefined); // told below
  const [alice, bob] = [await signedIn("alice"), await signedIn("bob")];
  await read(alice);
  await readMarked(alice);
  await expect
    .poll(
      async () => {
        if ((await approveOf(alice).count()) > 0) await approveOf(alice).click();
        return heading(alice, "You signed, 1 of 2").isVisible();
      },
      { timeout: 20_000, interval: 300 },
    )
    .toBe(true);
  await alice.locator("main").getByText("mailer gets nothing yet. Still asked: bob.").waitFor();
  await picture(alice, "request-one-of-two");
  await bob.getByText("1 of 2 signed").waitFor();
  await picture(bob, "inbox-one-of-two");
  await read(bob);
  await bob.getByText("It takes 2 of 2 owners. Signed: alice. Not signed: bob.").waitFor();
  expect(await isOff(approveOf(bob))).toBe(true);
  await approve(bob);
  expect(await answer).toMatchObject({ status: 200 });
  // the log names the text of whoever signed first: it is this request's all the same
  await bob.getByText(/^Entry [\d,]+ is in the log, checked in this browser$/).waitFor();
  await bob.getByText(/^First credential ends at \d\d:\d\d, then it renews itself$/).waitFor();
  await picture(bob, "request-two-of-two");
  for (const { complaints } of desks.values()) expect(complaints).toEqual([]);
  await agent.stop();
});
