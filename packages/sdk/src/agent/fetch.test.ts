import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { trustFileOf } from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import { protect, relyingParty } from "../node/index.ts";
import type { LinkRefusal, ProtectedHandler, ProtectOptions } from "../node/index.ts";
import { connect } from "./connect.ts";
import type { Agent, ConnectOptions } from "./connect.ts";
import { openFakeDoor } from "./fake-door.testing.ts";
import type { FakeDoor } from "./fake-door.testing.ts";

let story: Story;
let door: FakeDoor;
const servers: Server[] = [];
const agents: Agent[] = [];
beforeEach(async () => {
  // any service: the loopback port is not known when the owner signs
  story = await makeStory({
    statement: (body) => ({ ...body, grant: { ...body.grant, ceiling: [] } }),
  });
  door = await openFakeDoor(story);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await door.close();
});

async function start(options: Partial<ConnectOptions> = {}): Promise<Agent> {
  const agent = await connect({ socket: door.socket, clock: () => NOW, ...options });
  agents.push(agent);
  return agent;
}

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** A service on loopback, and the requests that it saw. */
async function listen(
  make: (origin: string) => RequestListener,
): Promise<{ readonly origin: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const listeners: RequestListener[] = [];
  const server = createServer((request, response) => {
    seen.push({ method: request.method, url: request.url, headers: request.headers });
    for (const listener of listeners) listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const origin = `http://127.0.0.1:${port}`;
  listeners.push(make(origin));
  return { origin, seen };
}

const hello: ProtectedHandler = async (request, response) => {
  const body = await text(request);
  const { agent, owner, proof } = request.caller;
  response.end(JSON.stringify({ agent, owner: owner?.id, proof, body }));
};

function service(
  handler: ProtectedHandler = hello,
  options: ProtectOptions = {},
): Promise<{ readonly origin: string; readonly seen: Seen[] }> {
  return listen((origin) => {
    const party = relyingParty({
      trust: trustFileOf(story),
      resources: [origin],
      clock: () => NOW,
    });
    return protect(party, handler, options);
  });
}

/** Answers as told, whatever was sent. */
function answering(
  status: number,
  headers: Readonly<Record<string, string>>,
  body = "",
): Promise<{ readonly origin: string; readonly seen: Seen[] }> {
  return listen(() => (_request, response) => {
    response.writeHead(status, headers).end(body);
  });
}
const problem = (reason: string): string =>
  JSON.stringify({ type: "about:blank", reason, next: "x" });
const PROBLEM = { "content-type": "application/problem+json" };

describe("agent and service, end to end over loopback", () => {
  it("shows the owner's approval where it is asked for, then at once", async () => {
    const { origin, seen } = await service();
    const agent = await start();
    const first = await agent.fetch(`${origin}/drafts?x=1`, { method: "POST", body: "dear all" });
    expect(first.status).toBe(200);
    expect(await first.json()).toEqual({
      agent: story.agent,
      owner: story.statement.body.owner.id,
      proof: "verified",
      body: "dear all",
    });
    const second = await agent.fetch(new Request(`${origin}/drafts`));
    expect(second.status).toBe(200);
    expect(seen.map(({ headers }) => headers["agent-owner-evidence"] !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("makes a proof for each request", async () => {
    const { origin } = await service();
    const agent = await start();
    const all = await Promise.all([1, 2, 3, 4].map((n) => agent.fetch(`${origin}/${n}`)));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it("covers a transaction token that is sent along", async () => {
    const { origin } = await service((request, response) => {
      response.end(request.caller.txnToken);
    });
    const agent = await start();
    const answer = await agent.fetch(origin, { headers: { "Txn-Token": "txn-1" } });
    expect(await answer.text()).toBe("txn-1");
  });

  it("is refused without a credential, and the service hears why", async () => {
    const refused: string[] = [];
    const onRefused = ({ link, code }: LinkRefusal): number => refused.push(`${link}: ${code}`);
    const { origin } = await service(hello, { onRefused });
    const answer = await fetch(origin);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe("WPT");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json()).toMatchObject({
      reason: "wpt_missing",
      link: "request",
      status: 401,
    });
    expect(refused).toEqual(["request: wpt_missing"]);
  });

  it("hears nothing of a fault in the service's handler", async () => {
    const errors: unknown[] = [];
    const { origin } = await service(() => Promise.reject(new Error("secret of the database")), {
      onError: (error) => errors.push(error),
    });
    const agent = await start();
    const answer = await agent.fetch(origin);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("secret");
    expect(errors).toHaveLength(1);
  });
});

describe("fetch", () => {
  it.each<[string, number, Record<string, string>, string, number]>([
    ["a challenge", 401, { "www-authenticate": "WPT" }, "", 2],
    ["a challenge for something else", 401, { "www-authenticate": "Bearer" }, "", 1],
    ["an expired credential", 400, PROBLEM, problem("expired"), 2],
    ["evidence that is wanted", 400, PROBLEM, problem("owner_evidence_needed"), 2],
    ["another fault", 400, PROBLEM, problem("audience_mismatch"), 1],
    [
      "a problem that is no problem document",
      400,
      { "content-type": "text/plain" },
      "owner_evidence_needed",
      1,
    ],
    ["a problem document without end", 400, PROBLEM, " ".repeat(100_000), 1],
    ["no right", 403, PROBLEM, problem("outside_ceiling"), 1],
    ["success", 200, {}, "", 1],
  ])("sends again at most once for %s", async (_name, status, headers, body, requests) => {
    const { origin, seen } = await answering(status, headers, body);
    const agent = await start();
    const answer = await agent.fetch(origin);
    expect([answer.status, await answer.text()]).toEqual([status, body]);
    expect(seen).toHaveLength(requests);
    const proofs = new Set(seen.map((one) => one.headers.authorization));
    expect(proofs.size).toBe(requests);
  });

  it("asks the proxy for a credential before it sends again", async () => {
    const { origin } = await answering(401, { "www-authenticate": "WPT" });
    const agent = await start();
    await agent.fetch(origin);
    expect(door.asked.map(({ path }) => path)).toEqual([
      "/v1/credential?wait=0",
      "/v1/proof",
      "/v1/credential?wait=0",
      "/v1/proof",
    ]);
  });

  it("follows no redirect, whatever it is told", async () => {
    const elsewhere = await answering(200, {});
    const { origin } = await answering(302, { location: elsewhere.origin });
    const agent = await start();
    const answer = await agent.fetch(origin, { redirect: "follow" });
    expect([answer.status, answer.headers.get("location")]).toEqual([302, elsewhere.origin]);
    expect(elsewhere.seen).toEqual([]);
  });

  it("sends evidence to the origin that asked, and to no other", async () => {
    const asking = await answering(400, PROBLEM, problem("owner_evidence_needed"));
    const other = await answering(200, {});
    const agent = await start();
    await agent.fetch(asking.origin);
    await agent.fetch(other.origin);
    expect(asking.seen[1]?.headers["agent-owner-evidence"]).toBeDefined();
    expect(other.seen[0]?.headers["agent-owner-evidence"]).toBeUndefined();
  });

  it("says itself what only it may say", async () => {
    const { origin, seen } = await answering(200, {});
    const agent = await start();
    await agent.fetch(origin, {
      headers: { "Workload-Identity-Token": "forged", "Agent-Owner-Evidence": "forged" },
    });
    expect(seen[0]?.headers["workload-identity-token"]).toBe(story.presented.wit);
    expect(seen[0]?.headers["agent-owner-evidence"]).toBeUndefined();
  });

  it("covers the context headers that it was told of", async () => {
    const { origin } = await answering(200, {});
    const agent = await start({ contextHeaders: ["Ctx-Token", "Other-Token"] });
    await agent.fetch(origin, { headers: { "Ctx-Token": "abc" } });
    expect(door.asked.at(-1)?.body).toMatchObject({ headers: { "ctx-token": "abc" } });
  });

  it.each<[string, ConnectOptions, RequestInit, string]>([
    ["a second Authorization", {}, { headers: { Authorization: "Bearer x" } }, "malformed_request"],
    [
      "an origin that is not listed",
      { origins: ["https://api.example.com"] },
      {},
      "outside_audiences",
    ],
  ])("refuses %s, and sends nothing", async (_name, options, init, code) => {
    const { origin, seen } = await answering(200, {});
    const agent = await start(options);
    const refused: unknown = await agent.fetch(origin, init).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused).toMatchObject({ code });
    expect(seen).toEqual([]);
    expect(door.asked).toHaveLength(1);
  });

  it("goes to an origin that is listed", async () => {
    const { origin, seen } = await answering(200, {});
    const agent = await start({ origins: [`${origin}/`] });
    expect((await agent.fetch(origin)).status).toBe(200);
    expect(seen).toHaveLength(1);
  });
});
