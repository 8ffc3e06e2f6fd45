// A passkey that was copied: the copy has signed further, so that its counter goes back for whoever signs next.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { Desk } from "./browser.ts";
import { picture } from "./pictures.ts";
import { approve, approveOf, heading, readMarked, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

it("says, when its key is suspended, why the session ends and to use another key; nothing is approved", async () => {
  const desk = await scene.signedIn();
  const { page } = desk;
  const asking = await scene.ask();
  await scene.read(page, asking);
  const further = (await desk.passkeys()).map((one) => ({ ...one, signCount: one.signCount + 10 }));
  const copy = await Desk.open(scene.browser, { passkeys: further });
  await scene.signIn(copy.page);
  await scene.read(copy.page, await scene.ask());
  await approve(copy.page);
  await copy.close();
  await readMarked(page);
  await expect
    .poll(
      async () => {
        if (await approveOf(page).isVisible()) await approveOf(page).click();
        return heading(page, "Sign in").isVisible();
      },
      { timeout: 20_000, interval: 300 },
    )
    .toBe(true);
  await page.getByText("The counter of your key went back").waitFor();
  await page.getByText("Use another key").waitFor();
  await picture(page, "key-suspended");
  expect(await scene.stateOf(asking)).toBe("asked");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByText("This passkey does not sign in here.").waitFor();
});
