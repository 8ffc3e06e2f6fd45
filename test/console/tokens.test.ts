// Contrast of the tokens where they stand, and what a page looks like to whoever sees otherwise (console.md 2, 3).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { ROOT } from "../e2e/countersign.ts";
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

describe("the pages", () => {
  let scene: Scene;
  let page: Page;
  beforeAll(async () => {
    scene = await Scene.open();
    ({ page } = await scene.signedIn());
  });
  afterAll(() => scene.close());
  it("keep borders and focus where colours are forced", async () => {
    await page.emulateMedia({ forcedColors: "active" });
    await scene.home.register("mailer", "--owner", "robin");
    await page.evaluate(`location.hash = "#/stop"`);
    await heading(page, "Stop").waitFor();
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
