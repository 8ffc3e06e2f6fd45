import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRig } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { PAGES } from "./passkey.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig.close());

/** A browser fetches a file to run it as a worker (Service Workers 1, "update"). */
const FOR_WORKER = { "service-worker": "script", "sec-fetch-dest": "serviceworker" };
const get = (path: string, headers: object = {}): Promise<Answered> =>
  rig.call("console", `GET ${path}`, {
    headers: { host: PAGES.rpId, "sec-fetch-site": "same-origin", ...headers },
  });

describe("the worker that shows notices", () => {
  it.each([
    ["/push/worker.js", FOR_WORKER, "200"],
    ["/push/worker.js", {}, "200"],
    ["/assets/a.js", {}, "200"],
    ["/assets/a.js", FOR_WORKER, "not_found"],
    ["/index.html", FOR_WORKER, "not_found"],
    ["/", FOR_WORKER, "not_found"],
    ["/push/", {}, "not_found"],
    ["/push/", FOR_WORKER, "not_found"],
  ])("is the one file that may be a worker: %s with %o", async (path, headers, word) => {
    expect((await get(path, headers)).word).toBe(word);
  });

  it("is kept nowhere, and may load and call nothing", async () => {
    const { headers } = await get("/push/worker.js", FOR_WORKER);
    expect(headers.get("cache-control")).toBe("no-store");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/-src (?!'none')/);
  });

  it("stands before nothing outside its folder: no answer says otherwise", async () => {
    for (const path of [
      "/",
      "/index.html",
      "/assets/a.js",
      "/push/worker.js",
      "/v1/owner/console",
    ]) {
      const { headers } = await get(path);
      expect(headers.has("service-worker-allowed")).toBe(false);
    }
  });

  it("is the only script that a page may name, by one policy", async () => {
    const policy = (await get("/")).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("worker-src 'self'");
    expect(policy).toMatch(/require-trusted-types-for 'script'; trusted-types push-worker$/);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });
});
