import type { PageMaker } from "./app.ts";
import { inboxPage } from "./pages/inbox.ts";
import { stopPage } from "./pages/stop.ts";

/** Pages in the script of the first view: where an owner begins, and how he stops, which waits for no other file. */
const AT_HAND: Readonly<Record<string, PageMaker>> = { inbox: inboxPage, stop: stopPage };

/** Pages in files of their own, with the words for them while they come. */
const FETCHED: Readonly<Record<string, readonly [string, () => Promise<PageMaker>]>> = {
  requests: ["the request", async () => (await import("./pages/request.ts")).requestPage],
  agents: ["Agents", async () => (await import("./pages/agents.ts")).agentsPage],
  log: ["Log", async () => (await import("./pages/log.ts")).logPage],
  keys: ["Keys", async () => (await import("./pages/keys.ts")).keysPage],
};

const ADDRESS = /^#\/([a-z]+)(?:\/([A-Za-z0-9_-]{1,64}))?$/;

/** What an address names. */
export interface Address {
  readonly name: string;
  readonly parameter: string;
  /** The same, as it stands behind the page's own address. */
  readonly hash: string;
}

/** @returns the inbox for what names no page */
export function addressOf(hash: string): Address {
  const [, name = "", parameter = ""] = ADDRESS.exec(hash) ?? [];
  const isPage = Object.hasOwn(AT_HAND, name) || Object.hasOwn(FETCHED, name);
  return isPage ? { name, parameter, hash } : { name: "inbox", parameter: "", hash: "#/inbox" };
}

/** The pages of the console, as far as they are here. */
export class Pages {
  readonly #makers = new Map(Object.entries(AT_HAND));

  /** @returns undefined: it has to be fetched */
  maker(name: string): PageMaker | undefined {
    return this.#makers.get(name);
  }

  label(name: string): string {
    return FETCHED[name]?.[0] ?? name;
  }

  /** Rejects where its file is not to be had. */
  async fetch(name: string): Promise<PageMaker> {
    const maker = this.maker(name) ?? (await FETCHED[name]?.[1]()) ?? inboxPage;
    this.#makers.set(name, maker);
    return maker;
  }

  /** Fetches what is missing before anybody asks for it; what does not come is fetched when it is opened. */
  async fetchRest(): Promise<void> {
    await Promise.allSettled(Object.keys(FETCHED).map((name) => this.fetch(name)));
  }
}
