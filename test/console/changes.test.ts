import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tell } from "../e2e/countersign.ts";
import type { Home } from "../e2e/countersign.ts";
import type { Desk } from "./browser.ts";
import { picture } from "./pictures.ts";
import { approve, Scene } from "./scene.ts";

let scene: Scene;
let home: Home;
let desk: Desk;
beforeAll(async () => {
  scene = await Scene.open();
  ({ home } = scene);
  desk = await scene.signedIn();
});
afterAll(() => scene.close());

/** Which of these stand on the page, from its top. */
async function order(page: Page): Promise<readonly string[]> {
  const parts = [
    "since you approved it",
    "Why you are asked",
    "observed",
    "The signed text in full",
  ];
  const places = parts.map(async (words) => {
    const found = page.getByRole("heading", { name: words }).first();
    const y = (await found.count()) === 0 ? undefined : (await found.boundingBox())?.y;
    return { words, y };
  });
  const shown = (await Promise.all(places)).flatMap(({ words, y }) =>
    y === undefined ? [] : [{ words, y }],
  );
  return shown.toSorted((a, b) => a.y - b.y).map(({ words }) => words);
}

it("an owner who is asked again sees first what has changed since he approved", async () => {
  const { page } = desk;
  await home.register("mailer", "--owner", "robin", "--single");
  const first = home.courier("mailer");
  expect(await tell(first, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("heading", { name: "mailer asks for a credential" }).waitFor();
  expect(await page.getByText(/changed since you approved it/).count()).toBe(0);
  // nothing could have changed: what was observed stands in its place
  expect(await order(page)).toEqual(["Why you are asked", "observed", "The signed text in full"]);
  await page.getByText(/The request ends at \d\d:\d\d \(/).waitFor();
  await approve(page);
  expect(await tell(first, "/v1/credential?wait=60", {})).toMatchObject({ status: 200 });
  await first.stop();

  await home.register("mailer", "--owner", "robin");
  const second = home.courier("mailer");
  expect(await tell(second, "/v1/credential", {})).toMatchObject({ status: 202 });
  await page.goto(`${page.url().split("#")[0] ?? ""}#/inbox`);
  await page.getByRole("link", { name: /Read mailer/ }).click();
  await page.getByRole("heading", { name: /\d things changed since you approved it/ }).waitFor();
  expect(await order(page)).toEqual([
    "since you approved it",
    "Why you are asked",
    "The signed text in full",
    "observed",
  ]);
  const row = page.getByRole("row", { name: /renews itself/ });
  expect(await row.textContent()).toBe("renews itselfwas no, one credentialnow yes");
  await page.getByText(/Same as before: .*program file/).waitFor();
  await picture(page, "request-changed");
  expect(desk.complaints).toEqual([]);
  await second.stop();
});
