import { afterAll, beforeAll, expect, it } from "vitest";
import { tell } from "../e2e/countersign.ts";
import type { Home } from "../e2e/countersign.ts";
import type { Desk } from "./browser.ts";
import { violationsOn } from "./pictures.ts";
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

it("an owner denies and blocks, the agent asks no more, and he lets it ask again", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin");
  const first = home.courier("mailer");
  expect(await tell(first, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("button", { name: "Deny and block" }).press("Enter");
  await page.getByRole("button", { name: "Block", exact: true }).press("Enter");
  await page.getByRole("heading", { name: "Denied and blocked" }).waitFor();
  await first.stop();
  const second = home.courier("mailer");
  expect(await tell(second, "/v1/credential", {})).toMatchObject({
    status: 403,
    reason: "approval_denied",
  });
  await page
    .getByRole("link", { name: /^Agents/ })
    .first()
    .click();
  await page.getByText("Blocked: it cannot ask.").waitFor();
  expect(await violationsOn(page)).toEqual([]);
  await page.getByRole("button", { name: "Allow again mailer" }).press("Enter");
  await page.getByText("Blocked: it cannot ask.").waitFor({ state: "detached" });
  expect(await tell(second, "/v1/credential", {})).toMatchObject({ status: 202 });
  const { requests } = await home.json(["owner", "requests"]);
  const [{ id = "" } = {}] = requests as readonly { readonly id?: string }[];
  expect(await home.json(["owner", "block", id])).toEqual({ state: "denied", blocked: true });
  await page.getByText("Blocked: it cannot ask.").waitFor();
  await second.stop();
  expect(desk.complaints).toEqual([]);
});
