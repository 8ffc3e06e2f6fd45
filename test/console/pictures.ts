import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { source as axeSource } from "axe-core";
import type { Page } from "playwright-core";
import { ROOT } from "../e2e/countersign.ts";

export const SHOTS: string = join(ROOT, "docs/console");
export const WIDE = { width: 1280, height: 900 } as const;
const VIEWS = [
  ["", WIDE],
  ["-tablet", { width: 900, height: 1100 }],
  ["-phone", { width: 390, height: 844 }],
  ["-narrow", { width: 320, height: 700 }],
] as const;

declare const axe: {
  run(): Promise<{ violations: readonly { id: string; nodes: readonly { html: string }[] }[] }>;
};

/** What axe finds wrong on the page as it stands. */
export async function violationsOn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
}

/** The state that a browser keeps for the tab. */
export const scrollWidths = (page: Page): Promise<readonly [number, number]> =>
  page.evaluate<[number, number]>(
    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  );

/** The page light and dark, wide and narrow: axe finds nothing, and nothing is wider than the screen. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  for (const [suffix, viewport] of VIEWS)
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const path = join(SHOTS, `${name}${suffix}${colorScheme === "dark" ? "-dark" : ""}.png`);
      await page.screenshot({ path, fullPage: true });
      // colours do not change with the width: one narrow look finds what else does
      if (suffix === "" || (suffix === "-narrow" && colorScheme === "light"))
        expect(await violationsOn(page), `${name}${suffix} ${colorScheme}`).toEqual([]);
      const [content, screen] = await scrollWidths(page);
      expect(content, `${name}${suffix}`).toBeLessThanOrEqual(screen);
    }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
}

/** What a visitor of the README sees. */
export async function firstScreen(page: Page, name: string, height: number): Promise<void> {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate("scrollTo(0, 0)");
  const clip = { x: 0, y: 0, width: WIDE.width, height };
  await page.screenshot({ path: join(SHOTS, `first-screen-${name}.png`), clip });
}
