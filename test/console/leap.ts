import type { Page, Route } from "playwright-core";

/** Calls that come by themselves, but for the stream, which has no end; not those of one request. */
const CALLS = /\/v1\/owner\/(?!events|requests\/)/;

/**
 * Moves the clock of a page that has one of its own (`page.clock`), and that of the server as its answers tell it: an
 * answer that came in between would set the page's clock back before its next tick.
 * @returns lets the server tell its own time again
 */
export async function leap(page: Page, ms: number): Promise<() => Promise<void>> {
  const tell = async (route: Route): Promise<void> => {
    const response = await route.fetch();
    const { date = "", ...headers } = response.headers();
    const told = new Date(Date.parse(date) + ms).toUTCString();
    await route.fulfill({ response, headers: { ...headers, date: told } });
  };
  await page.route(CALLS, tell);
  await page.clock.fastForward(ms);
  return () => page.unroute(CALLS, tell);
}
