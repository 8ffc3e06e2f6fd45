import { Refusal } from "@countersign/core";

/** Sites of the browser's own word that may call: the page itself, and a person who typed the address. */
const FROM_HERE: ReadonlySet<string> = new Set(["same-origin", "none"]);

/**
 * Refuses a request that was not made at the console's own address, or not by its own page: by `Host` (a name that was
 * bent to this machine), by `Origin` and by `Sec-Fetch-Site` (owner.md 1.3). RP IDs and cookies know no ports, so the
 * port counts here. A link that a person follows from elsewhere, to a page in a window of its own, is no call: it is let
 * through, without which no link in a message would open the console.
 * @param isPage the files of the site, which answer the same to everybody
 * @throws Refusal `origin_mismatch`
 */
export function checkPlace(
  { origins }: { readonly origins: readonly string[] },
  request: Request,
  isPage: boolean,
): void {
  const no = (why: string): never => {
    throw new Refusal(
      "origin_mismatch",
      why,
      `Open the console at ${origins[0] ?? "its own address"}.`,
    );
  };
  const host = request.headers.get("host");
  if (host === null || !origins.some((origin) => new URL(origin).host === host))
    no("the console is not asked by its own name");
  const origin = request.headers.get("origin");
  if (origin !== null && !origins.includes(origin)) no("asked by another page");
  if (origin === null && request.method !== "GET" && request.method !== "HEAD")
    no("nobody says which page asks");
  const site = request.headers.get("sec-fetch-site");
  const isFollowed =
    isPage &&
    request.method === "GET" &&
    request.headers.get("sec-fetch-mode") === "navigate" &&
    request.headers.get("sec-fetch-dest") === "document";
  if (site !== null && !FROM_HERE.has(site) && !isFollowed) no("asked from another site");
}
