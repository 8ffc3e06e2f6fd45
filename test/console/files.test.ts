import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Page, Route } from "playwright-core";
import { ROOT } from "../e2e/countersign.ts";
import { picture, violationsOn } from "./pictures.ts";
import { heading, rowOf, Scene } from "./scene.ts";

const SITE = join(ROOT, "packages/console/dist/site");
/** Of one view, before the browser is idle; and of every page. Octets, compressed. */
const MAX_VIEW_BYTES = 60_000;
const MAX_SITE_BYTES = 80_000;

const compressed = (file: string): number => gzipSync(readFileSync(join(SITE, file))).length;

/** The scripts that the page as it stands has loaded. */
const scriptsOf = (page: Page): Promise<readonly string[]> =>
  page.evaluate<readonly string[]>(
    `performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((path) => path.endsWith(".js"))`,
  );

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

/** A browser that is never idle fetches nothing before it is asked for. */
async function busyDesk(): Promise<Page> {
  const { page } = await scene.newDesk();
  await page.addInitScript("window.requestIdleCallback = () => 0");
  await page.goto(scene.origin);
  await heading(page, "Sign in").waitFor();
  return page;
}

async function busyInbox(): Promise<Page> {
  const page = await busyDesk();
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await heading(page, "Inbox").waitFor();
  return page;
}

const tab = (page: Page, name: string): Promise<void> =>
  page.getByRole("navigation", { name: "Console" }).getByRole("link", { name }).click();
const KEYS = "**/assets/keys-*.js";
const note = (page: Page) => page.locator(".coming");

describe("the scripts of the console", () => {
  it(`take less than ${MAX_VIEW_BYTES} octets before sign-in, inbox and request stand`, async () => {
    const asking = await scene.ask();
    const page = await busyDesk();
    const sizes: Record<string, number> = {};
    const count = async (view: string): Promise<void> => {
      const scripts = await scriptsOf(page);
      sizes[view] = scripts.reduce((sum, path) => sum + compressed(path), 0);
    };
    await count("sign-in");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await rowOf(page, asking.name).waitFor();
    await count("inbox");
    await page.goto(`${scene.origin}/#/requests/${asking.id}`);
    await page.reload();
    await heading(page, `${asking.name} asks for a credential`).waitFor();
    await count("request");
    const tooLarge = Object.entries(sizes).filter(([, size]) => size >= MAX_VIEW_BYTES);
    expect(tooLarge).toEqual([]);
    expect(sizes["sign-in"]).toBeGreaterThan(10_000);
    expect(sizes["request"]).toBeGreaterThan(sizes["inbox"] ?? Infinity);
  });

  it(`take less than ${MAX_SITE_BYTES} octets for all pages`, () => {
    const scripts = readdirSync(SITE, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".js"),
    );
    expect(scripts.length).toBeGreaterThan(1);
    const size = scripts.reduce((sum, name) => sum + compressed(name), 0);
    expect(size).toBeLessThan(MAX_SITE_BYTES);
  });

  it("come before they are asked for, once the browser is idle", async () => {
    const { page } = await scene.signedIn();
    const loaded = async (): Promise<boolean> =>
      ["request", "agents", "log", "keys"].every((name) =>
        scripts.some((path) => path.startsWith(`/assets/${name}-`)),
      );
    let scripts: readonly string[] = [];
    await expect
      .poll(async () => {
        scripts = await scriptsOf(page);
        return loaded();
      })
      .toBe(true);
    await page.route(KEYS, (route) => route.abort());
    await tab(page, "Keys");
    await heading(page, "Keys").waitFor();
  });
});

describe("a page whose file has to come first", () => {
  it("leaves the page before it until it is there, and says that it comes", async () => {
    const page = await busyInbox();
    const held = new Promise<Route>((resolve) => void page.route(KEYS, resolve));
    await tab(page, "Keys");
    await note(page).getByText("Loading Keys…").waitFor();
    expect(await heading(page, "Inbox").isVisible()).toBe(true);
    await (await held).continue();
    await heading(page, "Keys").waitFor();
    expect(await note(page).innerText()).toBe("");
    expect(new URL(page.url()).hash).toBe("#/keys");
  });

  it("is forgotten where another one is asked for meanwhile", async () => {
    const page = await busyInbox();
    const held = new Promise<Route>((resolve) => void page.route(KEYS, resolve));
    await tab(page, "Keys");
    const route = await held;
    await tab(page, "Log");
    await heading(page, "Log").waitFor();
    const came = page.waitForResponse(KEYS);
    await route.continue();
    await (await came).finished();
    await tab(page, "Stop…");
    await heading(page, "Stop").waitFor();
    expect(new URL(page.url()).hash).toBe("#/stop");
  });

  it("offline: says so, keeps what is shown, and comes with a press once the server is there", async () => {
    const page = await busyInbox();
    await page.context().setOffline(true);
    await tab(page, "Keys");
    await note(page).getByText("The server was not reached.").waitFor();
    expect(await heading(page, "Inbox").isVisible()).toBe(true);
    expect(new URL(page.url()).hash).toBe("#/inbox");
    await note(page).getByRole("button", { name: "Try again" }).click();
    await note(page).getByText("The server was not reached.").waitFor();
    expect(await heading(page, "Inbox").isVisible()).toBe(true);
    await page.context().setOffline(false);
    await note(page).getByRole("button", { name: "Try again" }).click();
    await heading(page, "Keys").waitFor();
    expect(await note(page).innerText()).toBe("");
  });

  it("gone with an older console: says so, keeps what is shown, and loads the console anew in its place", async () => {
    const page = await busyInbox();
    await page.route(KEYS, (route) => route.fulfill({ status: 404 }));
    await tab(page, "Keys");
    await note(page).getByText("This part of the console could not be loaded.").waitFor();
    expect(await heading(page, "Inbox").isVisible()).toBe(true);
    expect(new URL(page.url()).hash).toBe("#/inbox");
    expect(await page.locator('nav a[aria-current="page"]').innerText()).toContain("Inbox");
    await picture(page, "page-gone");
    await page.unroute(KEYS);
    await note(page).getByRole("button", { name: "Load again" }).click();
    await heading(page, "Keys").waitFor();
    expect(new URL(page.url()).hash).toBe("#/keys");
  });

  it("gone, and the first that is asked for: the inbox stands in its place", async () => {
    const page = await busyInbox();
    await page.route(KEYS, (route) => route.fulfill({ status: 404 }));
    await page.goto(`${scene.origin}/#/keys`);
    await page.reload();
    await note(page).getByText("This part of the console could not be loaded.").waitFor();
    expect(await heading(page, "Inbox").isVisible()).toBe(true);
    expect(await violationsOn(page)).toEqual([]);
  });

  it("is, for a first key, replaced by how to go on where it is gone", async () => {
    const { page } = await scene.newDesk();
    const path = "**/assets/enrol-*.js";
    await page.route(path, (route) => route.fulfill({ status: 404 }));
    await page.goto(`${scene.origin}/#/enrol`);
    await page.getByText("This part of the console could not be loaded.").waitFor();
    await page.unroute(path);
    await page.getByRole("button", { name: "Try again" }).click();
    await heading(page, "Make your passkey").waitFor();
  });

  it.each([
    ["stop", "Stop", "Stop…"],
    ["stop-code", "Stop agents with a printed code", "Stop agents with a printed code"],
  ])("is none of those that stop: #/%s needs no other file", async (_hash, title, way) => {
    const page = title === "Stop" ? await busyInbox() : await busyDesk();
    await page.route("**/assets/*.js", (route) => route.abort());
    await page.getByRole("link", { name: way }).click();
    await heading(page, title).waitFor();
  });
});
