// An owner with much in his log, many agents, and as many questions as the limits allow: the pages hold it, and answer while
// they work.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { hasFocus, heardOn, listenTo } from "./ears.ts";
import { faultsAt } from "./layout.ts";
import { heading, Scene } from "./scene.ts";

const ENTRIES = 10_000;
const AGENTS = 200;
/** Open questions of one owner, whoever asks (DESIGN.md 14). */
const OPEN = 20;
/** As many as the server lists at once. */
const DECIDED = 1000;
const SHOWN_DECIDED = 10;
const LANES = 32;
/** A bound against hanging: ten thousand signed decisions are no matter of seconds. */
const LONGEST_MS = 400_000;

let scene: Scene;
let page: Page;

/** Does it so many times, some at once. */
async function many(times: number, act: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < times) await act((next += 1));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

beforeAll(async () => {
  scene = await Scene.open();
  const { home } = scene;
  await home.register("mailer", "--owner", "robin");
  const { entries } = await home.local("server.sock", "/v1/entries");
  const [entry] = entries as readonly (JsonObject & { readonly id: string })[];
  const { version: _version, agents: _agents, ...like } = entry ?? { id: "" };
  const { id } = like;
  await many(AGENTS - 1, async (n) => {
    const answer = await home.local("server.sock", "/v1/entries", {
      ...like,
      id: `${id}-${n}`,
    });
    expect(answer).toMatchObject({ id: `${id}-${n}` });
  });
  const announce = { agent: id };
  await many(ENTRIES, () => home.local("server.sock", "/v1/owner/expectations", announce));
  ({ page } = await scene.newDesk());
  await listenTo(page);
  await scene.signIn(page);
}, LONGEST_MS);
afterAll(() => scene.close());

describe("a log of ten thousand entries of his", () => {
  const check = (): Promise<void> =>
    page.getByRole("button", { name: "Check all your entries" }).click();
  const result = () => page.locator(".log-result");
  const openLog = async (): Promise<void> => {
    await page.evaluate(`location.hash = "#/none"`);
    await heading(page, "Inbox").waitFor();
    await page.evaluate(`location.hash = "#/log"`);
    await result().waitFor();
  };
  /** Numbers in the words of the progress, as they came. */
  const PROGRESS = `
    globalThis.order = [];
    const note = () => {
      const [, done] = /^Checking ([\\d,]+) of/.exec(document.querySelector(".log-check p")?.textContent ?? "") ?? [];
      if (done !== undefined && order.at(-1) !== done) order.push(done);
    };
    new MutationObserver(note).observe(document.querySelector(".log"), { subtree: true, childList: true, characterData: true });
    addEventListener("keydown", () => order.push("key"), true);`;
  const orderOf = (): Promise<readonly string[]> => page.evaluate<string[]>("order");
  const goesOn = async (): Promise<void> => {
    await expect.poll(async () => (await orderOf()).length, { interval: 10 }).toBeGreaterThan(2);
  };

  it("is shown by its newest, and says that there are more", async () => {
    await openLog();
    expect(await page.locator(".row-log").count()).toBe(25);
    expect(await result().textContent()).toMatch(
      /^The newest 25 of your entries up to \d\d:\d\d:\d\d are in the log\. Checked in this browser, not by the server\.$/,
    );
  });

  it("shows older ones below, keeps them when something happens, and leaves the focus", async () => {
    await openLog();
    const older = page.getByRole("button", { name: "Show older entries" });
    await older.focus();
    await older.press("Enter");
    await expect.poll(() => page.locator(".row-log").count()).toBe(50);
    expect(await hasFocus(older)).toBe(true);
    await scene.home.local("server.sock", "/v1/owner/expectations", { agent: "mailer" });
    await expect.poll(() => page.locator(".row-log").count()).toBe(51);
    expect(await hasFocus(older)).toBe(true);
    expect(await result().textContent()).toContain("The newest 51 of your entries");
  });

  it("is checked in turns: progress is shown, and a key is answered in between", async () => {
    await openLog();
    await page.evaluate(PROGRESS);
    await heardOn(page);
    await check();
    await goesOn();
    await page.keyboard.press("Shift");
    await expect.poll(() => result().textContent(), { timeout: 120_000 }).toMatch(/^All /);
    const order = await orderOf();
    const at = order.indexOf("key");
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(order.length - 1);
    const steps = order
      .filter((step) => step !== "key")
      .map((step) => Number(step.replaceAll(",", "")));
    expect(steps.length).toBeGreaterThan(ENTRIES / 250);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    const [, count = ""] =
      /^All ([\d,]+) of your entries up to \d\d:\d\d:\d\d are in the log\./.exec(
        (await result().textContent()) ?? "",
      ) ?? [];
    expect(Number(count.replace(",", ""))).toBeGreaterThan(ENTRIES);
    expect(await hasFocus(result())).toBe(true);
    // said once, and not at each step
    expect(await heardOn(page)).toEqual([expect.stringMatching(/^politely: All [\d,]+ of/)]);
    expect(await page.getByRole("button", { name: "Check all your entries" }).count()).toBe(0);
  });

  it("is left where its owner stops, and gone on with from there", async () => {
    await openLog();
    await page.evaluate(PROGRESS);
    await check();
    const stop = page.getByRole("button", { name: "Stop checking" });
    expect(await hasFocus(stop)).toBe(true);
    await goesOn();
    await stop.press("Enter");
    await expect.poll(() => stop.count()).toBe(0);
    const [, some = ""] =
      /^The newest ([\d,]+) of your entries/.exec((await result().textContent()) ?? "") ?? [];
    expect(Number(some.replace(",", ""))).toBeGreaterThan(25);
    const asked = page.waitForRequest(/owner\/log\?before=/);
    await check();
    const { searchParams } = new URL((await asked).url());
    expect(Number(searchParams.get("before"))).toBeLessThan(ENTRIES);
    await stop.click();
  });

  it("with one entry deep inside that its log does not hold is found out, and says which", async () => {
    let changed = "";
    await page.route(/owner\/log\?before=\d+&count=100$/, async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { entries: { seq: number; record: string }[] };
      const [first] = body.entries;
      if (changed === "" && first !== undefined && first.seq < ENTRIES / 2) {
        changed = String(first.seq);
        first.record = first.record.replace("mailer", "mailor");
      }
      await route.fulfill({ response: answer, json: body });
    });
    await openLog();
    await check();
    await expect
      .poll(() => result().textContent(), { timeout: 120_000 })
      .toMatch(/^1 of [\d,]+ entries is not in the log\./);
    const row = page.locator(".row-log", { hasText: "not in the log" });
    expect(await row.count()).toBe(1);
    expect(await row.locator(".mono").first().textContent()).toBe(changed);
    await page.unroute(/owner\/log/);
  });
});

describe("as many questions as the limits allow, and two hundred agents", () => {
  it("stand in the inbox, open ones whole, decided ones by the last ten", async () => {
    const asking = await scene.ask({ isAnnounced: true });
    await page.route("**/v1/owner/requests?decided=*", async (route) => {
      const answer = await route.fetch();
      const { requests } = (await answer.json()) as { requests: JsonObject[] };
      const one = requests.find(({ id }) => id === asking.id);
      const copies = Array.from({ length: OPEN + DECIDED }, (_, n) => ({
        ...one,
        id: `${asking.id}-${n}`,
        expected: n % 2 === 0,
        state: n < OPEN ? "asked" : "denied",
      }));
      await route.fulfill({ response: answer, json: { requests: copies } });
    });
    await page.evaluate(`location.hash = "#/agents"`);
    await heading(page, "Agents").waitFor();
    await page.evaluate(`location.hash = "#/inbox"`);
    await expect.poll(() => page.locator(".row:not(.row-decided)").count()).toBe(OPEN);
    expect(await page.locator(".row-decided").count()).toBe(SHOWN_DECIDED);
    for (const width of [320, 900]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await faultsAt(page, width)).toEqual([]);
    }
    await page.unroute("**/v1/owner/requests?decided=*");
  });

  it("stand in Agents and Stop, whole, and can be announced", async () => {
    await page.evaluate(`location.hash = "#/agents"`);
    await expect.poll(() => page.locator("tbody tr").count()).toBe(AGENTS + 1);
    await page.evaluate(`location.hash = "#/stop"`);
    await expect.poll(() => page.locator(".row-stop").count()).toBe(AGENTS + 2);
    await page.getByText(`${AGENTS + 1} agents on 1 host.`).waitFor();
    for (const width of [320, 900]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await faultsAt(page, width)).toEqual([]);
    }
    await page.evaluate(`location.hash = "#/inbox"`);
    await page.getByRole("button", { name: "Announce a start…" }).click();
    await expect.poll(() => page.locator("select option").count()).toBe(AGENTS + 1);
  });
});
