import type { Page } from "playwright-core";
import { scrollWidths } from "./pictures.ts";

/** Least height of what is pressed, in CSS pixels: for a finger on a phone, elsewhere, and in tables (console.md 3). */
const FINGER_PX = 44;
const TARGET_PX = 40;
const TABLE_PX = 32;
/** Narrower than this it is a phone's layout. */
const PHONE_PX = 720;

const SMALL = `[...document.querySelectorAll("a, button, input, select, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.classList.contains("skip"))
  .map((one) => [one, one.matches("input[type=checkbox]") ? one.closest("label") : one])
  .map(([one, box]) => [one, box.getBoundingClientRect(), one.closest("table, .row-log, p.back, nav[aria-label=Back]") === null ? LEAST : ${TABLE_PX}])
  .filter(([, { height }, least]) => height < least - 0.5)
  .map(([one, { height }]) => one.textContent + " " + height)`;

/** What stands beyond an edge of the screen, and is in no frame of its own that scrolls. */
const BEYOND = `[...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest(".hidden, .skip, svg, .table-scroll, .table-frame, .limits, .changes-table"))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, { left, right, width }]) => width > 0 && (left < -0.5 || right > document.documentElement.clientWidth + 0.5))
  .map(([one]) => one.tagName + "." + one.className + " " + one.textContent.slice(0, 60))`;

const CUT = `[...document.querySelectorAll("main *, nav *")]
  .filter((one) => one.childElementCount === 0 && !one.closest(".hidden, svg, .table-scroll, .table-frame, .limits"))
  .filter((one) => getComputedStyle(one).overflow !== "visible" && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.textContent)`;

/** Padding of the box in which a value stands on the sheet: it alone may stand out. */
const VALUE_PX = 6;

/** Words that stand out of their own box, and so over what is beside it. */
const SPILLS = `[...document.querySelectorAll("main p, main h1, main h2, main h3, main li, main button, main dd")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".hidden, .table-scroll, .table-frame, .limits"))
  .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + ${VALUE_PX})
  .map((one) => one.textContent.slice(0, 60))`;

/** Words of one control that lie over those of another. */
const OVER = `(() => {
  const all = [...document.querySelectorAll("main a, main button, main input, main h1, main h2, main h3, main p")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".hidden, svg, .inbox-new, .decide-buttons"))
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && height > 0);
  return all.flatMap(([one, a], i) => all.slice(i + 1)
    .filter(([two]) => !one.contains(two) && !two.contains(one))
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
    .map(([two]) => one.textContent.slice(0, 40) + " | " + two.textContent.slice(0, 40)));
})()`;

/** What is wrong with how a page stands at this width; nothing where all is well. */
export async function faultsAt(page: Page, width: number): Promise<readonly string[]> {
  const least = width < PHONE_PX ? FINGER_PX : TARGET_PX;
  const [content, screen] = await scrollWidths(page);
  const found = async (what: string, script: string): Promise<readonly string[]> =>
    (await page.evaluate<readonly string[]>(script)).map((one) => `${what}: ${one}`);
  return [
    ...(content > screen ? [`scrolls to the side: ${content} of ${screen}`] : []),
    ...(await found("beyond the edge", BEYOND)),
    ...(await found("cut", CUT)),
    ...(await found("too small", SMALL.replace("LEAST", String(least)))),
    ...(await found("out of its box", SPILLS)),
    ...(await found("over another", OVER)),
  ];
}
