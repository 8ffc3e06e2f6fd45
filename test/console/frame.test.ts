// The console in a frame of another origin: the browser itself refuses, by the page's own headers.
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Scene } from "./scene.ts";

let scene: Scene;
let server: Server;
let other = "";
beforeAll(async () => {
  scene = await Scene.open();
  server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>other</title><h1>Other</h1>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  other = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`; // of a TCP server
});
afterAll(async () => {
  server.close();
  await scene.close();
});

type Headers = Record<string, string>;

/** Lets the frame's own request through to the server as one that a person typed: only the page's headers are left. */
async function framed(change: (headers: Headers) => Headers): Promise<string> {
  const { page } = await scene.newDesk();
  await page.route(`${scene.origin}/`, async (route) => {
    const { "sec-fetch-site": _site, referer: _referer, ...headers } = route.request().headers();
    const answer = await fetch(`${scene.origin}/`, {
      headers: { accept: headers["accept"] ?? "*/*" },
    });
    const sent = Object.fromEntries(answer.headers);
    await route.fulfill({
      status: answer.status,
      headers: change(sent),
      body: await answer.text(),
    });
  });
  await page.goto(other);
  const loaded = page.waitForEvent("framenavigated", (frame) => frame !== page.mainFrame());
  await page.evaluate(`{
    const frame = document.createElement("iframe");
    frame.src = "${scene.origin}/";
    document.body.append(frame);
  }`);
  await loaded;
  const [, frame] = page.frames();
  return frame?.url() ?? "";
}

const withoutOld = ({ "x-frame-options": _old, ...headers }: Headers): Headers => headers;
const BLOCKED = "chrome-error://chromewebdata/";

it("is refused by frame-ancestors alone", async () => {
  expect(await framed(withoutOld)).toBe(BLOCKED);
});

it("is refused by X-Frame-Options alone, in browsers that know no other", async () => {
  const withoutPolicy = ({ "content-security-policy": _policy, ...headers }: Headers): Headers =>
    headers;
  expect(await framed(withoutPolicy)).toBe(BLOCKED);
});

it("would be shown without both: it is they that refuse", async () => {
  const bare = (headers: Headers): Headers => {
    const policy = headers["content-security-policy"] ?? "";
    expect(policy).toContain("frame-ancestors 'none'");
    const rest = policy.replace("frame-ancestors 'none'; ", "");
    return { ...withoutOld(headers), "content-security-policy": rest };
  };
  expect(await framed(bare)).toBe(`${scene.origin}/`);
});
