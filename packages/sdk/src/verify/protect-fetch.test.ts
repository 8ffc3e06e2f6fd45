import { describe, expect, it } from "vitest";
import { LinkRefusal, readTrust, Refusal } from "@countersign/core";
import type { HeaderLines } from "@countersign/core";
import { requestHeaders, trustFileOf } from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import { protectFetch } from "./protect-fetch.ts";
import { relyingParty } from "./relying-party.ts";
import type { RelyingParty } from "./relying-party.ts";
import { PATH, REQUESTS, URL as TARGET } from "./requests.testing.ts";

/** As a platform gives it: under a name that is not the service's, lines of one name joined. */
function requestOf(lines: HeaderLines, path: string = PATH): Request {
  const headers = new Headers();
  for (const [name, value] of lines) headers.append(name, value);
  return new Request(`http://worker.internal:8787${path}`, { headers });
}

const partyFor = (story: Story): RelyingParty =>
  relyingParty({ trust: trustFileOf(story), resources: [RESOURCE], clock: () => NOW });

describe("protectFetch", () => {
  // a target that is no path cannot be in a Request
  it.each(REQUESTS.filter(({ path }) => path === undefined))("$name → $wanted", async (row) => {
    const story = await makeStory(row.story);
    const lines = await requestHeaders(story, row.url ?? TARGET, row.request);
    const party = relyingParty({
      trust: readTrust(trustFileOf(story), NOW),
      resources: [RESOURCE],
      clock: () => row.now ?? NOW,
      ...row.party,
    });
    const links: string[] = [];
    const app = protectFetch(party, (_request, caller) => Response.json({ proof: caller.proof }), {
      onRefused: (refusal) => links.push(refusal instanceof LinkRefusal ? refusal.link : ""),
    });
    const response = await app(requestOf(row.lines?.(lines) ?? lines));
    const body = (await response.json()) as Readonly<Record<string, unknown>>; // of this test or a problem
    const [link, code, status] = row.wanted;
    expect(response.status).toBe(status);
    expect(body[link === "accepted" ? "proof" : "reason"]).toBe(code);
    expect(links).toEqual(link === "accepted" ? [] : [link]);
    expect(response.headers.has("www-authenticate")).toBe(status === 401);
  });

  it.each<readonly [string, (headers: Headers) => void, string]>([
    ["the same token", (h) => h.append("workload-identity-token", "a.b.c"), "wit_repeated"],
    ["the same proof", (h) => h.append("authorization", "WPT a.b.c"), "wpt_missing"],
    ["another scheme", (h) => h.append("authorization", "Bearer a"), "wpt_missing"],
    ["an empty line", (h) => h.append("authorization", ""), "wpt_missing"],
  ])("refuses a request with %s joined to the first line", async (_name, add, code) => {
    const story = await makeStory();
    const request = requestOf(await requestHeaders(story, TARGET));
    add(request.headers);
    const response = await protectFetch(partyFor(story), () => new Response())(request);
    expect(await response.json()).toMatchObject({ reason: code, link: "request" });
  });

  it("gives the handler the request, its caller and what the platform adds", async () => {
    const story = await makeStory();
    const app = protectFetch(
      partyFor(story),
      async (request, { agent }, env: { readonly name: string }) =>
        new Response(`${env.name}: ${agent} ${await request.text()}`),
    );
    const headers = requestOf(await requestHeaders(story, TARGET)).headers;
    const request = new Request(`http://worker.internal${PATH}`, {
      method: "POST",
      body: "hello",
      headers,
    });
    const response = await app(request, { name: "env" });
    expect(await response.text()).toBe(`env: ${story.agent} hello`);
  });

  it("answers a refusal of the handler, and passes every other throw on", async () => {
    const story = await makeStory();
    const refusing = protectFetch(partyFor(story), () => {
      throw new Refusal("outside_ceiling");
    });
    const headers = await requestHeaders(story, TARGET);
    expect(await (await refusing(requestOf(headers))).json()).toMatchObject({
      status: 403,
      reason: "outside_ceiling",
    });
    const broken = protectFetch(partyFor(story), () => {
      throw new TypeError("ours");
    });
    await expect(broken(requestOf(await requestHeaders(story, TARGET)))).rejects.toThrow("ours");
  });
});
