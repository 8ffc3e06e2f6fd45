import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { makeStory, NOW } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import { connect } from "./connect.ts";
import type { Agent, AgentEvents, ConnectOptions } from "./connect.ts";
import { openDoor } from "./door.ts";
import { followEvents } from "./events.ts";
import { credentialOf, openFakeDoor } from "./fake-door.testing.ts";
import type { FakeDoor, Scripted } from "./fake-door.testing.ts";

const CODE = "9DD6X-2QK7M";
const WAITING: Scripted = {
  status: 202,
  value: { state: "waiting", code: CODE, deadline: NOW + 3600, next: "Approve it.", reasons: [] },
};

let story: Story;
let door: FakeDoor;
const agents: Agent[] = [];
beforeEach(async () => {
  story = await makeStory();
  door = await openFakeDoor(story);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.close();
  await door.close();
});

async function start(options: Partial<ConnectOptions> = {}): Promise<Agent> {
  const agent = await connect({ socket: door.socket, clock: () => NOW, ...options });
  agents.push(agent);
  return agent;
}
const refusal = async (run: Promise<unknown>): Promise<Refusal> => {
  const error: unknown = await run.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Refusal);
  return error as Refusal; // asserted above
};
const pathsAsked = (): readonly string[] => door.asked.map(({ path }) => path);

describe("connect", () => {
  it("holds a credential and names the agent", async () => {
    const agent = await start({ note: "sends mail" });
    expect(agent.id).toBe(story.agent);
    expect(door.asked).toEqual([{ path: "/v1/credential?wait=0", body: { note: "sends mail" } }]);
    const { expires_at: expiresAt, ...credential } = credentialOf(story);
    expect(await agent.credential()).toEqual({ ...credential, expiresAt });
  });

  it("says that the owner is asked, once for each code, and waits", async () => {
    door.script.set("/v1/credential", [WAITING, WAITING]);
    const told: unknown[] = [];
    let now = NOW;
    await start({ clock: () => (now += 1), onWaiting: (waiting) => told.push(waiting) });
    expect(told).toEqual([{ code: CODE, deadline: NOW + 3600, next: "Approve it." }]);
    expect(pathsAsked()).toEqual([
      "/v1/credential?wait=0",
      "/v1/credential?wait=300",
      "/v1/credential?wait=300",
    ]);
  });

  it("waits no longer than it is told to, and says what to do", async () => {
    door.script.set("/v1/credential", [WAITING]);
    const refused = await refusal(start({ waitSeconds: 0 }));
    expect([refused.code, refused.next]).toEqual(["waiting_for_owner", "Approve it."]);
  });

  it("ends with its signal", async () => {
    const ended = new AbortController();
    door.script.set("/v1/credential", [WAITING, "hold"]);
    const reason = new Error("enough");
    const connecting = start({ signal: ended.signal, onWaiting: () => ended.abort(reason) });
    await expect(connecting).rejects.toBe(reason);
  });

  it.each<[string, Scripted, string, string | undefined]>([
    [
      "a denial",
      { refuse: "approval_denied" },
      "approval_denied",
      "Talk to the owner; the agent may ask again later.",
    ],
    [
      "words that would move a terminal's cursor",
      { refuse: "halted", next: "\u001B[2Jask\nme" },
      "halted",
      "?[2Jask?me",
    ],
    [
      "a reason that is not known",
      {
        status: 418,
        type: "application/problem+json",
        octets: '{"reason":"teapot","next":"tea"}',
      },
      "unreachable",
      undefined,
    ],
    [
      "an answer of somebody else",
      { status: 502, type: "text/html", octets: "<html>" },
      "unreachable",
      undefined,
    ],
    [
      "an answer that is not JSON",
      { status: 200, type: "application/json", octets: "{" },
      "malformed_json",
      undefined,
    ],
    ["an answer without a credential", { status: 200, value: {} }, "unreachable", undefined],
    [
      "an answer without end",
      { status: 200, type: "application/json", octets: " ".repeat(300_000) },
      "too_large",
      undefined,
    ],
  ])("is refused by %s", async (_name, answer, code, next) => {
    door.script.set("/v1/credential", [answer]);
    const refused = await refusal(start());
    expect([refused.code, refused.next]).toEqual([code, next]);
  });

  it("says how to start a program that has no socket", async () => {
    const refused = await refusal(connect({ socket: "" }));
    expect(refused.code).toBe("configuration_invalid");
    expect(refused.next).toContain("countersign run");
  });

  it("says that nobody answers", async () => {
    expect((await refusal(connect({ socket: `${door.socket}.gone` }))).code).toBe("unreachable");
  });
});

describe("credential", () => {
  it("is asked for once, however often it is used", async () => {
    const agent = await start();
    await Promise.all([agent.credential(), agent.credential(), agent.credential()]);
    expect(door.asked).toHaveLength(1);
  });

  it.each([
    ["while it lives", 589, 1],
    ["near its end", 590, 2],
    ["after its end", 601, 2],
  ])("%s", async (_name, later, calls) => {
    let now = NOW;
    const agent = await start({ clock: () => now });
    now = NOW + later;
    await Promise.all([agent.credential(), agent.credential()]);
    expect(door.asked).toHaveLength(calls);
  });

  it("is renewed without the caller noticing", async () => {
    const agent = await start();
    await door.followers(1);
    const renewed = new Promise<AgentEvents["credential"]>((resolve) =>
      agent.on("credential", resolve),
    );
    door.emit(`event: credential\ndata: {"id":"${agent.id}","expires_at":${NOW + 900}}\n\n`);
    expect(await renewed).toEqual({ id: agent.id, expiresAt: NOW + 900 });
    const fresh = { ...credentialOf(story), expires_at: NOW + 900 };
    door.script.set("/v1/credential", [{ status: 200, value: fresh }]);
    expect((await agent.credential()).expiresAt).toBe(NOW + 900);
  });

  it("is not given once the agent was stopped", async () => {
    const agent = await start();
    await door.followers(1);
    const stopped = new Promise((resolve) => agent.on("halted", resolve));
    door.emit('event: halted\ndata: {"reason":"halted","next":"Ask Alice."}\n\n');
    expect(await stopped).toEqual({ reason: "halted", next: "Ask Alice." });
    door.script.set("/v1/credential", [{ refuse: "halted" }]);
    expect((await refusal(agent.credential())).code).toBe("halted");
  });
});

describe("proof", () => {
  it("asks for exactly what is sent", async () => {
    const agent = await start();
    const proof = await agent.proof({
      url: "https://Mail.example.com/drafts?secret=1#x",
      txn: "txn",
      headers: { "Ctx-Token": " abc " },
      evidence: true,
    });
    expect(door.asked.at(-1)).toEqual({
      path: "/v1/proof",
      body: {
        aud: "https://mail.example.com/drafts",
        txn: "txn",
        headers: { "ctx-token": "abc" },
        evidence: true,
      },
    });
    expect(proof).toMatchObject({ wit: story.presented.wit, expiresAt: NOW + 30 });
    expect(proof.evidence).toBeDefined();
  });

  it("asks for neither evidence nor headers unasked", async () => {
    const agent = await start();
    const proof = await agent.proof({ url: "https://mail.example.com/" });
    expect(door.asked.at(-1)?.body).toEqual({ aud: "https://mail.example.com/" });
    expect(proof.evidence).toBeUndefined();
  });

  it("gets a credential first where there is none any more", async () => {
    const agent = await start();
    door.script.set("/v1/proof", [{ refuse: "no_credential" }]);
    await agent.proof({ url: "https://mail.example.com/" });
    expect(pathsAsked()).toEqual([
      "/v1/credential?wait=0",
      "/v1/proof",
      "/v1/credential?wait=0",
      "/v1/proof",
    ]);
  });

  it.each(["outside_audiences", "outside_ceiling", "rate_limited", "offline"] as const)(
    "is refused as the proxy refuses: %s",
    async (code) => {
      const agent = await start();
      door.script.set("/v1/proof", [{ refuse: code }]);
      expect((await refusal(agent.proof({ url: "https://mail.example.com/" }))).code).toBe(code);
    },
  );
});

describe("status and events", () => {
  it("says what the proxy holds", async () => {
    const agent = await start();
    expect(await agent.status()).toEqual({
      entry: "spiffe://example.org/agent/mailer",
      state: "held",
      agent: story.agent,
    });
  });

  it("stops telling a listener that has left, and tells the others though one throws", async () => {
    const agent = await start();
    await door.followers(1);
    const told: string[] = [];
    const leave = agent.on("waiting", () => told.push("left"));
    leave();
    const warned = new Promise((resolve) => process.once("warning", resolve));
    agent.on("waiting", () => {
      throw new Error("a listener's own fault");
    });
    const waiting = new Promise((resolve) => agent.on("waiting", resolve));
    door.emit(`:\n\nevent: waiting\r\ndata: {"code":"${CODE}","deadline":1,"next":"x"}\r\n\r\n`);
    expect(await waiting).toEqual({ code: CODE, deadline: 1, next: "x" });
    await warned;
    expect(told).toEqual([]);
  });

  it("are followed again when the stream is lost, split anywhere", async () => {
    const ended = new AbortController();
    const heard: string[] = [];
    const second = new Promise<void>((resolve) => {
      void followEvents(
        openDoor(door.socket),
        ({ data }) => {
          heard.push(data);
          if (heard.length === 2) resolve();
        },
        ended.signal,
        { firstDelayMs: 1 },
      );
    });
    await door.followers(1);
    door.emit("event: a\nda");
    door.emit("ta: one\n\n");
    while (heard.length < 1) await new Promise((resolve) => setImmediate(resolve));
    door.drop();
    await door.followers(2);
    door.emit("data: two\n\n");
    await second;
    ended.abort();
    expect(heard).toEqual(["one", "two"]);
  });
});
