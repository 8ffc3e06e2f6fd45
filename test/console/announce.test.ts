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

it("an owner who looks at an empty inbox sees that an agent was registered for him, and how it starts", async () => {
  const { page } = desk;
  const empty = page.locator(".inbox-empty");
  await empty.getByText("No agent is registered for you.").waitFor();
  await home.register("mailer", "--owner", "robin");
  await empty.getByText("countersign run --agent mailer -- COMMAND").waitFor();
  await home.register("sorter", "--owner", "robin");
});

it("an owner announces a start by keyboard: what comes of it is his, the next is not", async () => {
  const { page } = desk;
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

it("an owner reads in his log what an administrator did with the registrations of his agents", async () => {
  const { page } = desk;
  await home.owner("casey");
  await home.register("mailer", "--owner", "robin", "--audience", "http://localhost:4001/");
  await home.register("sorter", "--owner", "casey");
  await home.json(["agent", "remove", "mailer"]);
  await page.getByRole("link", { name: "Log" }).first().click();
  const said = page.locator(".log-said");
  await said.getByText("mailer is registered no more").waitFor();
  const lines = (await said.allTextContents()).filter(
    (line) => line.includes("registered") || line.includes("taken"),
  );
  expect(lines).toEqual([
    "mailer is registered no more: an administrator removed it",
    "sorter was taken from you by an administrator: others approve it now",
    "mailer was registered anew by an administrator",
    "sorter was registered for you by an administrator",
    "mailer was registered for you by an administrator",
  ]);
  await page.getByText("checked here").first().waitFor();
  expect(desk.complaints).toEqual([]);
});
