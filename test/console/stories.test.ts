import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { tell } from "../e2e/countersign.ts";
import type { Desk } from "./browser.ts";
import { leap } from "./leap.ts";
import { picture } from "./pictures.ts";
import {
  approve,
  approveOf,
  denyOf,
  heading,
  isOff,
  readMarked,
  rowOf,
  Scene,
  spoken,
} from "./scene.ts";

const MINUTE_MS = 60_000;
const NOTHING_HAPPENED =
  "No passkey of this console was used. Nothing happened. Try again, or use another key.";

let scene: Scene;
let desk: Desk;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
beforeEach(async () => {
  desk = await scene.signedIn();
  page = desk.page;
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

/** A browser whose clock the story moves; the server's stays as it is. */
async function withClock(options: BrowserContextOptions = {}): Promise<Page> {
  const { page: fresh } = await scene.newDesk(options);
  await fresh.clock.install();
  await scene.signIn(fresh);
  return fresh;
}

const hasFocus = (of: Locator): Promise<boolean> => of.evaluate((one) => one.matches(":focus"));

describe("the owner decides", () => {
  it("denies with one press, and the agent is refused", async () => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await denyOf(page).click();
    await heading(page, "Denied").waitFor();
    expect(await spoken(page).textContent()).toMatch(
      /^Denied\. mailer\d+ may ask again in (1 h|59 min)\.$/,
    );
    expect(await asking.answer).toMatchObject({ status: 403, reason: "approval_denied" });
    expect(await scene.stateOf(asking)).toBe("denied");
    expect(desk.complaints).toEqual([]);
  });

  it("reads of his own denial as his own, though word of it comes before its answer", async () => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await page.evaluate(`{
      globalThis.heard = [];
      const place = document.querySelector('[aria-live="assertive"]');
      new MutationObserver(() => heard.push(place.textContent)).observe(place, { childList: true });
    }`);
    const looked = page.waitForResponse((one) => one.url().endsWith("/v1/owner/requests"));
    await page.route("**/decision", async (route) => {
      const answer = await route.fetch();
      await looked; // the stream has told of it
      await route.fulfill({ response: answer });
    });
    await denyOf(page).click();
    await heading(page, "Denied").waitFor();
    expect(await page.evaluate("heard.join()")).not.toContain("elsewhere");
  });

  it("approves nothing with an authenticator that does not know its user", async () => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await desk.setUserVerified(false);
    await readMarked(page);
    await expect
      .poll(
        async () => {
          const said = await page.getByRole("alert").allTextContents();
          // a press too soon counts for nothing; one after the answer would take the answer away
          if (said.length === 0) await approveOf(page).click();
          return said;
        },
        { timeout: 15_000, interval: 300 },
      )
      .toEqual([NOTHING_HAPPENED]);
    expect(await scene.stateOf(asking)).toBe("asked");
    await desk.setUserVerified(true);
    await approve(page);
    expect(await asking.answer).toMatchObject({ status: 200 });
  });

  it("sees at once what another of his browsers decided, and can decide no more", async () => {
    const other = await scene.signedIn();
    const asking = await scene.ask();
    await scene.read(page, asking);
    await scene.read(other.page, asking);
    await denyOf(other.page).click();
    await heading(page, `${asking.name} was denied elsewhere`).waitFor();
    expect(await spoken(page).textContent()).toMatch(
      /^mailer\d+ was denied elsewhere\. Today \d\d:\d\d, in the session of “MacBook”\. If that was not you, stop everything and look at your keys\.$/,
    );
    await picture(page, "request-elsewhere");
    expect(await page.getByRole("button", { name: /Approve|Deny/ }).count()).toBe(0);
  });

  it("finds a request that ended before his eyes, and can decide no more", async () => {
    page = await withClock();
    const asking = await scene.ask();
    await scene.read(page, asking);
    await leap(page, 70 * MINUTE_MS);
    await heading(page, /^This request ended at \d\d:\d\d$/).waitFor();
    expect(await spoken(page).textContent()).toContain("it asks again with a new code.");
    await picture(page, "request-ended");
    expect(await page.getByRole("button", { name: /Approve|Deny/ }).count()).toBe(0);
  });

  it("signs a text that was made anew after five minutes, with the lines that he has read", async () => {
    page = await withClock();
    const asking = await scene.ask();
    await scene.read(page, asking);
    await readMarked(page);
    const number = (): Promise<string | undefined> =>
      page
        .locator(".full-text")
        .textContent()
        .then((text) => /number: +(\S+)/.exec(text ?? "")?.[1]);
    const first = await number();
    const land = await leap(page, 5 * MINUTE_MS + 1000);
    await expect.poll(number).not.toBe(first);
    await land();
    // its marked lines say the same, octet for octet
    expect(await page.getByText(/(\d+) of \1 marked/).count()).toBe(1);
    await expect.poll(() => isOff(approveOf(page))).toBe(false);
    await approve(page);
    expect(await asking.answer).toMatchObject({ status: 200 });
  });
});

describe("Approve", () => {
  it("is off until every marked line stood on the screen, and hears no press within half a second", async () => {
    page = await withClock({ viewport: { width: 1280, height: 420 } });
    const asking = await scene.ask();
    await scene.read(page, asking);
    const line = page.locator(".marked").first();
    expect(await isOff(approveOf(page))).toBe(true);
    const steps: string[] = [];
    await page.exposeFunction("toldOfCeremony", () => steps.push("ceremony"));
    await page.evaluate(`{
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = (options) => { toldOfCeremony(); return get(options); };
    }`);
    const now = await page.evaluate<number>("Date.now()");
    await page.clock.pauseAt(now + 2000);
    await line.scrollIntoViewIfNeeded();
    await expect.poll(() => line.isVisible()).toBe(true);
    await page.clock.runFor(900);
    expect(await isOff(approveOf(page))).toBe(true);
    await expect
      .poll(async () => {
        await page.clock.runFor(100);
        return isOff(approveOf(page));
      })
      .toBe(false);
    await approveOf(page).click();
    await page.clock.runFor(300);
    expect(steps).toEqual([]);
    await page.clock.runFor(300);
    await approveOf(page).click();
    await expect.poll(() => steps).toEqual(["ceremony"]);
    await page.clock.resume();
    await heading(page, "Countersigned").waitFor();
    expect(await asking.answer).toMatchObject({ status: 200 });
  });

  it("counts no line while another window has the focus, and hears no press as it comes back", async () => {
    page = await withClock({ viewport: { width: 1280, height: 420 } });
    const asking = await scene.ask();
    await scene.read(page, asking);
    const focus = (has: boolean): Promise<unknown> =>
      page.evaluate(`{
        document.hasFocus = () => ${has};
        window.dispatchEvent(new Event(${has} ? "focus" : "blur"));
      }`);
    await focus(false);
    const now = await page.evaluate<number>("Date.now()");
    await page.clock.pauseAt(now + 2000);
    const line = page.locator(".marked").first();
    await line.scrollIntoViewIfNeeded();
    await expect.poll(() => line.isVisible()).toBe(true);
    for (let part = 0; part < 30; part += 1) await page.clock.runFor(100);
    expect(await isOff(approveOf(page))).toBe(true);
    await focus(true);
    await expect
      .poll(async () => {
        await page.clock.runFor(100);
        return isOff(approveOf(page));
      })
      .toBe(false);
    await page.evaluate(`{
      globalThis.asked = 0;
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = (options) => { globalThis.asked += 1; return get(options); };
    }`);
    await page.clock.runFor(600);
    // a window that covered it was closed, and the second press of two falls on Approve
    await focus(false);
    await focus(true);
    await approveOf(page).click();
    expect(await page.evaluate("globalThis.asked")).toBe(0);
    await page.clock.runFor(600);
    await approveOf(page).click();
    await page.clock.resume();
    await heading(page, "Countersigned").waitFor();
  });

  it("leads to the first marked line while it is off", async () => {
    await page.setViewportSize({ width: 1280, height: 420 });
    await scene.read(page, await scene.ask());
    await approveOf(page).click({ force: true }); // off, for the eye and for a screen reader
    const focused = await page.evaluate<string>("document.activeElement.className");
    expect(focused).toContain("marked");
  });

  it("does not exist for a text that does not fit its digest", async () => {
    const asking = await scene.ask();
    await page.route(`**/v1/owner/requests/${asking.id}?jkt=*`, async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { jcs: string };
      const text = Buffer.from(body.jcs, "base64url").toString();
      // one octet of what is signed: the host that it may run on
      const changed = text.replace(/"host":"([^"]+)./, (whole) => `${whole.slice(0, -1)}x`);
      const jcs = Buffer.from(changed).toString("base64url");
      await route.fulfill({ response: answer, json: { ...body, jcs } });
    });
    await page.evaluate(`location.hash = "#/requests/${asking.id}"`);
    await heading(page, "This request cannot be shown").waitFor();
    expect(await page.getByRole("alert").textContent()).toContain("does not fit together");
    expect(await approveOf(page).count()).toBe(0);
    expect(await page.locator(".sheet").count()).toBe(0);
    await denyOf(page).click(); // saying no is never harder
    await heading(page, "Denied").waitFor();
    expect(await scene.stateOf(asking)).toBe("denied");
  });
});

describe("without a network", () => {
  it("the content stays, nothing can be decided, and it catches up from the last event", async () => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await readMarked(page);
    const sent: (string | null)[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/v1/owner/events"))
        void request.headerValue("last-event-id").then((id) => sent.push(id));
    });
    await desk.context.setOffline(true);
    await expect.poll(() => isOff(approveOf(page))).toBe(true);
    await page.locator(".live").getByText("Offline. Nothing is sent later by itself.").waitFor();
    expect(await isOff(denyOf(page))).toBe(true);
    expect(await page.locator(".sheet").isVisible()).toBe(true);
    const later = await scene.ask();
    await desk.context.setOffline(false);
    await page.getByText(/^Live/).waitFor();
    await expect.poll(() => sent.some((id) => id !== null && id !== "")).toBe(true);
    await expect.poll(() => isOff(approveOf(page))).toBe(false);
    await page.getByRole("link", { name: "Inbox" }).first().click();
    await rowOf(page, later.name).waitFor();
  });
});

describe("without the server", () => {
  it("comes back by a press, not only by itself", async () => {
    page = await withClock();
    const now = await page.evaluate<number>("Date.now()");
    await page.clock.pauseAt(now + 1000);
    await page.route("**/v1/owner/events", (route) => route.abort());
    await page.evaluate(`window.dispatchEvent(new Event("offline"))`); // its stream is given up
    await page.locator(".live").getByText("Offline. Nothing is sent later by itself.").waitFor();
    const again = page.getByRole("button", { name: "Try now" });
    await expect
      .poll(async () => {
        await page.clock.runFor(1000);
        return again.isVisible();
      })
      .toBe(true);
    await page.unroute("**/v1/owner/events");
    await again.press("Enter"); // the clock stands: nothing else would try
    await page.getByText(/^Live/).waitFor();
    await page.clock.runFor(1000);
    expect(await again.count()).toBe(0);
  });
});

describe("stopping", () => {
  const held = async (): ReturnType<Scene["ask"]> => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await approve(page);
    expect(await asking.answer).toMatchObject({ status: 200 });
    return asking;
  };
  const proof = { aud: "http://localhost:4000/" };

  it("stops one agent, whose door says so, and no other", async () => {
    const [one, two] = [await held(), await held()];
    await page.getByRole("link", { name: /^Stop/ }).first().click();
    await page.getByRole("button", { name: `Stop ${one.name}…`, exact: true }).click();
    await page.getByRole("group", { name: `Stop ${one.name}?` }).waitFor();
    await picture(page, "stop-question");
    await page.getByRole("button", { name: "Stop it now" }).click();
    await page.getByText("1 of 1 host confirmed.").first().waitFor();
    expect(await spoken(page).textContent()).toMatch(/^Stopped at \d\d:\d\d:\d\d\.$/);
    await picture(page, "stop-confirmed");
    await expect
      .poll(() => tell(one.agent, "/v1/proof", proof))
      .toMatchObject({ status: 403, reason: "halted" });
    expect(await tell(two.agent, "/v1/proof", proof)).toMatchObject({ status: 200 });
  });

  it("asks once more, and Keep keeps", async () => {
    const { name, agent } = await held();
    await page.getByRole("link", { name: /^Stop/ }).first().click();
    const ask = page.getByRole("button", { name: `Stop ${name}…`, exact: true });
    await ask.click();
    await page.getByRole("button", { name: "Keep it" }).click();
    await ask.waitFor();
    expect(await hasFocus(ask)).toBe(true);
    expect(await tell(agent, "/v1/proof", proof)).toMatchObject({ status: 200 });
  });
});

describe("a stop that nobody confirms", () => {
  const ask = () => page.getByRole("button", { name: /^Stop mailer.*…$/ }).first();

  it("is not made: the question goes away after ten seconds", async () => {
    page = await withClock();
    await scene.ask();
    await page.getByRole("link", { name: /^Stop/ }).first().click();
    const now = await page.evaluate<number>("Date.now()");
    await ask().waitFor();
    await page.clock.pauseAt(now + 5000);
    await ask().click();
    expect(await hasFocus(page.getByRole("button", { name: "Keep it" }))).toBe(true);
    await page.clock.runFor(9900);
    expect(await page.getByRole("button", { name: "Stop it now" }).count()).toBe(1);
    await page.clock.runFor(200);
    expect(await page.getByRole("button", { name: "Stop it now" }).count()).toBe(0);
    expect(await hasFocus(ask())).toBe(true);
    expect(await scene.home.local("server.sock", "/v1/halts")).toMatchObject({
      stops: expect.not.arrayContaining([expect.objectContaining({ scope: "owner" })]) as object,
    });
  });

  it("of a host that does not answer says until when its credentials last", async () => {
    await scene.ask();
    await page.route("**/v1/owner/stops/*", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { now: number; hosts: { confirmed_at?: number }[] };
      const until = body.now + 900;
      const hosts = body.hosts.map(({ confirmed_at: _not, ...host }) => ({
        ...host,
        credentials_until: until,
      }));
      await route.fulfill({ response: answer, json: { ...body, hosts } });
    });
    await page.getByRole("link", { name: /^Stop/ }).first().click();
    await ask().click();
    await page.getByRole("button", { name: "Stop it now" }).click();
    await page.getByText("0 of 1 host confirmed.").waitFor();
    await page
      .getByText(/localhost has not answered; its credentials end by \d\d:\d\d\./)
      .waitFor();
    await picture(page, "stop-unanswered");
  });
});

describe("the session", () => {
  it("ends with the server, and nothing is lost: he signs in and reads on", async () => {
    const asking = await scene.ask();
    await scene.read(page, asking);
    await scene.restart(async () => {
      await page.locator(".live").getByText("Offline. Nothing is sent later by itself.").waitFor();
      expect(await page.locator(".sheet").isVisible()).toBe(true);
      const note = page.getByRole("region", { name: "No connection" });
      await note.getByText(/No connection since \d\d:\d\d:\d\d/).waitFor();
      await note.getByText(/Trying again in \d+ s/).waitFor();
      await picture(page, "request-offline");
    });
    await page.getByText("Your session has ended.").waitFor();
    await picture(page, "session-over");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await heading(page, `${asking.name} asks for a credential`).waitFor();
    await approve(page);
  });

  it("is over when he signs out, in the page and at the server", async () => {
    const token = await page.evaluate<string>(`sessionStorage.getItem("countersign-session")`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await heading(page, "Sign in").waitFor();
    const { status } = await page.request
      .get(`${scene.origin}/v1/owner/me`, {
        headers: { "countersign-session": token },
      })
      .then((answer) => ({ status: answer.status() }));
    expect(status).toBe(401);
    await page.reload();
    await heading(page, "Sign in").waitFor();
  });
});

describe("stopping everything", () => {
  it("stops every agent of his, also one that waits", async () => {
    const asking = await scene.ask();
    await page.getByRole("link", { name: /^Stop/ }).first().click();
    await page.getByRole("button", { name: "Stop everything…" }).click();
    await page.getByText(/^Stop \d+ agents? on 1 host\?$/).waitFor();
    await page.getByRole("button", { name: /^Stop (it|them) now$/ }).click();
    await page
      .getByText(/Stopped at/)
      .first()
      .waitFor();
    await page.getByRole("link", { name: "Agents" }).first().click();
    await page.getByText("Stopped").first().waitFor();
    expect(await asking.answer).toMatchObject({ status: 403 });
    expect(await tell(asking.agent, "/v1/credential", {})).toMatchObject({ reason: "halted" });
    const { stops } = await scene.home.local("server.sock", "/v1/halts");
    expect(stops).toContainEqual(expect.objectContaining({ scope: "owner" }));
  });
});
