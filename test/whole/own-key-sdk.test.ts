import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  parseCertificate,
  pemDecode,
  Refusal,
  requestCode,
} from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { nodeCrypto as c, serve } from "../../packages/node/src/index.ts";
import { StandIn } from "../../packages/proxy/src/world.testing.ts";
import { connectWithOwnKey } from "../../packages/sdk/src/agent/connect-own-key.ts";
import type { OwnKeyAgent } from "../../packages/sdk/src/agent/connect-own-key.ts";
import type { ConnectOptions } from "../../packages/sdk/src/agent/index.ts";
import { relyingParty } from "../../packages/sdk/src/verify/index.ts";
import { publishedBundle } from "../../packages/server/src/cases/trust.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { seededRandom, textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

const OWN: Between = { entry: { custody: "agent" } };
const URL_CALLED = "https://mail.example.com/drafts";

/** The SDK at a real socket of the door of a whole. Its timers are moved by hand. */
class Desk {
  readonly whole: Whole;
  readonly timers: ManualTimers = new ManualTimers();
  readonly socket: string;
  readonly agents: OwnKeyAgent[] = [];
  readonly end: () => Promise<void>;

  constructor(whole: Whole, socket: string, end: () => Promise<void>) {
    this.whole = whole;
    this.socket = socket;
    this.end = end;
  }

  async connect(options: Partial<ConnectOptions> = {}): Promise<OwnKeyAgent> {
    const random = seededRandom("sdk");
    const platform = {
      random,
      after: (delayMs: number, run: () => void) => this.timers.after(delayMs, run),
    };
    const clock = this.whole.w.clock;
    const agent = await connectWithOwnKey({ socket: this.socket, clock, ...options }, platform);
    this.agents.push(agent);
    return agent;
  }

  /** An agent whose owner has approved it. */
  async held(): Promise<OwnKeyAgent> {
    const connecting = this.connect();
    await this.whole.until(async () => (await this.asked()) === 1);
    await this.whole.approve();
    return connecting;
  }

  async asked(): Promise<number> {
    return (await this.whole.scene.rig.world.store.asks({ state: "asked" })).length;
  }

  async issued(): Promise<number> {
    return (await this.whole.scene.rig.world.store.credentials()).length;
  }

  async halt(): Promise<void> {
    const halt = { scope: "entry", target: ENTRY_ID, reason: "" };
    await this.whole.scene.rig.call("admin", "POST /v1/halts", { json: halt });
    await this.whole.heard();
  }

  async pass(seconds: number): Promise<void> {
    await this.whole.pass(seconds);
    this.timers.advance(seconds * 1000);
  }
}

const desks: Desk[] = [];
/** @param eventsAfter when the door begins to answer who follows its events */
async function makeDesk(between: Between = OWN, eventsAfter?: Promise<void>): Promise<Desk> {
  const whole = await makeWhole(between);
  const folder = await mkdtemp(join(tmpdir(), "desk-"));
  const unix = join(folder, "door.sock");
  const listener = await serve({
    on: { unix, mode: 0o600 },
    app: async (request, context) => {
      if (request.url.endsWith("/v1/events")) await eventsAfter;
      return whole.app(request, context);
    },
    contextOf: () => ({ peer: new StandIn() }),
  });
  const desk = new Desk(whole, unix, async () => {
    for (const agent of desk.agents) agent.close();
    await listener.close(0);
    await whole.end();
    await rm(folder, { recursive: true });
  });
  desks.push(desk);
  return desk;
}
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.end();
});

const codeOf = async (run: Promise<unknown>): Promise<string> => {
  const error: unknown = await run.then(() => "none").catch((thrown: unknown) => thrown);
  return error instanceof Refusal ? error.code : String(error);
};

/** Serial of the certificate that would be shown. */
function serialOf(agent: OwnKeyAgent): string | undefined {
  const identity = agent.tlsIdentity();
  if (identity === undefined) return undefined;
  const [leaf = new Uint8Array()] = pemDecode(identity.cert, "CERTIFICATE", 4);
  return parseCertificate(leaf).serialHex;
}

describe("an agent of the SDK that holds its key", () => {
  it("waits for its owner, and proves itself to a relying party with the server switched off", async () => {
    const desk = await makeDesk();
    const codes: string[] = [];
    const connecting = desk.connect({ note: "hello", onWaiting: ({ code }) => codes.push(code) });
    await desk.whole.until(() => codes.length === 1);
    const [ask] = await desk.whole.scene.rig.world.store.asks();
    await desk.whole.approve();
    const agent = await connecting;
    expect(codes).toEqual([requestCode(c, ask?.request ?? "")]);
    const { owner, rig } = desk.whole.scene;
    const domain = {
      origin: "spiffe://example.org",
      bundle: await publishedBundle(rig.world),
      ownerPins: [{ jkt: owner.jkt }],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const party = relyingParty({
      trust: new Map([[domain.origin, domain]]),
      resources: ["https://mail.example.com"],
      clock: desk.whole.w.clock,
      contextHeaders: ["ctx-token"],
    });
    const headers = { "Ctx-Token": " abc " };
    const proof = await agent.proof({
      url: `${URL_CALLED}?q=1`,
      txn: "t",
      headers,
      evidence: true,
    });
    const caller = await party.verifyRequest({
      path: "/drafts?q=1",
      headers: [
        ["Workload-Identity-Token", proof.wit],
        ["Authorization", `WPT ${proof.wpt}`],
        ["Txn-Token", "t"],
        ["Ctx-Token", "abc"],
        ["Agent-Owner-Evidence", textOf(proof.evidence)],
      ],
    });
    expect(caller).toMatchObject({ agent: agent.id, proof: "verified", txnToken: "t" });
    expect(await codeOf(agent.proof({ url: "http://mail.example.com/" }))).toBe(
      "malformed_request",
    );
  });

  it("renews at half life with another key, and tells whoever shows it", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    let told = 0;
    agent.onTlsIdentity(() => (told += 1));
    const [before, key] = [serialOf(agent), agent.tlsIdentity()?.key];
    await desk.pass(404); // half, earlier by up to a tenth
    expect(told).toBe(0);
    await desk.pass(47);
    await desk.whole.until(() => told === 1);
    expect(await desk.issued()).toBe(2);
    expect([serialOf(agent) === before, agent.tlsIdentity()?.key === key]).toEqual([false, false]);
  });

  it("a lost server is tried again, what is held is good until it expires, and it comes back", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    desk.whole.wire.cut();
    await desk.pass(451);
    await desk.whole.until(() => desk.timers.delaysMs.length === 2);
    expect(serialOf(agent)).toBeDefined();
    await desk.pass(450);
    expect(agent.tlsIdentity()).toBeUndefined();
    desk.whole.wire.mend();
    await desk.whole.heard();
    for (let turn = 0; serialOf(agent) === undefined && turn < 50; turn += 1) await desk.pass(40);
    await desk.whole.until(() => serialOf(agent) !== undefined);
    expect(await desk.issued()).toBe(2);
  });

  it("a stop takes key and certificate away, tells, and is said to whoever asks", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    const halted: unknown[] = [];
    agent.on("halted", (what) => halted.push(what));
    await desk.whole.until(async () => (await agent.status()).state === "held");
    await desk.halt();
    await desk.whole.until(() => halted.length === 1);
    expect(agent.tlsIdentity()).toBeUndefined();
    expect(await codeOf(agent.proof({ url: URL_CALLED }))).toBe("halted");
    expect(await codeOf(agent.credential())).toBe("halted");
    await desk.pass(900);
    expect(await desk.issued()).toBe(1);
  });

  it("a stop that was told while nobody listened is heard of when the events are open", async () => {
    let open = (): void => undefined;
    const desk = await makeDesk(OWN, new Promise((resolve) => (open = resolve)));
    const agent = await desk.held();
    await desk.halt();
    expect(serialOf(agent)).toBeDefined();
    open();
    await desk.whole.until(() => agent.tlsIdentity() === undefined);
  });

  it("all who ask at once wait for one credential", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    await desk.whole.pass(895); // within the margin before its end
    const all = await Promise.all([
      agent.credential(),
      agent.credential(),
      agent.proof({ url: URL_CALLED }),
    ]);
    expect(all[0]).toBe(all[1]);
    expect(await desk.issued()).toBe(2);
  });

  it("an approval for one credential is not renewed: it ends", async () => {
    const grant = { use: "single", max_ttl: 900, max_live: 1, ceiling: [] };
    const desk = await makeDesk({ entry: { custody: "agent", grant } });
    const agent = await desk.held();
    await desk.pass(500);
    expect([await desk.issued(), await desk.asked()]).toEqual([1, 0]);
    await desk.pass(400);
    expect(agent.tlsIdentity()).toBeUndefined();
  });

  it("a program that changed is refused its renewal until the owner has said yes", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    const waiting: string[] = [];
    agent.on("waiting", ({ code }) => waiting.push(code));
    desk.whole.door.scripts.set(4711, 9);
    await desk.pass(451);
    await desk.whole.until(async () => (await desk.asked()) === 1);
    expect(serialOf(agent)).toBeDefined();
    await desk.whole.approve();
    await desk.whole.until(async () => (await desk.issued()) === 2);
  });

  it("is told where the registration leaves the key to the proxy", async () => {
    const desk = await makeDesk({});
    expect(await codeOf(desk.connect())).toBe("custody_mismatch");
  });

  it("closed, renews no more", async () => {
    const desk = await makeDesk();
    const agent = await desk.held();
    agent.close();
    await desk.pass(451);
    expect(await desk.issued()).toBe(1);
    expect(serialOf(agent)).toBeDefined();
  });
});
