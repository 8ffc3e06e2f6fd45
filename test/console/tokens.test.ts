// Contrast of the tokens where they stand, and what a page looks like to whoever sees otherwise (console.md 2, 3).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { ROOT } from "../e2e/countersign.ts";
import { scrollWidths } from "./pictures.ts";
import { heading, Scene } from "./scene.ts";

const STYLE = readFileSync(join(ROOT, "packages/console/src/style/console.css"), "utf8");
const SCHEMES = ["light", "dark"] as const;

/** Tokens of the light scheme, or of the dark one. */
function tokensOf(scheme: (typeof SCHEMES)[number]): ReadonlyMap<string, string> {
  const [light = "", dark = ""] = STYLE.split("@media (prefers-color-scheme: dark)");
  const part = scheme === "light" ? light : (dark.split("\n}\n")[0] ?? "");
  return new Map(
    [...part.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, a = "", b = ""]) => [a, b]),
  );
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(one: string, two: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(two)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const SURFACES = ["bg", "surface", "sunken"];
/** Each role with the surfaces on which it stands, and the ratio that it needs: text 4.5, edges of controls 3. */
const ROLES: readonly (readonly [role: string, on: readonly string[], least: number])[] = [
  ["ink", [...SURFACES, "own-wash", "warn-wash", "stop-wash", "ok-wash"], 4.5],
  ["ink2", [...SURFACES, "warn-wash", "stop-wash", "own-wash"], 4.5],
  ["ink3", [...SURFACES, "warn-wash"], 4.5],
  ["pencil", SURFACES, 4.5],
  ["own", [...SURFACES, "own-wash"], 4.5],
  ["warn", [...SURFACES, "warn-wash"], 4.5],
  ["stop", [...SURFACES, "stop-wash"], 4.5],
  ["ok", [...SURFACES, "ok-wash"], 4.5],
  ["on-own", ["own"], 4.5],
  ["on-stop", ["stop"], 4.5],
  ["edge", SURFACES, 3],
];

describe.each(SCHEMES)("in the %s scheme", (scheme) => {
  const tokens = tokensOf(scheme);
  it.each(
    ROLES.flatMap(([role, on, least]) => on.map((surface) => [role, surface, least] as const)),
  )("%s on %s has a contrast of at least %d", (role, surface, least) => {
    const ratio = contrast(tokens.get(role) ?? "", tokens.get(surface) ?? "");
    expect(ratio).toBeGreaterThanOrEqual(least);
  });
});

it("every token has a value in both schemes", () => {
  expect([...tokensOf("dark").keys()].toSorted()).toEqual([...tokensOf("light").keys()].toSorted());
});

/** Controls that are smaller than a finger needs; those in tables may be 32 px high. */
const SMALL = `[...document.querySelectorAll("a, button, input, select, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.classList.contains("skip"))
  .map((one) => [one, one.matches("input[type=checkbox]") ? one.closest("label") : one])
  .map(([one, box]) => [one, box.getBoundingClientRect(), one.closest("table, .row-log, p.back, nav[aria-label=Back]") === null ? LEAST : 32])
  .filter(([, { height }, least]) => height < least - 0.5)
  .map(([one, { height }]) => one.textContent + " " + height)`;

describe("the pages", () => {
  let scene: Scene;
  let page: Page;
  let request = "";
  beforeAll(async () => {
    scene = await Scene.open();
    const asking = await scene.ask({ isAnnounced: true });
    request = `#/requests/${asking.id}`;
    ({ page } = await scene.signedIn());
  });
  afterAll(() => scene.close());
  const pages = (): readonly string[] => [
    "#/inbox",
    request,
    "#/agents",
    "#/log",
    "#/keys",
    "#/stop",
  ];

  async function goTo(hash: string): Promise<void> {
    await page.evaluate(`location.hash = "#/none"`);
    await heading(page, "Inbox").waitFor();
    await page.evaluate(`location.hash = "${hash}"`);
    await expect.poll(() => page.evaluate("location.hash")).toBe(hash);
    await page.locator("main h1").waitFor();
    await expect.poll(() => page.locator("main").innerText()).not.toMatch(/Loading…|^\s*$/);
  }

  it.each([
    ["desk", { width: 1280, height: 900 }, 40],
    ["phone", { width: 390, height: 844 }, 44],
  ])("have targets that a %s needs", async (_name, viewport, least) => {
    await page.setViewportSize(viewport);
    for (const hash of pages()) {
      await goTo(hash);
      const small = await page.evaluate(SMALL.replace("LEAST", String(least)));
      expect([hash, small]).toEqual([hash, []]);
    }
  });

  it("cut no text and need no scrolling to the side with text at 200 %", async () => {
    await page.setViewportSize({ width: 640, height: 450 }); // 1280 by 900 at 200 %
    for (const hash of pages()) {
      await goTo(hash);
      const [content, screen] = await scrollWidths(page);
      expect([hash, content]).toEqual([hash, screen]);
      const cut = await page.evaluate<readonly string[]>(`
        [...document.querySelectorAll("main *, nav *")]
          .filter((one) => one.childElementCount === 0 && !one.closest(".hidden, svg, .table-scroll, .table-frame, .limits"))
          .filter((one) => getComputedStyle(one).overflow !== "visible" && one.scrollWidth > one.clientWidth + 1)
          .map((one) => one.textContent)`);
      expect([hash, cut]).toEqual([hash, []]);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it("keep borders and focus where colours are forced", async () => {
    await page.emulateMedia({ forcedColors: "active" });
    await goTo("#/stop");
    const button = page.getByRole("button", { name: "Stop everything…" });
    await page.keyboard.press("Tab"); // whoever uses a keyboard sees the focus
    await button.focus();
    const drawn = await button.evaluate((one) => {
      const { borderTopStyle, outlineStyle } = (
        globalThis as unknown as { getComputedStyle(of: unknown): Record<string, string> }
      ).getComputedStyle(one);
      return [borderTopStyle, outlineStyle];
    });
    expect(drawn).toEqual(["solid", "solid"]);
    await page.emulateMedia({ forcedColors: null });
  });
});
