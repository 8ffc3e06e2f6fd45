// What a person can do who has not signed in: stop with a printed code, learn how to come back, wait for the server.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { tell } from "../e2e/countersign.ts";
import { picture } from "./pictures.ts";
import { approve, heading, Scene, spoken } from "./scene.ts";

let scene: Scene;
let codes: readonly string[];
beforeAll(async () => {
  scene = await Scene.open();
  const made = await scene.home.local("server.sock", "/v1/owner/stop-codes", { owner: "robin" });
  codes = made["codes"] as readonly string[]; // as the server prints them
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

const field = (page: Page) => page.getByLabel("Printed code");
const stop = (page: Page) => page.getByRole("button", { name: "Stop everything" });

it("stops everything with a printed code: no sign-in, no second press, each code once", async () => {
  const { page: desk } = await scene.signedIn();
  const asking = await scene.ask();
  await scene.read(desk, asking);
  await approve(desk);
  expect(await asking.answer).toMatchObject({ status: 200 });

  const away = await scene.newDesk();
  const { page } = away;
  await page.goto(scene.origin);
  await page.getByRole("link", { name: "Stop agents with a printed code" }).press("Enter");
  await heading(page, "Stop agents with a printed code").waitFor();
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/stop-codes/use")) sent.push(request.postData() ?? "");
  });
  await field(page).fill("nonsense");
  await field(page).press("Enter");
  await page.getByText("This is not a printed code.").waitFor();
  expect(sent).toEqual([]);
  await field(page).fill("0000-0000-0000-0000");
  await stop(page).click();
  await page.getByText("The code is not valid.").waitFor();
  expect(await field(page).evaluate((one) => one.matches(":focus"))).toBe(true);
  expect(await tell(asking.agent, "/v1/proof", { aud: "http://localhost:4000/" })).toMatchObject({
    status: 200,
  });
  await picture(page, "stop-code");

  // as it was printed, and as people type it
  await field(page).fill((codes[0] ?? "").toLowerCase().replaceAll("-", " "));
  await field(page).press("Enter");
  await page
    .getByText(/^Stopped at \d\d:\d\d:\d\d\. Your signature is needed/)
    .first()
    .waitFor();
  expect(await spoken(page).textContent()).toMatch(/^Stopped at/);
  expect(await page.getByText("7 codes are left.").isVisible()).toBe(true);
  await expect
    .poll(() => tell(asking.agent, "/v1/proof", { aud: "http://localhost:4000/" }))
    .toMatchObject({ status: 403, reason: "halted" });

  await page.reload();
  await field(page).fill(codes[0] ?? "");
  await stop(page).click();
  await page.getByText("The code is not valid.").waitFor();
  expect(away.complaints.filter((line) => !line.includes("403"))).toEqual([]);
  const { stops } = await scene.home.local("server.sock", "/v1/halts");
  for (const { id } of stops as readonly { id: string }[]) await scene.home.json(["lift", id]);
});

it("says how to come back without a key, and cancels a recovery that somebody else began", async () => {
  const { page } = await scene.newDesk();
  await page.goto(scene.origin);
  await page.getByRole("link", { name: "Recover" }).press("Enter");
  await heading(page, "Recover").waitFor();
  await picture(page, "recover");
  const cancel = page.getByRole("button", { name: "Cancel the recovery" });
  await field(page).fill(codes[1] ?? "");
  await cancel.click();
  // nothing to cancel: the code stays good
  await page.getByText("The code was not used.").waitFor();
  const key = await scene.home.keyFile("new");
  const begun = await scene.home.cli(["owner", "recover", "start", "robin", "--key", key.path]);
  expect(begun).toMatchObject({ code: 0 });
  await cancel.click();
  await page
    .getByText(/^Cancelled at .*The new key signs nothing/)
    .first()
    .waitFor();
  expect((await scene.home.cli(["owner", "recover", "list"])).out).toContain("cancelled");
  await page.getByRole("link", { name: "Sign in" }).press("Enter");
  await heading(page, "Sign in").waitFor();
});

it("says that the server was not reached, tries again, and lets an unknown passkey do nothing", async () => {
  const { page } = await scene.newDesk();
  await page.route("**/v1/owner/console", (route) => route.abort());
  await page.goto(scene.origin);
  await heading(page, "The console cannot start").waitFor();
  expect(await page.getByRole("alert").textContent()).toContain("The server was not reached.");
  await picture(page, "unreached");
  await page.unroute("**/v1/owner/console");
  await page.getByRole("button", { name: "Try again" }).press("Enter");
  await heading(page, "Sign in").waitFor();
  const stranger = await scene.stranger();
  await stranger.page.goto(scene.origin);
  await stranger.page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await stranger.page.getByText("No passkey of this console was used. Nothing happened.").waitFor();
  await picture(stranger.page, "sign-in-cancelled");
});
