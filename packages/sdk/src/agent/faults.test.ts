import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Refusal } from "@countersign/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeStory, NOW } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import { connect } from "./connect.ts";
import type { Agent, ConnectOptions } from "./connect.ts";
import { openFakeDoor } from "./fake-door.testing.ts";
import type { FakeDoor, Scripted } from "./fake-door.testing.ts";

const WAITING: Scripted = {
  status: 202,
  value: { state: "waiting", code: "9DD6X-2QK7M", deadline: NOW + 60, next: "x", reasons: [] },
};

let story: Story;
let door: FakeDoor;
const agents: Agent[] = [];
const servers: Server[] = [];
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

/** The code of the refusal, or what else it was. */
const wordOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "done",
    (error: unknown) => (error instanceof Refusal ? error.code : "another error"),
  );

/** A service that loses its answers, so many times. */
async function losing(
  many: number,
): Promise<{ readonly url: string; readonly seen: () => number }> {
  let seen = 0;
  const server = createServer((_request, response) => {
    seen += 1;
    if (seen <= many) response.destroy();
    else response.end("hello");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return { url: `http://127.0.0.1:${port}/`, seen: () => seen };
}

// whether the proxy did what it was asked for is not to be seen from here: both ways look like this
describe("the proxy's answer is lost", () => {
  it("at the first call: said, with what to do; the next try connects", async () => {
    door.script.set("/v1/credential", ["cut"]);
    expect(await wordOf(start())).toBe("unreachable");
    expect((await start()).id).toBe(story.agent);
  });

  it.each<[string, Scripted]>([
    ["cut off", "cut"],
    ["refused for now", { refuse: "indeterminate" }],
  ])("while its owner is asked (%s): the agent goes on waiting", async (_name, lost) => {
    door.script.set("/v1/credential", [WAITING, lost, WAITING]);
    const told: unknown[] = [];
    const agent = await start({ onWaiting: (waiting) => told.push(waiting) });
    expect([agent.id, told.length]).toEqual([story.agent, 1]);
  });

  it("while its owner is asked, and nobody has time left: said", async () => {
    door.script.set("/v1/credential", [WAITING, "cut"]);
    let now = NOW;
    expect(await wordOf(start({ waitSeconds: 20, clock: () => (now += 6) }))).toBe("unreachable");
  });

  it("while its owner is asked, and was refused since: said at once", async () => {
    door.script.set("/v1/credential", [WAITING, { refuse: "approval_denied" }]);
    expect(await wordOf(start())).toBe("approval_denied");
  });

  it("of a proof: said; the next one is another proof", async () => {
    const agent = await start();
    const url = "https://mail.example.com/";
    const before = await agent.proof({ url });
    door.script.set("/v1/proof", ["cut"]);
    expect(await wordOf(agent.proof({ url }))).toBe("unreachable");
    expect((await agent.proof({ url })).wpt).not.toBe(before.wpt);
  });

  it("of its status: said", async () => {
    const agent = await start();
    door.script.set("/v1/status", ["cut"]);
    expect(await wordOf(agent.status())).toBe("unreachable");
    expect(await agent.status()).toMatchObject({ state: "held" });
  });

  it("before a request: nothing is sent to the service", async () => {
    const { url, seen } = await losing(0);
    const agent = await start();
    door.script.set("/v1/proof", ["cut"]);
    expect(await wordOf(agent.fetch(url))).toBe("unreachable");
    expect(seen()).toBe(0);
    expect(await (await agent.fetch(url)).text()).toBe("hello");
  });
});

describe("the service's answer is lost", () => {
  it("the request is not sent again by itself: it may have been done", async () => {
    const { url, seen } = await losing(1);
    const agent = await start();
    expect(await wordOf(agent.fetch(url, { method: "POST", body: "pay" }))).toBe("another error");
    expect(seen()).toBe(1);
    expect(await (await agent.fetch(url, { method: "POST", body: "pay" })).text()).toBe("hello");
  });
});

describe("T9: the agent's clock", () => {
  it.each([3600, -3600])(
    "is off by %i s: the proxy dates what counts, so calls go through",
    async (skew) => {
      const { url } = await losing(0);
      const agent = await start({ clock: () => NOW + skew });
      expect((await agent.fetch(url)).status).toBe(200);
    },
  );

  it("is set back while it runs: a service that calls the token old gets a fresh one", async () => {
    let now = NOW;
    const agent = await start({ clock: () => now });
    now -= 3600;
    const answers = [401, 200];
    const server = createServer((_request, response) => {
      response.writeHead(answers.shift() ?? 500, { "www-authenticate": "WPT" }).end();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo; // it listens on a port
    const asked = (): number =>
      door.asked.filter(({ path }) => path.startsWith("/v1/credential")).length;
    const before = asked();
    expect((await agent.fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(asked()).toBe(before + 1);
  });
});
