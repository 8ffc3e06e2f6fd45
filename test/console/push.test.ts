import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page, Worker } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { writePushMessage } from "../../packages/core/src/index.ts";
import type { PushMessage } from "../../packages/core/src/index.ts";
import { until } from "../e2e/countersign.ts";
import { pushBrowser } from "../whole/push-browser.ts";
import type { PushBrowser } from "../whole/push-browser.ts";
import { PushService } from "../whole/push-service.ts";
import type { Desk } from "./browser.ts";
import { picture } from "./pictures.ts";
import { fakePush } from "./push-fakes.ts";
import { heading, Scene } from "./scene.ts";

/** A browser under load is not late. */
const POLL = { timeout: 15_000 };

let service: PushService;
let scene: Scene;
beforeAll(async () => {
  service = await PushService.open();
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(async () => {
  await scene.close();
  await service.close();
});

async function toKeys(page: Page): Promise<void> {
  await page.evaluate(`location.hash = "#/keys"`);
  await heading(page, "Keys").waitFor();
  await heading2(page, "Notices on this device").waitFor();
}
const heading2 = (page: Page, name: string): ReturnType<Page["getByRole"]> =>
  page.getByRole("heading", { name, level: 2 });
const press = (page: Page, name: string | RegExp): Promise<void> =>
  page.getByRole("button", { name, exact: true }).click();
const notices = (page: Page): ReturnType<Page["locator"]> => page.locator(".notices");

const offers = (page: Page): Promise<number> =>
  notices(page).getByRole("button", { name: "Turn on" }).count();

interface PushDesk extends Desk {
  readonly browser: PushBrowser;
  readonly path: string;
}

/** A desk whose browser gives out a subscription at our push service, on the Keys page. */
async function pushDesk(name: string, answer: "granted" | "denied" = "granted"): Promise<PushDesk> {
  const desk = await scene.newDesk();
  const browser = pushBrowser(`${service.origin}/${name}`);
  const { endpoint, keys } = browser.subscription;
  await desk.context.addInitScript(fakePush, { answer, endpoint, ...keys });
  await scene.signIn(desk.page);
  await toKeys(desk.page);
  return Object.assign(desk, { browser, path: `/${name}` });
}

async function turnedOn(name: string): Promise<PushDesk> {
  const desk = await pushDesk(name);
  await press(desk.page, "Turn on");
  await notices(desk.page)
    .getByText(/^On since today/)
    .waitFor();
  return desk;
}

/** Sends one to this device. The server takes one from an owner in five seconds, and says so. */
async function sendOne({ page }: Desk): Promise<void> {
  const sent = notices(page).getByText(/^Sent\./);
  const refused = notices(page).getByText("Wait five seconds.");
  await press(page, "Send one to this device");
  await sent.or(refused).waitFor();
  if ((await sent.count()) > 0) return;
  await page.waitForTimeout(5000);
  await press(page, "Send one to this device");
  await sent.waitFor();
}

/**
 * The worker that really runs. Where this browser shows no notifications, as the packed one, it writes down what it would
 * show; a whole Chromium (`CHROME=`) shows them.
 */
async function workerOf({ context }: Desk): Promise<Worker> {
  await context.grantPermissions(["notifications"], { origin: scene.origin });
  const worker = await until("worker", () => Promise.resolve(context.serviceWorkers()[0]));
  if ((await worker.evaluate("Notification.permission")) !== "granted")
    await worker.evaluate(`{
      const shown = [];
      registration.showNotification = async (title, { body }) => void shown.push({ title, body });
      registration.getNotifications = async () => shown;
    }`);
  return worker;
}

/** Hands a message to the worker as the browser does once it is decrypted. */
async function deliver({ context, page }: Desk, message: PushMessage): Promise<void> {
  const cdp = await context.newCDPSession(page);
  const known = new Promise<string>((resolve) => {
    cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const [first] = registrations;
      if (first !== undefined) resolve(first.registrationId);
    });
  });
  await cdp.send("ServiceWorker.enable");
  await cdp.send("ServiceWorker.deliverPushMessage", {
    origin: scene.origin,
    registrationId: await known,
    data: new TextDecoder().decode(writePushMessage(message)),
  });
}
const shownBy = (worker: Worker): Promise<readonly string[]> =>
  worker.evaluate(
    "registration.getNotifications().then((all) => all.map(({ title, body }) => `${title}. ${body}`))",
  );

describe("a console whose administrator set no push_contact", () => {
  it("says whom to ask, and offers nothing", async () => {
    const { page } = await scene.signedIn();
    await toKeys(page);
    await notices(page).getByText("Ask your administrator whether notices").waitFor();
    expect(await offers(page)).toBe(0);
  });
});

describe("notices on this device", () => {
  beforeAll(async () => {
    const root = join(scene.home.folder, "push-root.pem");
    writeFileSync(root, service.root);
    const config = join(scene.home.data, "server", "server.yaml");
    const settings = "push_contact: mailto:ops@example.org\nnotice_networks: [127.0.0.1/32]\n";
    await scene.restart(
      () => {
        appendFileSync(config, settings);
        return Promise.resolve();
      },
      { NODE_EXTRA_CA_CERTS: root },
    );
  });

  it("are turned on by a press, shown on other devices, and turned off on either", async () => {
    const mac = await turnedOn("mac");
    expect(await mac.page.evaluate("document.activeElement.textContent")).toBe(
      "Notices on this device",
    );
    await picture(mac.page, "keys-notices-on");
    const phone = await turnedOn("phone");
    await picture(phone.page, "keys-notices-others");
    const others = notices(phone.page).getByRole("listitem");
    expect(await others.count()).toBe(1);
    await press(phone.page, /^Remove /);
    await phone.page.getByText("gets no more notices").waitFor({ state: "attached" });
    await expect.poll(() => others.count(), POLL).toBe(0);
    await mac.page.reload();
    await notices(mac.page).getByText("Off.").waitFor();
    await press(phone.page, "Turn off");
    await notices(phone.page).getByText("Off.").waitFor();
    await picture(phone.page, "keys-notices-off");
    expect(
      await phone.page.evaluate(
        "navigator.serviceWorker.getRegistrations().then(({ length }) => length)",
      ),
    ).toBe(0);
    expect([...mac.complaints, ...phone.complaints]).toEqual([]);
  });

  it("reach a closed inbox: the server encrypts, the browser's worker says who waits", async () => {
    const desk = await turnedOn("whole");
    const worker = await workerOf(desk);
    await sendOne(desk);
    expect(service.at(desk.path).map(({ body }) => desk.browser.read(body).kind)).toEqual(["test"]);
    await scene.ask();
    const announced = await scene.ask({ isAnnounced: true });
    const pushed = await until("message", () => Promise.resolve(service.at(desk.path)[1]));
    const message = desk.browser.read(pushed.body);
    expect(message).toMatchObject({ kind: "request", agent: announced.name });
    await desk.page.goto("about:blank");
    await desk.page.goto(scene.origin);
    await deliver(desk, message);
    await expect
      .poll(() => shownBy(worker), POLL)
      .toEqual([`${announced.name} asks for you. Open your inbox.`]);
    expect(service.at(desk.path)).toHaveLength(2);
  });

  it("end with the session where the owner said so, and stay where he did not", async () => {
    const desk = await turnedOn("leaving");
    const { page } = desk;
    const again = async (): Promise<void> => {
      await press(page, "Sign out");
      await heading(page, "Sign in").waitFor();
      await scene.signIn(page);
      await toKeys(page);
    };
    await again();
    await notices(page)
      .getByText(/^On since/)
      .waitFor();
    await page.getByLabel("Turn them off when I sign out").check();
    await again();
    await notices(page).getByText("Off.").waitFor();
    const sent = service.at(desk.path).length;
    await scene.ask({ isAnnounced: true });
    await sendOne(await turnedOn("still-here"));
    await until("message", () => Promise.resolve(service.at("/still-here")[0]));
    expect(service.at(desk.path)).toHaveLength(sent);
  });

  it("are not turned on where the person does not allow it, and say how to", async () => {
    const { page } = await pushDesk("denied", "denied");
    await press(page, "Turn on");
    await page.getByText("This browser did not turn notices on.").waitFor();
    await page.reload();
    await notices(page).getByText("Blocked by this browser.").waitFor();
    expect(await offers(page)).toBe(0);
    expect(service.at("/denied")).toEqual([]);
  });

  it("are shown as this browser really has them, with nothing put in its place", async () => {
    const { page } = await scene.signedIn();
    await toKeys(page);
    const permission = await page.evaluate("Notification.permission");
    const words = permission === "denied" ? "Blocked by this browser." : "Off.";
    await notices(page).getByText(words).waitFor();
    await picture(page, "keys-notices-untouched");
  });

  it("are not offered where the browser has no way to take them", async () => {
    const desk = await scene.newDesk();
    await desk.context.addInitScript("delete globalThis.PushManager");
    await scene.signIn(desk.page);
    await toKeys(desk.page);
    await notices(desk.page).getByText("This browser cannot take notices.").waitFor();
    expect(await offers(desk.page)).toBe(0);
  });
});

describe("the worker in a real browser", () => {
  it("stands before no page: every file and call comes from the network", async () => {
    const { page } = await turnedOn("network");
    const [registration] = await page.evaluate<readonly object[]>(
      `navigator.serviceWorker.getRegistrations().then((all) => all.map(({ scope, updateViaCache }) => ({ scope, updateViaCache })))`,
    );
    expect(registration).toEqual({ scope: `${scene.origin}/push/`, updateViaCache: "none" });
    const seen: boolean[] = [];
    page.on("response", (response) => seen.push(response.fromServiceWorker()));
    await page.reload();
    await heading(page, "Keys").waitFor();
    expect(await page.evaluate("navigator.serviceWorker.controller")).toBeNull();
    expect(seen.length).toBeGreaterThan(4);
    expect(seen).not.toContain(true);
  });

  it("is the only one that a script of the page could start", async () => {
    const { page } = await turnedOn("only");
    const script = await page.evaluate<string>(`new URL(document.scripts[0].src).pathname`);
    const tried = await page.evaluate<readonly string[]>(`(async () => {
      const outcome = (attempt) => attempt().then(() => "taken", ({ name }) => name);
      return [
        await outcome(() => navigator.serviceWorker.register("./push/worker.js", { scope: "./push/" })),
        await outcome(() => navigator.serviceWorker.register("${script}", { scope: "./assets/" })),
        await outcome(async () => trustedTypes.createPolicy("push-worker", { createScriptURL: (url) => url })),
        await outcome(async () => trustedTypes.createPolicy("other", { createScriptURL: (url) => url })),
        await outcome(async () => new Worker("./push/worker.js")),
      ];
    })()`);
    expect(tried).toEqual(Array.from({ length: 5 }, () => "TypeError"));
  });

  it("gets no wider place from the browser, even by whoever may name scripts", async () => {
    const { context, page } = await scene.newDesk();
    // without the page's policy: what is left is the worker's place
    await context.route(`${scene.origin}/signed.svg`, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>bare</title>" }),
    );
    await page.goto(`${scene.origin}/signed.svg`);
    const register = (file: string, scope: string): Promise<string> =>
      page.evaluate(
        `navigator.serviceWorker.register("${file}", { scope: "${scope}" }).then(() => "taken", ({ name }) => name)`,
      );
    expect(await register("/push/worker.js", "/")).toBe("SecurityError");
    expect(await register("/index.html", "/")).not.toBe("taken");
    expect(await register("/push/worker.js", "/push/")).toBe("taken");
  });
});
