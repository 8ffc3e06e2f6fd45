import { afterAll, beforeAll, expect, it } from "vitest";
import { picture } from "./pictures.ts";
import { approve, heading, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(() => scene.close());

it("an owner reads under his log how he decides, and what stands out comes first", async () => {
  const { page } = await scene.signedIn();
  const panel = page.locator("section", {
    has: page.getByRole("heading", { name: "How you decide" }),
  });
  const openLog = async (): Promise<void> => {
    await page.evaluate('location.hash = "#/log"');
    await heading(page, "Log").waitFor();
    await panel.waitFor();
  };
  await openLog();
  await panel.getByText("Nothing was decided in the last 30 days.").waitFor();

  const asking = await scene.ask();
  await scene.read(page, asking);
  await approve(page);
  await openLog();
  await panel
    .getByText(/^Of the last 1 decision, 1 approved\. One signature came within \d+ s/)
    .waitFor();
  await picture(page, "16-habits");

  // fifty decisions by a browser would take an hour: what the server would answer after them
  await page.route("**/v1/owner/habits", async (route) => {
    const answer = await route.fetch();
    const told = (await answer.json()) as object;
    const many = { decided: 50, approved: 50, timed: 50, median_seconds: 0 };
    const signs = ["signed_at_once", "always_approved", "of a later version"];
    await route.fulfill({ response: answer, json: { ...told, ...many, signs } });
  });
  await page.evaluate('location.hash = "#/agents"');
  await heading(page, "Agents").waitFor();
  await openLog();
  await panel.getByText("Read the changes before you sign.").waitFor();
  expect(await panel.locator("p.strong").allTextContents()).toEqual([
    "Half of the last 50 signatures came within 1 s of opening the text. Read the changes before you sign.",
    "All of the last 50 were approved. Deny what you do not recognise: nothing of yours breaks.",
  ]);
  await picture(page, "16-habits-signs");
});
