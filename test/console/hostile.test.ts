import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import type { Desk } from "./browser.ts";
import { lying } from "./lying.ts";
import type { Json, Lie } from "./lying.ts";
import { scrollWidths } from "./pictures.ts";
import { heading, Scene } from "./scene.ts";
import type { Asking } from "./scene.ts";

let scene: Scene;
let desk: Desk;
let page: Page;
let asking: Asking;
beforeAll(async () => {
  scene = await Scene.open();
});
beforeEach(async () => {
  desk = await scene.signedIn();
  page = desk.page;
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

/** Waits until nothing of the page changes any more: what was told stands there, or why it does not. */
async function standsStill(of: Page): Promise<void> {
  let before = "";
  await expect
    .poll(
      async () => {
        const now = await of.locator("main").innerHTML();
        const isSame = now === before;
        before = now;
        return isSame;
      },
      { interval: 150 },
    )
    .toBe(true);
  expect(before.length).toBeGreaterThan(20);
}

/** Every page, and the call that fills it. */
const PAGES: readonly (readonly [hash: string, call: string])[] = [
  ["inbox", "**/v1/owner/requests?decided=*"],
  ["agents", "**/v1/owner/agents"],
  ["agents/mailer1", "**/v1/owner/agents/*"],
  ["log", "**/v1/owner/log"],
  ["keys", "**/v1/owner/keys"],
  ["stop", "**/v1/owner/agents"],
];

describe("every page", () => {
  const all = (body: Json, change: (value: unknown, name: string) => unknown): Json => {
    const walk = (value: unknown, name: string): unknown => {
      if (Array.isArray(value)) return value.map((item) => walk(item, name));
      if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v, k)]));
      return change(value, name);
    };
    return walk(body, "") as Json;
  };

  it("says that it cannot read what makes no sense, and what to do", async () => {
    asking = await scene.ask();
    const broken: readonly Lie[] = [
      () => "{",
      (body) => JSON.stringify(body).replace(/^\{("[a-z_]+":)/, "{$1 1,$1"),
      (body) => all(body, (value) => (typeof value === "number" ? "1" : 1)),
      (body) => JSON.stringify(body).replace(/:\d{9,}/, ":1e999"),
    ];
    for (const [hash, call] of PAGES)
      for (const [i, lie] of broken.entries()) {
        await page.route(call, lying(lie));
        await page.evaluate(`location.hash = "#/${hash.replace("mailer1", asking.name)}"`);
        const alert = page.locator("main").getByRole("alert").first();
        await alert.waitFor({ timeout: 5000 }).catch(() => undefined);
        const said = await alert.textContent({ timeout: 100 }).catch(() => "nothing");
        expect(`${hash} ${i}: ${said}`).toMatch(/Load it again|tell your administrator/);
        await page.unrouteAll({ behavior: "ignoreErrors" });
        await page.evaluate(`location.hash = "#/none"`);
        await heading(page, "Inbox").waitFor();
      }
    expect(desk.complaints).toEqual([]);
  });

  /** What somebody writes who wants to be taken for the page, for markup, or to take the page away. */
  const HOSTILE: readonly (readonly [string, string])[] = [
    ["markup", `"><script>alert(1)</script><img src=x onerror=alert(1)><a href=//evil.test>x</a>`],
    ["an address", "javascript:alert(1)//https://evil.test/"],
    ["another direction", "\u202Eevorppa\u2066\u2069\u200B\uFEFF\u0007\u001B[31m"],
    ["a word without end", "W".repeat(5000)],
    ["ten thousand marks on one letter", `e${"\u0301".repeat(10_000)}`],
    ["a member of every object", "constructor"],
    ["the prototype", "__proto__"],
  ];
  /** Members that are checked, or name what is asked for next: the rest is only shown. */
  const KEPT =
    /^(id|req|jkt|state|type|leaf|proof|vkey|origin|request|jcs|statement|sig|a|c|s|k|cs|crv|kty|x|y|alg|now|held_by|credential_id)$/;

  it.each(HOSTILE)("shows %s as text, and nothing else comes of it", async (_name, text) => {
    const { id } = await scene.ask({ isLeaving: true });
    await scene.home.json(["owner", "deny", id]); // the inbox has a decided one, too
    asking = await scene.ask();
    const reports: string[] = [];
    await page.exposeFunction("toldOfViolation", (said: string) => reports.push(said));
    await page.evaluate(
      `addEventListener("securitypolicyviolation", (event) => toldOfViolation(event.violatedDirective))`,
    );
    page.on("dialog", (dialog) => {
      reports.push("a dialog");
      void dialog.dismiss();
    });
    await page.setViewportSize({ width: 390, height: 844 });
    const hostile: Lie = (body) =>
      all(body, (value, name) => (typeof value === "string" && !KEPT.test(name) ? text : value));
    const pages = [...PAGES, [`requests/${asking.id}`, "**/v1/owner/requests/*?*"]] as const;
    for (const [hash, call] of pages) {
      await page.route(call, lying(hostile));
      const told = page.waitForResponse(call);
      await page.evaluate(`location.hash = "#/${hash.replace("mailer1", asking.name)}"`);
      await told;
      await standsStill(page);
      const [content, screen] = await scrollWidths(page);
      expect([hash, content <= screen]).toEqual([hash, true]);
      const strange = await page.evaluate<string[]>(`[
        ...[...document.querySelectorAll("main a[href]")].map((a) => a.getAttribute("href")).filter((href) => !href.startsWith("#/")),
        ...[...document.querySelectorAll("main :is(script, img, iframe, object, embed, form, style, base, meta)")].map(({ tagName }) => tagName),
        ...(getComputedStyle(document.body).direction === "ltr" ? [] : ["direction"]),
      ]`);
      expect([hash, strange]).toEqual([hash, []]);
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.evaluate(`location.hash = "#/none"`);
      await heading(page, "Inbox").waitFor();
    }
    expect(reports).toEqual([]);
    expect(desk.complaints).toEqual([]);
  });

  it("goes on after an address that names no page", async () => {
    for (const hash of [
      "constructor",
      "__proto__",
      "requests/..%2f..%2f",
      "log/x/y",
      "%00",
      "inbox?x=1",
    ]) {
      await page.evaluate(`location.hash = "#/${hash}"`);
      await page.locator("main h1").waitFor();
    }
    await page.evaluate(`location.hash = "#/keys"`);
    await heading(page, "Keys").waitFor();
    expect(desk.complaints).toEqual([]);
  });
});
