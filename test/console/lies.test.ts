import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { canonicalBytes } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { Desk } from "./browser.ts";
import { lying } from "./lying.ts";
import type { Json, Lie } from "./lying.ts";
import { approve, approveOf, heading, isOff, readMarked, Scene } from "./scene.ts";
import type { Asking } from "./scene.ts";

/**
 * A console whose server lies: what a page is told is changed on its way to the real page, in a real browser. It shows a
 * refusal that says what to do, asks no passkey for anything, and goes on.
 */

let scene: Scene;
let desk: Desk;
let page: Page;
let asking: Asking;
beforeAll(async () => {
  scene = await Scene.open();
});
beforeEach(async () => {
  desk = await scene.signedIn();
  page = desk.page;
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

/** How often a page asked an authenticator for something from now on. */
async function ceremonies(of: Page): Promise<() => Promise<number>> {
  await of.evaluate(`{
    globalThis.asked = 0;
    for (const name of ["get", "create"]) {
      const real = navigator.credentials[name].bind(navigator.credentials);
      navigator.credentials[name] = (options) => { globalThis.asked += 1; return real(options); };
    }
  }`);
  return () => of.evaluate<number>("globalThis.asked");
}

/** The signed text with one thing otherwise, still canonical. */
const inText =
  (from: string | RegExp, to: string): Lie =>
  (body) => {
    const text = Buffer.from(String(body["jcs"]), "base64url").toString();
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    return { ...body, jcs: Buffer.from(changed).toString("base64url") };
  };

/** What a person reads. */
const WORDS = {
  unread: /could not make sense.*Load it again/,
  unfit: /does not fit together.*Do not approve it anywhere/,
};

const LIES: readonly (readonly [string, keyof typeof WORDS, Lie])[] = [
  ["no JSON", "unfit", () => "{"],
  ["a page of HTML", "unfit", () => "<h1>Approved</h1><script>alert(1)</script>"],
  ["a list", "unfit", () => "[]"],
  ["nothing", "unfit", () => ""],
  ["a text that is a number", "unread", (body) => ({ ...body, jcs: 5 })],
  ["no text", "unread", ({ jcs: _jcs, ...rest }) => rest],
  ["a member twice", "unfit", (body) => JSON.stringify(body).replace(/^\{/, '{"jcs":"AAAA",')],
  [
    "a number beyond all numbers",
    "unfit",

    (body) => JSON.stringify(body).replace(/"deadline":\d+/, '"deadline":1e999'),
  ],
  [
    "a nest without end",
    "unfit",

    (body) =>
      JSON.stringify({ ...body, x: 0 }).replace(
        '"x":0',
        `"x":${"[".repeat(9000)}${"]".repeat(9000)}`,
      ),
  ],
  ["more than four megabytes", "unread", (body) => ({ ...body, padding: "x".repeat(4_200_000) })],

  ["whose host is another", "unfit", inText(/"host":"([^"]+)."/, '"host":"$1x"')],
  ["of another agent", "unfit", inText(/\/agent\/mailer/, "/agent/nailer")],
  ["for another key", "unfit", inText(/"jkt":"[^"]{43}"(?=\},"req")/, `"jkt":"${"A".repeat(43)}"`)],
  ["for another owner", "unfit", inText(/(urn:agent-owner:[^:]+:)[^"]+/, "$1another1")],
  ["for another server", "unfit", inText(/"aud":"https:\/\/id\./, '"aud":"https://ib.')],
  ["that is a denial", "unfit", inText('"decision":"approve"', '"decision":"deny"')],
  ["of another template", "unfit", inText(/"tpl":"credential\/1"/, '"tpl":"credential/9"')],
  [
    "whose template has another digest",
    "unfit",

    inText(/"d":"sha-256:[^"]{42}(.)","loc"/, `"d":"sha-256:${"A".repeat(43)}","loc"`),
  ],
  [
    "that answers another request",
    "unfit",

    inText(/"req":"sha-256:[^"]{43}"/, `"req":"sha-256:${"A".repeat(43)}"`),
  ],
  ["that is not canonical", "unfit", inText(/^\{/, "{ ")],
  ["with a member of its own", "unfit", inText(/^\{/, '{"aaa":1,')],
  ["of another kind", "unfit", inText('"kind":"credential"', '"kind":"action"')],
  [
    "with R of somebody else",
    "unfit",

    (body) => ({ ...body, request: String(body["request"]).replace(/.{8}$/, "AAAAAAAA") }),
  ],
  [
    "under the name of another agent",
    "unfit",
    (body) => ({ ...body, entry: `${String(body["entry"])}x` }),
  ],
  [
    "under the name of another host",
    "unfit",
    (body) => ({ ...body, proxy: `${String(body["proxy"])}x` }),
  ],
];

describe("a request of which the server lies", () => {
  const opened = async (lie: Lie): Promise<() => Promise<number>> => {
    const asked = await ceremonies(page);
    await page.route(`**/v1/owner/requests/${asking.id}?jkt=*`, lying(lie));
    await page.evaluate(`location.hash = "#/requests/${asking.id}"`);
    await page.getByRole("alert").waitFor();
    expect(await approveOf(page).count()).toBe(0);
    expect(await page.locator(".sheet").count()).toBe(0);
    return asked;
  };

  it("is shown as what cannot be read, or does not fit, with what to do; and no key is asked", async () => {
    asking = await scene.ask({ note: "Please." });
    const seen: (readonly [string, string])[] = [];
    for (const [name, , lie] of LIES) {
      const asked = await opened(lie);
      const said = (await page.getByRole("alert").textContent()) ?? "";
      const words = Object.entries(WORDS).find(([, expected]) => expected.test(said))?.[0];
      seen.push([name, words ?? said]);
      expect([name, await asked()]).toEqual([name, 0]);
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.evaluate(`location.hash = "#/inbox"`);
      await heading(page, "Inbox").waitFor();
    }
    expect(seen).toEqual(LIES.map(([name, words]) => [name, words]));
    expect(desk.complaints).toEqual([]);
    // and what is true is signed still
    await scene.read(page, asking);
    await approve(page);
    expect(await asking.answer).toMatchObject({ status: 200 });
  });
});

describe("a text that is exchanged while its owner reads", () => {
  /** A text that has to be made anew after some seconds; and says otherwise how long a credential lasts. */
  const brief =
    (maxTtl?: number): Lie =>
    (body) => {
      const text = JSON.parse(Buffer.from(String(body["jcs"]), "base64url").toString()) as Json;
      const grant = text["grant"] as Json; // as the server makes it
      const changed = { ...text, exp: Number(text["iat"]) + 4 };
      const said =
        maxTtl === undefined ? changed : { ...changed, grant: { ...grant, max_ttl: maxTtl } };
      return {
        ...body,
        jcs: Buffer.from(canonicalBytes(said as JsonObject)).toString("base64url"),
      };
    };
  const NOTE = "This text was made anew, and says something else than the one before";
  const textOf = (): Promise<string | null> => page.locator(".full-text").textContent();
  const madeAnew = async (): Promise<void> => {
    const before = await textOf();
    await expect.poll(textOf, { timeout: 10_000 }).not.toBe(before);
  };
  const lie = async (told: Lie): Promise<void> => {
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.route(`**/v1/owner/requests/${asking.id}?jkt=*`, lying(told));
  };

  it("is held beside the one he read, until he has read what differs", async () => {
    await page.setViewportSize({ width: 1280, height: 200 });
    asking = await scene.ask();
    await lie(brief());
    await scene.read(page, asking);
    await readMarked(page);
    const note = page.getByRole("group", { name: NOTE });
    await madeAnew();
    // the same terms in another text are nothing that has to be read again
    expect(await note.count()).toBe(0);
    expect(await isOff(approveOf(page))).toBe(false);
    await lie(brief(3600));
    await note.waitFor({ state: "attached" });
    expect(await note.textContent()).toContain("each lasts: 3600 s");
    expect(await isOff(approveOf(page))).toBe(true);
    await madeAnew();
    expect(await note.count()).toBe(1);
    expect(await isOff(approveOf(page))).toBe(true);
    await note.focus();
    await expect.poll(() => isOff(approveOf(page))).toBe(false);
    await madeAnew();
    expect(await note.count()).toBe(0);
    expect(desk.complaints).toEqual([]);
  });

  it("is not signed by a press that was meant for the one before", async () => {
    asking = await scene.ask();
    await lie(brief());
    await scene.read(page, asking);
    await readMarked(page);
    const asked = await ceremonies(page);
    // presses in the same moment in which another text stands there
    await page.evaluate(`{
      const root = document.querySelector(".request");
      globalThis.pressed = 0;
      new MutationObserver((changes) => {
        if (!changes.some(({ target }) => target === root)) return;
        const on = document.querySelector(".button-primary[aria-disabled=false]");
        if (on !== null) globalThis.pressed += 1;
        on?.click();
      }).observe(root, { childList: true });
    }`);
    await madeAnew();
    await madeAnew();
    expect(await page.evaluate<number>("globalThis.pressed")).toBeGreaterThanOrEqual(2);
    expect(await asked()).toBe(0);
  });
});

describe("a console that names another host for its passkeys", () => {
  it("is not signed in to, and no key is made there", async () => {
    const { page: fresh } = await scene.newDesk();
    await fresh.route(
      "**/v1/owner/console",
      lying((body) => ({ ...body, rp_id: "example.com" })),
    );
    for (const hash of ["", "#/enrol"]) {
      await fresh.goto(`${scene.origin}/${hash}`);
      const said = await fresh.getByRole("alert").textContent();
      expect(said).toMatch(/its server says example.com.*Do not sign in here/);
      expect(await fresh.getByRole("button").allTextContents()).toEqual(["Try again"]);
      await fresh.evaluate(`location.hash = "#/enrol"`);
      expect(await fresh.getByRole("button").allTextContents()).toEqual(["Try again"]);
      await fresh.goto("about:blank");
    }
  });

  it("gets no passkey of a parent domain", async () => {
    const asked = await ceremonies(page);
    const parent: Lie = (body) => ({
      ...body,
      options: { ...(body["options"] as Json), rp: { id: "host", name: "x" } },
    });
    await page.route("**/v1/owner/keys/webauthn/options", lying(parent));
    await page.evaluate(`location.hash = "#/keys"`);
    await page.getByRole("button", { name: "Add a key" }).click();
    expect(await page.getByRole("alert").textContent()).toMatch(/could not make sense/);
    expect(await asked()).toBe(0);
  });
});

describe("a stream of events that lies", () => {
  const STREAMS: readonly (readonly [string, string])[] = [
    ["lines of a megabyte", `data: ${"x".repeat(1_000_000)}\n`.repeat(3)],
    ["one event of endless lines", "data: x\n".repeat(200_000)],
    ["what is no stream", "<script>alert(1)</script>"],
    ["events that nobody knows", "event: __proto__\nid: \u0000\ndata: {\n\n".repeat(1000)],
  ];
  it.each(STREAMS)("of %s: the page stays, and says that it is offline", async (_name, body) => {
    await page.route("**/v1/owner/events", (route) =>
      route.fulfill({ contentType: "text/event-stream", body }),
    );
    await page.reload();
    await heading(page, "Inbox").waitFor();
    await page.locator(".live").getByText("Offline.").waitFor();
    await page.getByRole("link", { name: "Keys" }).first().click();
    await heading(page, "Keys").waitFor();
    await page.locator(".row-key").first().waitFor();
    expect(desk.complaints).toEqual([]);
  });
});
