import { expect } from "vitest";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { Home, tell, until } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { askAtTerminal } from "../e2e/at-terminal.ts";
import type { AtTerminal } from "../e2e/at-terminal.ts";
import { Desk, openBrowser } from "./browser.ts";
import type { StoredPasskey } from "./browser.ts";
import { assertAt, enrolPasskey } from "./enrol.ts";
import { WIDE } from "./pictures.ts";

const OWNER = "robin";

/** An agent at its door that has asked, and waits. */
export interface Asking {
  readonly name: string;
  readonly id: string;
  readonly agent: Running;
  /** What its door answers once the owner has decided. */
  readonly answer: Promise<Record<string, unknown>>;
}

export interface AskOptions {
  readonly note?: string;
  /** Options of `agent register`. */
  readonly limits?: readonly string[];
  /** Its owner says beforehand that he starts it. */
  readonly isAnnounced?: boolean;
  /** The program ends once it has asked. */
  readonly isLeaving?: boolean;
}

/** An agent that asks at a terminal of its own. */
export type AskingAtTerminal = Asking & Pick<AtTerminal, "code" | "digits">;

/** A server, its console, a browser, and an owner whose one passkey every desk of his knows. */
export class Scene {
  readonly home: Home;
  readonly browser: Browser;
  readonly origin: string;
  /** As the desk that was used last left it: its counter goes on. */
  #passkeys: readonly StoredPasskey[] = [];
  #dev: Running;
  readonly #desks: Desk[] = [];
  readonly #agents: Running[] = [];
  #count = 0;

  private constructor(home: Home, browser: Browser, origin: string, dev: Running) {
    this.home = home;
    this.browser = browser;
    this.origin = origin;
    this.#dev = dev;
  }

  static async open(): Promise<Scene> {
    const home = await Home.create();
    const { running, ready } = await home.dev();
    const scene = new Scene(home, await openBrowser(), ready["console"] ?? "", running);
    const desk = await Desk.open(scene.browser);
    await enrolPasskey(desk, home, { origin: scene.origin, name: OWNER, comment: "MacBook" });
    scene.#passkeys = await desk.passkeys();
    await desk.close();
    return scene;
  }

  /** A browser of the owner that knows nothing but his passkey. */
  async newDesk(options: BrowserContextOptions = {}): Promise<Desk> {
    const passkeys = this.#passkeys;
    const desk = await Desk.open(this.browser, { viewport: WIDE, ...options, passkeys });
    this.#desks.push(desk);
    await this.#countOn();
    return desk;
  }

  /** Every desk's passkey is one key, which counts on wherever it is used. */
  async #countOn(): Promise<void> {
    for (const desk of this.#desks)
      this.#passkeys = furthest(this.#passkeys, await desk.passkeys());
    for (const desk of this.#desks) await desk.countOn(this.#passkeys);
  }

  /** A browser whose authenticator knows no user and no passkey: every ceremony ends at once. */
  async stranger(): Promise<Desk> {
    const desk = await Desk.open(this.browser, { viewport: WIDE });
    await desk.setUserVerified(false);
    return desk;
  }

  /** The same, signed in, at its inbox. */
  async signedIn(options: BrowserContextOptions = {}): Promise<Desk> {
    const desk = await this.newDesk(options);
    await this.signIn(desk.page);
    return desk;
  }

  async signIn(page: Page): Promise<void> {
    await page.goto(this.origin);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await heading(page, "Inbox").waitFor();
    await this.#countOn();
  }

  /** Registers an agent of his, starts it, and lets it ask. */
  async ask(options: AskOptions = {}): Promise<Asking> {
    const {
      note = "I sort the mail.",
      limits = [],
      isAnnounced = false,
      isLeaving = false,
    } = options;
    const name = `mailer${(this.#count += 1)}`;
    await this.home.register(name, "--owner", OWNER, ...limits);
    if (isAnnounced) await this.home.json(["owner", "expect", name]);
    const agent = this.home.courier(name);
    this.#agents.push(agent);
    const answer = tell(agent, "/v1/credential?wait=60", { note });
    answer.catch(() => undefined); // told to whoever awaits it
    const id = await this.#idOf(name);
    if (isLeaving) await agent.stop();
    return { name, agent, answer, id };
  }

  /** The same, started at a terminal, which shows two digits. */
  async askAtTerminal({
    note = "I sort the mail.",
    limits = [],
    isAnnounced = false,
  }: AskOptions = {}): Promise<AskingAtTerminal> {
    const name = `mailer${(this.#count += 1)}`;
    await this.home.register(name, "--owner", OWNER, ...limits);
    if (isAnnounced) await this.home.json(["owner", "expect", name]);
    const asking = await askAtTerminal(this.home, name, note);
    this.#agents.push(asking.agent);
    return { name, id: await this.#idOf(name), ...asking };
  }

  #idOf(name: string): Promise<string> {
    return until("request", async () => {
      const { requests } = await this.home.local("server.sock", "/v1/owner/requests");
      const asks = requests as readonly { id: string; entry: string }[];
      return asks.find(({ entry }) => entry.endsWith(`/agent/${name}`))?.id;
    });
  }

  /** The request's page, read from its top. */
  async read(page: Page, { id, name }: Asking): Promise<void> {
    await page.evaluate(`location.hash = "#/requests/${id}"`);
    await heading(page, `${name} asks for a credential`).waitFor();
  }

  async stateOf({ id }: Asking): Promise<unknown> {
    const { requests } = await this.home.local("server.sock", "/v1/owner/requests?all=1");
    return (requests as readonly { id: string; state: string }[]).find((ask) => ask.id === id)
      ?.state;
  }

  /** His passkeys, as the server lists them. */
  async keys(): Promise<readonly { readonly jkt: string; readonly credentialId: string }[]> {
    const { owners } = await this.home.local("server.sock", "/v1/owners");
    type Listed = { jkt: string; authenticator?: { credential_id: string } };
    return (owners as readonly { keys: readonly Listed[] }[]).flatMap(({ keys }) =>
      keys.map(({ jkt, authenticator }) => ({
        jkt,
        credentialId: authenticator?.credential_id ?? "",
      })),
    );
  }

  /** A statement signed with his passkey on any page whose name may use it. */
  signAt(page: Page, statement: string, credentialId: string): Promise<object> {
    return assertAt(page, { statement, credentialId, rpId: new URL(this.origin).hostname });
  }

  /** The server ends, and comes back at the same places. @param env what is added to its environment */
  async restart(while_: () => Promise<void>, env: NodeJS.ProcessEnv = {}): Promise<void> {
    for (const agent of this.#agents.splice(0)) await agent.stop();
    await this.#dev.stop();
    await while_();
    this.#dev = (await this.home.dev(env)).running;
  }

  /** Ends what one story has begun: who waits is denied, and the passkey's counter is remembered. */
  async afterEach(): Promise<void> {
    const { requests } = await this.home.local("server.sock", "/v1/owner/requests");
    for (const { id } of requests as readonly { id: string }[])
      await this.home.local("server.sock", `/v1/owner/requests/${id}/decision`, {
        decision: "deny",
      });
    for (const agent of this.#agents.splice(0)) await agent.stop();
    for (const desk of this.#desks.splice(0).toReversed()) {
      this.#passkeys = furthest(this.#passkeys, await desk.passkeys());
      await desk.close();
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.home.close();
  }
}

const furthest = (
  one: readonly StoredPasskey[],
  two: readonly StoredPasskey[],
): readonly StoredPasskey[] => ((two[0]?.signCount ?? 0) > (one[0]?.signCount ?? 0) ? two : one);

export const heading = (page: Page, name: string | RegExp): Locator =>
  page.getByRole("heading", { name, level: 1 });

/** Where it stands in a list; an empty inbox names agents too. */
export const rowOf = (page: Page, name: string): Locator =>
  page.locator(".row", { hasText: name }).first();

export const approveOf = (page: Page): Locator =>
  page.getByRole("button", { name: "Approve with passkey" });

export const denyOf = (page: Page): Locator =>
  page.getByRole("button", { name: "Deny", exact: true });

/** Whether a button is off, in the page's own words for it. */
export async function isOff(button: Locator): Promise<boolean> {
  return (await button.getAttribute("aria-disabled")) === "true";
}

/** Lets every marked line have focus, and waits until Approve is on. */
export async function readMarked(page: Page): Promise<void> {
  for (const line of await page.locator(".marked").all()) await line.focus();
  await expect.poll(() => isOff(approveOf(page))).toBe(false);
}

/** Reads, and presses once the press counts. */
export async function approve(page: Page): Promise<void> {
  await readMarked(page);
  await expect
    .poll(
      async () => {
        // a press within half a second of turning on is ignored: pressed again, as a person would
        if (await approveOf(page).isVisible()) await approveOf(page).click();
        return heading(page, "Countersigned").isVisible();
      },
      { timeout: 20_000, interval: 300 },
    )
    .toBe(true);
}

/** What the page says to screen readers at once. */
export const spoken = (page: Page): Locator => page.locator('[aria-live="assertive"]');
