// Pages of other origins in the browser of an owner who is signed in: at another port of the console's host, whose cookies
// and RP ID are the console's own, and on another site.
import { createServer as createHttpServer } from "node:http";
import type { Server as HttpServer } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { nodeCrypto, serve } from "../../packages/node/src/index.ts";
import type { Handler, Listener } from "../../packages/node/src/index.ts";
import { OwnerSessions } from "../../packages/server/src/cases/owner-sessions.ts";
import { askedScene } from "../../packages/server/src/cases/scene.testing.ts";
import { consoleApp } from "../../packages/server/src/http/console.ts";
import { readSite } from "../../packages/server/src/http/static-site.ts";
import type { PublicContext } from "../../packages/server/src/http/stop-codes.ts";
import { seededRandom } from "../../packages/server/src/world.testing.ts";
import { ROOT, until } from "../e2e/countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";
import { certified } from "../whole/certified.ts";
import { Desk, openBrowser } from "./browser.ts";
import { heading, Scene as Development } from "./scene.ts";

const HOST = "consent.localhost";

/** What the console was asked by whichever page, and what it answered. */
interface Heard {
  readonly what: string;
  readonly from: string | null;
  /** Whether the browser sent the owner's cookie. */
  readonly isCookied: boolean;
  readonly word: string;
}

type Scene = Awaited<ReturnType<typeof askedScene>>;

let scene: Scene;
let browser: Browser;
let listener: Listener;
let elsewhere: Server;
let desk: Desk;
let page: Page;
let origin = "";
let port = 0;
let token = "";
let heard: Heard[] = [];

const reasonOf = async (answer: Response): Promise<string> =>
  ((await answer.json()) as { readonly reason: string }).reason; // a problem document

const listening =
  (app: Handler<PublicContext>): Handler<PublicContext> =>
  async (request, context) => {
    const answer = await app(request, context);
    const { pathname } = new URL(request.url);
    heard.push({
      what: `${request.method} ${pathname}`,
      from: request.headers.get("sec-fetch-site"),
      isCookied: request.headers.get("cookie")?.includes(token) === true,
      word: answer.ok ? String(answer.status) : await reasonOf(answer.clone()),
    });
    return answer;
  };

beforeAll(async () => {
  const tls = await certified();
  const consolePort = await freePort();
  origin = `https://${HOST}:${consolePort}`;
  scene = await askedScene({ config: { consent_rp_id: HOST, consent_origins: [origin] } });
  const { rig, owner } = scene;
  const sessions = new OwnerSessions(nodeCrypto, seededRandom("sessions"));
  ({ token } = sessions.begin(owner.id, owner.jkt, rig.now()));
  const app = consoleApp(rig.world, {
    feed: rig.owners,
    heeded: rig.feed.heeded,
    sessions,
    site: await readSite(`${ROOT}packages/console/dist/site`),
  });
  listener = await serve({
    on: { host: "127.0.0.1", port: consolePort, tls },
    app: listening(app),
    contextOf: () => ({}),
  });
  elsewhere = createServer(tls, (_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>");
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  ({ port } = elsewhere.address() as AddressInfo); // of a TCP server
  browser = await openBrowser();
});
beforeEach(async () => {
  // nobody vouches for these certificates; what a browser may do on a page is not asked of them
  desk = await Desk.open(browser, { ignoreHTTPSErrors: true });
  ({ page } = desk);
  await desk.context.addCookies([
    {
      name: "__Host-countersign",
      value: token,
      url: origin,
      secure: true,
      httpOnly: true,
      sameSite: "Strict",
    },
  ]);
  heard = [];
});
afterEach(() => desk.close());
afterAll(async () => {
  await browser.close();
  elsewhere.closeAllConnections();
  elsewhere.close();
  await listener.close();
  await scene.rig.close();
});

const PLACES: readonly (readonly [string, string, boolean])[] = [
  ["at another port of its host", HOST, true],
  ["on another site", "other.localhost", false],
];

/** What was changed in the owner's name. */
async function changed(): Promise<readonly unknown[]> {
  const { store } = scene.rig.world;
  const asked = await store.ask(scene.id);
  return [asked?.state, ...(await store.stops({ inForce: true }))];
}

/** Tries each of these in the page. @returns what came of them */
const tries = (attempts: Readonly<Record<string, string>>): Promise<Record<string, string>> =>
  page.evaluate(`(async () => {
    const origin = "${origin}";
    const of = (attempt) => attempt().then((got) => String(got), ({ name }) => name);
    return {
      ${Object.entries(attempts)
        .map(([name, attempt]) => `${JSON.stringify(name)}: await of(async () => ${attempt})`)
        .join(",\n")}
    };
  })()`);

const element = (tag: string, member: string, path: string): string =>
  `new Promise((resolve, reject) => {
    const made = document.createElement("${tag}");
    made.onload = () => resolve("loaded");
    made.onerror = () => reject(new TypeError());
    made.${member} = origin + "${path}";
    document.body.append(made);
  })`;

it("the console itself, in this browser, is the owner's: what is refused elsewhere is his", async () => {
  await page.goto(origin);
  await heading(page, "Inbox").waitFor();
  expect(heard.find(({ what }) => what === "GET /v1/owner/me")).toEqual({
    what: "GET /v1/owner/me",
    from: "same-origin",
    isCookied: true,
    word: "200",
  });
});

describe.each(PLACES)("a page %s", (_name, host, sendsCookie) => {
  beforeEach(async () => {
    await page.goto(`https://${host}:${port}/`);
  });

  it("reads nothing of his by a call, and stops nothing", async () => {
    const options = `credentials: "include"`;
    const stop = `method: "POST", body: '{"scope":"owner"}'`;
    const header = `headers: { "countersign-session": "cookie", "content-type": "application/json" }`;
    const got = await tries({
      read: `(await fetch(origin + "/v1/owner/me", { ${options} })).text()`,
      "read blindly": `(await fetch(origin + "/v1/owner/me", { ${options}, mode: "no-cors" })).text()`,
      "read as the page does": `(await fetch(origin + "/v1/owner/me", { ${options}, ${header} })).text()`,
      "stop blindly": `(await fetch(origin + "/v1/owner/halt", { ${options}, ${stop}, mode: "no-cors" })).text()`,
      "stop as the page does": `(await fetch(origin + "/v1/owner/halt", { ${options}, ${stop}, ${header} })).text()`,
      "load as a script": element("script", "src", "/v1/owner/me"),
      "load as a picture": element("img", "src", "/v1/owner/log"),
      "load a script of the site": element("script", "src", "/push/worker.js"),
    });
    expect(new Set(Object.values(got))).toEqual(new Set(["TypeError"]));
    await page.evaluate(`navigator.sendBeacon("${origin}/v1/owner/halt", '{"scope":"owner"}')`);
    const calls = ["GET /v1/owner/me", "POST /v1/owner/halt", "OPTIONS /v1/owner/halt"];
    await until("the calls", () =>
      Promise.resolve(calls.every((call) => heard.some(({ what }) => what === call)) || undefined),
    );
    const words = heard.map(({ word }) => word);
    expect(new Set(words)).toEqual(new Set(["origin_mismatch", "method_not_allowed"]));
    // at another port it is the cookie that comes, and the console that refuses
    expect(heard.some(({ isCookied }) => isCookied)).toBe(sendsCookie);
    expect(await changed()).toEqual(["asked"]);
  });

  it("reads nothing of his stream", async () => {
    const got = await tries({
      stream: `new Promise((resolve, reject) => {
        const source = new EventSource(origin + "/v1/owner/events", { withCredentials: true });
        source.onopen = () => resolve("open");
        source.onerror = () => { source.close(); reject(new TypeError()); };
      })`,
    });
    expect(got).toEqual({ stream: "TypeError" });
    expect(heard).toMatchObject([{ what: "GET /v1/owner/events", word: "origin_mismatch" }]);
  });

  it("stops nothing by a form", async () => {
    await page.evaluate(`{
      const form = document.createElement("form");
      const field = document.createElement("input");
      Object.assign(form, { method: "post", action: "${origin}/v1/owner/halt", enctype: "text/plain" });
      Object.assign(field, { name: '{"scope":"owner","x":"', value: '"}' });
      form.append(field);
      document.body.append(form);
      form.submit();
    }`);
    await until("the form", () => Promise.resolve(heard.length > 0 || undefined));
    expect(heard).toMatchObject([{ what: "POST /v1/owner/halt", word: "origin_mismatch" }]);
    expect(await changed()).toEqual(["asked"]);
  });

  it("has it in no frame", async () => {
    const loaded = page.waitForEvent("framenavigated", (frame) => frame !== page.mainFrame());
    await page.evaluate(`{
      const frame = document.createElement("iframe");
      frame.src = "${origin}/";
      document.body.append(frame);
    }`);
    await loaded;
    expect(page.frames()[1]?.url()).toBe("chrome-error://chromewebdata/");
    expect(heard).toMatchObject([{ what: "GET /", word: "origin_mismatch" }]);
  });

  it("opens it in a window, and has no hold on that window: it cannot lead it, read it or close it", async () => {
    const opening = desk.context.waitForEvent("page");
    await page.evaluate(`globalThis.theirs = window.open("${origin}/")`);
    const opened = await opening;
    await heading(opened, "Inbox").waitFor();
    expect(await opened.evaluate("window.opener")).toBeNull();
    expect(await page.evaluate("theirs.closed")).toBe(true);
    await page.evaluate(`{
      try { theirs.location = "${origin}/#/stop"; } catch {}
      theirs.postMessage("stop", "*");
      theirs.close();
    }`);
    expect(await page.evaluate("theirs.length")).toBe(0);
    expect(opened.isClosed()).toBe(false);
    expect(new URL(opened.url()).hash).toBe("");
    await heading(opened, "Inbox").waitFor();
  });

  it("registers no worker before it", async () => {
    const got = await tries({
      "its own file": `navigator.serviceWorker.register(origin + "/push/worker.js")`,
      "for its pages": `navigator.serviceWorker.register("/worker.js", { scope: origin + "/" })`,
    });
    expect(new Set(Object.values(got))).toEqual(new Set(["SecurityError"]));
    expect(heard).toEqual([]);
  });
});

// A development console is at localhost, where everything else is that runs on this machine: RP IDs know no ports.
describe("a page at another port of localhost", () => {
  let development: Development;
  let site: HttpServer;
  let at = (host: string): string => host;
  beforeAll(async () => {
    development = await Development.open();
    site = createHttpServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>Elsewhere</title>");
    });
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    const { port: other } = site.address() as AddressInfo; // of a TCP server
    at = (host) => `http://${host}:${other}/`;
  });
  afterEach(() => development.afterEach());
  afterAll(async () => {
    site.closeAllConnections();
    site.close();
    await development.close();
  });

  it("has his passkey sign the very text of the console, and nobody takes it: the port is in what is signed", async () => {
    const { page: theirs } = await development.newDesk();
    const { id } = await development.ask();
    const [{ jkt, credentialId } = expect.fail("no key")] = await development.keys();
    const local = (path: string, json?: object): Promise<Record<string, unknown>> =>
      development.home.local("server.sock", `/v1/owner/requests/${id}${path}`, json);
    const statement = String((await local(`?jkt=${jkt}`))["jcs"]);
    const decided = async (): Promise<unknown> => {
      const sig = await development.signAt(theirs, statement, credentialId);
      const answer = await local("/decision", { decision: "approve", statement, sig });
      return answer["reason"] ?? answer["state"];
    };
    await theirs.goto(at("localhost"));
    expect(await decided()).toBe("origin_mismatch");
    // another name of this machine has no such passkey
    await theirs.goto(at("127.0.0.1"));
    await expect(decided()).rejects.toThrow("SecurityError");
    await theirs.goto(`${development.origin}/signed.svg`);
    expect(await decided()).toBe("approved");
  });

  it("finds no session in the tab in which he was signed in", async () => {
    const { page: theirs } = await development.signedIn();
    expect(await theirs.evaluate("sessionStorage.length")).toBe(1);
    await theirs.goto(at("localhost"));
    expect(await theirs.evaluate("[sessionStorage.length, document.cookie]")).toEqual([0, ""]);
  });
});
