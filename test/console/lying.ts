import type { Route } from "playwright-core";

/** An answer of the server. */
export type Json = Record<string, unknown>;
/** What becomes of an answer: another object, or octets as they are. */
export type Lie = (body: Json) => Json | string;

/** Tells a page something else than its server said. */
export const lying =
  (lie: Lie): ((route: Route) => Promise<void>) =>
  async (route) => {
    const response = await route.fetch();
    const told = lie((await response.json()) as Json);
    const body = typeof told === "string" ? told : JSON.stringify(told);
    await route.fulfill({ response, body });
  };
