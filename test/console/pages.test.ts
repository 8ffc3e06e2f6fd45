import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { until } from "../e2e/countersign.ts";
import { tabTo } from "./ears.ts";
import { scrollWidths } from "./pictures.ts";
import { approveOf, heading, isOff, rowOf, Scene } from "./scene.ts";

/** What an agent would write that wants to be taken for something else. */
const NOTE =
  "\u202Eevorppa <img src=x onerror=alert(1)> [Approve](https://evil.example) https://evil.example/a";
const ACTION = '<a href="https://evil.example">read</a>';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

describe("the pages", () => {
  it("lead from sign-in to approval without a mouse, marked lines before Approve before Deny", async () => {
    const { page } = await scene.newDesk();
    await page.goto(scene.origin);
    await heading(page, "Sign in").waitFor();
    await tabTo(page, /^Sign in with a passkey/);
    await page.keyboard.press("Enter");
    await heading(page, "Inbox").waitFor();
    const asking = await scene.ask();
    await rowOf(page, asking.name).waitFor();
    await tabTo(page, /^Read/);
    await page.keyboard.press("Enter");
    await heading(page, `${asking.name} asks for a credential`).waitFor();
    const before = await tabTo(page, /^Approve with passkey/);
    expect(before.filter((name) => /, \d of \d$/.test(name)).length).toBe(
      await page.locator(".marked").count(),
    );
    expect(before.some((name) => name.startsWith("Deny"))).toBe(false);
    await expect.poll(() => isOff(approveOf(page))).toBe(false);
    await expect
      .poll(
        async () => {
          await page.keyboard.press("Enter");
          return heading(page, "Countersigned").isVisible();
        },
        { timeout: 20_000, interval: 300 },
      )
      .toBe(true);
    expect(await asking.answer).toMatchObject({ status: 200 });
  });

  it.each([
    ["320 px", { width: 320, height: 640 }],
    ["1280 px at 400 %", { width: 320, height: 225 }],
  ])("need no scrolling to the side at %s", async (_name, viewport) => {
    const { page } = await scene.signedIn({ viewport });
    const asking = await scene.ask({ note: `${NOTE} ${"w".repeat(120)}` });
    for (const hash of ["#/inbox", "#/agents", "#/stop", `#/requests/${asking.id}`]) {
      await page.evaluate(`location.hash = "${hash}"`);
      await page.getByText(asking.name).first().waitFor();
      const [scroll, client] = await scrollWidths(page);
      expect([hash, scroll]).toEqual([hash, client]);
    }
  });

  it("move nothing where the reader wants no motion", async () => {
    const { page } = await scene.signedIn({ reducedMotion: "reduce" });
    await scene.read(page, await scene.ask());
    const moving = await page.evaluate<readonly string[]>(`
      [...document.querySelectorAll("*")]
        .filter((element) => {
          const { transitionDuration, animationDuration, animationName } = getComputedStyle(element);
          const seconds = (text) => Math.max(...text.split(",").map(parseFloat));
          return seconds(transitionDuration) > 0.001 || (animationName !== "none" && seconds(animationDuration) > 0.001);
        })
        .map((element) => element.className)`);
    expect(moving).toEqual([]);
  });

  it("show the words of an agent as words: nothing linked, nothing run, none in titles and rows", async () => {
    const desk = await scene.signedIn();
    const { page } = desk;
    let dialogs = 0;
    page.on("dialog", (dialog) => {
      dialogs += 1;
      void dialog.dismiss();
    });
    const limits = ["--location", "http://localhost:4000/", "--action", ACTION];
    const asking = await scene.ask({ note: NOTE, limits });
    await rowOf(page, asking.name).waitFor();
    expect(await page.locator("body").innerText()).not.toContain("evil.example");
    await scene.read(page, asking);
    expect(await page.title()).not.toContain("evil");
    const fence = page.locator(".fence");
    expect(await fence.innerText()).toContain("https://evil.example/a");
    expect(await fence.locator(".hidden-character").allTextContents()).toEqual([
      expect.stringContaining("U+202E"),
    ]);
    expect(await page.locator(".fence a, .fence img, .sheet a, .sheet img").count()).toBe(0);
    expect(await page.locator(".sheet").innerText()).toContain("<a href=");
    expect(await page.locator('a[href*="evil"], [src*="evil"]').count()).toBe(0);
    expect(await heading(page, /evil|\u202E/).count()).toBe(0);
    expect(dialogs).toBe(0);
    expect(desk.complaints).toEqual([]);
  });
});

describe("a page of another origin", () => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>other</title><h1>Other</h1>");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo); // of a TCP server
  });
  afterAll(() => server.close());
  /** Another port of the same name, and another name of the same port. */
  const PLACES = ["localhost", "127.0.0.1"] as const;

  it.each(PLACES)("at %s cannot put the console into a frame", async (host) => {
    const { page } = await scene.newDesk();
    await page.goto(`http://${host}:${port}/`);
    await page.evaluate(`{
      const frame = document.createElement("iframe");
      frame.src = "${scene.origin}/";
      document.body.append(frame);
    }`);
    // refused by the server, since the browser says who asks, and by the browser, since the answer stands in no frame
    const place = (): string | undefined => page.frames()[1]?.url();
    await expect.poll(place, { timeout: 15_000 }).toBe("chrome-error://chromewebdata/");
    const html = await page.frames()[1]?.evaluate<string>("document.documentElement.outerHTML");
    expect(html).not.toContain("countersign");
    expect(await page.frames()[1]?.evaluate("document.scripts.length")).toBe(0);
  });

  it.each(PLACES)("at %s can neither read nor order anything", async (host) => {
    const signed = await scene.signedIn();
    const token = await signed.page.evaluate<string>(
      `sessionStorage.getItem("countersign-session")`,
    );
    const { page } = await scene.newDesk();
    await page.goto(`http://${host}:${port}/`);
    const answered = await page.evaluate<readonly string[]>(`(async () => {
      const call = (path, init) => fetch("${scene.origin}" + path, init).then(() => "answered", () => "kept from it");
      const json = { "content-type": "application/json", "countersign-session": "${token}" };
      return [
        await call("/v1/owner/console", {}),
        await call("/v1/owner/me", { headers: { "countersign-session": "${token}" } }),
        await call("/v1/owner/halt", { method: "POST", headers: json, body: '{"scope":"owner"}' }),
        await call("/v1/owner/halt", { method: "POST", headers: { "content-type": "text/plain" }, body: '{"scope":"owner"}' }),
        await fetch("${scene.origin}/v1/owner/halt", { method: "POST", mode: "no-cors", body: '{"scope":"owner"}' }).then(({ type }) => type, () => "kept from it"),
      ];
    })()`);
    expect(answered.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => "kept from it"));
    expect(["opaque", "kept from it"]).toContain(answered[4]);
    expect(await scene.home.local("server.sock", "/v1/halts")).toEqual({ stops: [] });
  });
});

describe("the console's page", () => {
  it("makes no HTML from text, and loads nothing from elsewhere", async () => {
    const { page } = await scene.signedIn();
    const thrown = await page.evaluate<string>(`(() => {
      try { document.body.innerHTML = "<b>x</b>"; return "taken"; } catch (error) { return error.name; }
    })()`);
    expect(thrown).toBe("TypeError");
    const blocked = await page.evaluate<readonly string[]>(`(async () => {
      const directives = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => directives.push(effectiveDirective));
      await fetch("http://localhost:9/").catch(() => undefined);
      const image = document.createElement("img");
      const loaded = new Promise((resolve) => { image.onerror = resolve; image.onload = resolve; });
      image.src = "http://localhost:9/x.png";
      await loaded;
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.head.append(style);
      await new Promise((resolve) => setTimeout(resolve, 0));
      return directives.sort();
    })()`);
    expect(blocked).toEqual(["connect-src", "img-src", "style-src-elem"]);
    await until("page", async () => ((await page.locator("body").isVisible()) ? true : undefined));
  });

  it("has no related origins", async () => {
    const { page } = await scene.newDesk();
    const answer = await page.request.get(`${scene.origin}/.well-known/webauthn`);
    expect(answer.status()).toBe(404);
  });
});
