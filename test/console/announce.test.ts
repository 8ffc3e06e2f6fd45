import { afterAll, beforeAll, expect, it } from "vitest";
import { tell } from "../e2e/countersign.ts";
import type { Home } from "../e2e/countersign.ts";
import type { Desk } from "./browser.ts";
import { picture } from "./pictures.ts";
import { Scene } from "./scene.ts";

let scene: Scene;
let home: Home;
let desk: Desk;
beforeAll(async () => {
  scene = await Scene.open();
  ({ home } = scene);
  desk = await scene.signedIn();
});
afterAll(() => scene.close());

it("an owner announces a start by keyboard: what comes of it is his, the next is not", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin");
  await home.register("sorter", "--owner", "robin");
  await page.getByRole("button", { name: "Announce a start…" }).press("Enter");
  const choice = page.getByLabel("Agent and host");
  await choice.waitFor();
  await expect.poll(() => choice.evaluate((one) => one.matches(":focus"))).toBe(true);
  await picture(page, "announce");
  await choice.selectOption({ index: 0 });
  await page.getByRole("button", { name: "Announce", exact: true }).press("Enter");
  await page.getByText(/Announced: mailer on .*, for the next 10 minutes/).waitFor();
  const agents = ["mailer", "sorter"].map((name) => home.courier(name));
  const answers = agents.map((agent) => tell(agent, "/v1/credential", {}));
  await Promise.all(answers);
  const mine = page.locator("section", { hasText: "You started these" });
  await mine.getByText("mailer").first().waitFor();
  expect(await mine.getByText("sorter").count()).toBe(0);
  await mine.getByText(/Started under uid \d+ on .* \(the proxy's word\)/).waitFor();
  await page.locator(".inbox-unexpected", { hasText: "sorter" }).waitFor();
  await picture(page, "inbox-announced");
  expect(desk.complaints).toEqual([]);
  for (const agent of agents) await agent.stop();
});
