// One agent: a bar for each credential, gaps with their reason, limits, the host, and stopping from there.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { tell } from "../e2e/countersign.ts";
import { picture } from "./pictures.ts";
import { approve, heading, Scene } from "./scene.ts";
import type { Asking } from "./scene.ts";

const LIMITS = [
  "--location",
  "http://localhost:4000/",
  "--action",
  "messages.send",
  "--action",
  "messages.draft",
];

let scene: Scene;
let page: Page;
let asking: Asking;
beforeAll(async () => {
  scene = await Scene.open();
  ({ page } = await scene.signedIn());
  asking = await scene.ask({ limits: LIMITS });
});
afterEach(() => page.unrouteAll());
afterAll(() => scene.close());

interface Answer {
  readonly now: number;
  readonly credentials: readonly object[];
  readonly grants: readonly { readonly nbf: number; readonly exp: number }[];
}

/** Shows the agent as its server would after a while: what it says is changed on the way. */
async function shown(change: (answer: Answer) => object): Promise<void> {
  await page.route(`**/v1/owner/agents/${asking.name}`, async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as Answer;
    await route.fulfill({ response: answer, json: { ...body, ...change(body) } });
  });
  await page.evaluate(`location.hash = "#/agents"`);
  await heading(page, "Agents").waitFor();
  await page.evaluate(`location.hash = "#/agents/${asking.name}"`);
  await heading(page, asking.name).waitFor();
  await page.getByRole("heading", { name: "Credentials, one bar each" }).waitFor();
}

const rows = (): Promise<readonly string[]> =>
  page
    .getByRole("region", { name: "Credentials" })
    .locator("tbody tr")
    .evaluateAll((all) =>
      all.map((row) => [...row.children].map((cell) => cell.textContent ?? "").join(" | ")),
    );

it("is approved", async () => {
  await scene.read(page, asking);
  await approve(page);
  expect(await asking.answer).toMatchObject({ status: 200 });
});

it("shows each credential, now, the next renewal, and a gap with its reason; the table says the same", async () => {
  await shown(({ now, grants: [grant] }) => {
    const one = (n: number, from: number) => ({
      jti: String(n),
      n,
      seq: 100 + n,
      iat: now + from * 60,
      exp: now + (from + 15) * 60,
    });
    return {
      grants: [{ ...grant, nbf: now - 3600 }],
      credentials: [one(5, -3), one(4, -10), one(3, -31), one(2, -38), one(1, -45)],
    };
  });
  const said = await rows();
  expect(said[0]).toMatch(/^Next renewal \| about \d\d:\d\d \| – \| not yet \| –$/);
  expect(said.map((row) => row.split(" | ")[0])).toEqual([
    "Next renewal",
    "Credential 5",
    "Credential 4",
    "No credential",
    "Credential 3",
    "Credential 2",
    "Credential 1",
  ]);
  expect(said[3]).toMatch(/^No credential \| \d\d:\d\d \| \d\d:\d\d \| not renewed \| –$/);
  const life = page.locator("svg.life");
  expect(await life.locator(".life-bar").count()).toBe(5);
  expect(await life.locator(".life-bar.life-own").count()).toBe(1);
  expect(await life.locator("text").allTextContents()).toEqual(
    expect.arrayContaining([
      "45 min ago",
      "in 15 min",
      "none: not renewed",
      expect.stringMatching(/^now, \d\d:\d\d$/),
      expect.stringMatching(/^next about \d\d:\d\d$/),
    ]),
  );
  expect(await life.getAttribute("aria-hidden")).toBe("true");
  await picture(page, "agent-life");
});

it("says what is used and left, what nobody counts, and how the host looks: a dash where it is not known", async () => {
  await shown(() => ({}));
  const limits = page.getByRole("region", { name: "Limits" });
  expect(await limits.getByRole("row", { name: /^Credentials/ }).textContent()).toMatch(
    /^Credentials1 of [\d,]+[\d,]+ left$/,
  );
  expect(await limits.getByRole("row", { name: /^At the same time/ }).textContent()).toBe(
    "At the same time1 of 8",
  );
  expect(await limits.getByRole("row", { name: /messages\.send/ }).textContent()).toContain(
    "Not known whether it can be undone.",
  );
  const host = page.locator(".panel", { hasText: "State of the host" });
  await host.getByText("No system-call filter.").waitFor();
  await host.getByText("Start it from a unit or in a container that has one.").waitFor();
  const unknown = host.locator("li", { hasText: "Start-up of the machine: no TPM: not known" });
  expect(await unknown.locator("path").getAttribute("d")).toBe("M5 10h10");
  await page.getByText("The owner's signature fits this text, checked in this browser").waitFor();
});

it("ends one approval from there: the outcome stays while the page changes around it", async () => {
  await shown(() => ({}));
  await page.getByRole("button", { name: "End this approval…" }).press("Enter");
  await page.getByRole("button", { name: "End it now" }).press("Enter");
  await page.locator("main").getByText("1 of 1 host confirmed.").waitFor();
  await page.getByRole("heading", { name: "An approval that is over" }).waitFor();
  await page.getByText(/It ended today \d\d:\d\d: this approval was stopped/).waitFor();
  expect((await rows()).at(0)).toMatch(/^Credential 1 \|/);
  await expect
    .poll(() => tell(asking.agent, "/v1/proof", { aud: "http://localhost:4000/" }))
    .toMatchObject({ status: 403 });
  await picture(page, "agent-ended");
});
