import type { Locator, Page } from "playwright-core";

/** Keeps what a screen reader would say by itself, and every moment in which focus was on nothing. */
const EARS = `
  const LIVE = '[aria-live="polite"], [aria-live="assertive"], [role="status"], [role="alert"]';
  const heard = [];
  const lost = [];
  globalThis.earsOf = { heard, lost };
  const isLoud = (region) => region.matches('[aria-live="assertive"], [role="alert"]');
  /** A region speaks of what changes in it; one that comes with its words is silent, unless it is an alert. */
  let known = new Set();
  const saidIn = new Map();
  const wordsOf = (region) => region.textContent.replace(/\\s+/g, " ").trim();
  const listen = () => {
    const regions = new Set(document.querySelectorAll(LIVE));
    for (const region of regions) {
      const words = wordsOf(region);
      const isOfUse = words !== "" && words !== saidIn.get(region);
      if (isOfUse && (known.has(region) || region.matches('[role="alert"]')))
        heard.push((isLoud(region) ? "at once: " : "politely: ") + words);
      saidIn.set(region, words);
    }
    known = regions;
  };
  new MutationObserver(listen).observe(document, { subtree: true, childList: true, characterData: true });
  const nameOf = (element) => (element.getAttribute("aria-label") ?? element.textContent).trim();
  let last = "";
  const watch = () => {
    const { activeElement: at } = document;
    if (at !== null && at !== document.body) last = nameOf(at);
    else if (last !== "") {
      lost.push(last);
      last = "";
    }
    requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
`;

/** Listens to a page from its next load on. */
export async function listenTo(page: Page): Promise<void> {
  await page.addInitScript(EARS);
}

/** What was said by itself since it was asked last, in order. */
export const heardOn = (page: Page): Promise<readonly string[]> =>
  page.evaluate<string[]>("earsOf.heard.splice(0)");

/** What had focus before focus was on nothing. */
export const lostOn = (page: Page): Promise<readonly string[]> =>
  page.evaluate<string[]>("earsOf.lost");

/** Levels and words of the headings that are there for a screen reader. */
export const outlineOf = (page: Page): Promise<readonly string[]> =>
  page.evaluate<string[]>(`
    [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
      .filter((one) => one.checkVisibility({ visibilityProperty: true }))
      .map((one) => one.tagName.slice(1) + " " + one.textContent.replace(/\\s+/g, " ").trim())`);

export const hasFocus = (of: Locator): Promise<boolean> =>
  of.evaluate((one) => one.matches(":focus"));

/** A control as the browser tells it to a screen reader. */
export interface Told {
  readonly name: string;
  /** What describes it: of one that is off, why. */
  readonly description: string;
  readonly isOff: boolean;
}

/** Every control of a role, in the browser's own tree for screen readers. */
export async function controlsOf(page: Page, role: string): Promise<readonly Told[]> {
  // not detached: with any session goes what was set for the page, its authenticator too
  const cdp = await page.context().newCDPSession(page);
  const { nodes } = await cdp.send("Accessibility.getFullAXTree");
  return nodes
    .filter((node) => !node.ignored && node.role?.value === role)
    .map(({ name, description, properties = [] }) => ({
      name: String(name?.value ?? ""),
      description: String(description?.value ?? ""),
      isOff: properties.some(({ name: of, value }) => of === "disabled" && value.value === true),
    }));
}

/** What a screen reader calls whatever has focus. */
export const focusedName = (page: Page): Promise<string> =>
  page.evaluate<string>(
    `(document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "").trim()`,
  );

/** Presses Tab until this has focus. @returns what had it before, in order */
export async function tabTo(page: Page, name: RegExp): Promise<readonly string[]> {
  const passed: string[] = [];
  for (let i = 0; i < 40; i += 1) {
    await page.keyboard.press("Tab");
    const focused = await focusedName(page);
    if (name.test(focused)) return passed;
    passed.push(focused);
  }
  throw new Error(`no ${name.source} among ${passed.join(" | ")}`);
}
