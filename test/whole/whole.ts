import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Refusal } from "../../packages/core/src/index.ts";
import type { JsonObject, ProxyState, Random } from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { handlerTarget, silentLog } from "../../packages/node/src/index.ts";
import type { Handler, Incoming, Log, Target } from "../../packages/node/src/index.ts";
import { Agents } from "../../packages/proxy/src/agents/agents.ts";
import type { Anchors } from "../../packages/proxy/src/keys/anchors.ts";
import { doorApp } from "../../packages/proxy/src/http/door.ts";
import type { DoorContext } from "../../packages/proxy/src/http/door.ts";
import { Presigned } from "../../packages/proxy/src/presigned/presigned.ts";
import { uplinkOf } from "../../packages/proxy/src/uplink/server.ts";
import type { Uplink } from "../../packages/proxy/src/uplink/server.ts";
import { ServerState } from "../../packages/proxy/src/uplink/state.ts";
import { timeKeeper } from "../../packages/proxy/src/uplink/time.ts";
import type { ProxyWorld } from "../../packages/proxy/src/world.ts";
import {
  identityOf,
  makeWorld,
  StandIn,
  StandInDoor,
} from "../../packages/proxy/src/world.testing.ts";
import { makeScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { readAnswer, seededRandom } from "../../packages/server/src/world.testing.ts";
import type { Answered, RigOptions } from "../../packages/server/src/world.testing.ts";

/** A connection that the test can cut, and what passes over it changed. */
class Wire implements Target {
  readonly #inner: Target;
  #cut: () => void = () => undefined;
  #isCut: Promise<"cut">;
  isOpen = true;

  constructor(inner: Target) {
    this.#inner = inner;
    this.#isCut = new Promise((resolve) => (this.#cut = () => resolve("cut")));
  }

  cut(): void {
    this.isOpen = false;
    this.#cut();
  }

  mend(): void {
    this.isOpen = true;
    this.#isCut = new Promise((resolve) => (this.#cut = () => resolve("cut")));
  }

  async send(request: Parameters<Target["send"]>[0]): Promise<Incoming> {
    if (!this.isOpen) throw new Refusal("unreachable", "cut");
    const incoming = await this.#inner.send(request);
    return { ...incoming, chunks: this.#chunks(incoming) };
  }

  close(): void {
    this.#inner.close();
  }

  async *#chunks(incoming: Incoming): AsyncGenerator<Uint8Array> {
    const chunks = incoming.chunks[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([chunks.next(), this.#isCut]);
      if (next === "cut") throw new Refusal("unreachable", "cut");
      if (next.done === true) return;
      yield next.value;
    }
  }
}

/** What a test may put between proxy and server. */
export interface Between {
  /** Sees the state before the proxy does. */
  readonly state?: (state: ProxyState) => ProxyState;
  readonly uplink?: (uplink: Uplink) => Uplink;
  /** What the proxy calls in place of the server. */
  readonly gateway?: (scene: Scene) => Promise<Target>;
  readonly entry?: JsonObject;
  readonly server?: RigOptions;
  /** Stands before the anchors' files. */
  readonly anchors?: (anchors: Anchors) => Anchors;
  /** How far the clock of the proxy's host is from the server's; may be set again at any time. Default 0. */
  readonly host?: { skewSeconds: number };
  readonly log?: Log;
  /** The proxy's. Default: seeded. */
  readonly random?: Random;
}

/** A server and a proxy joined by functions: one door, the processes behind it stand-ins. */
export class Whole {
  readonly scene: Scene;
  readonly w: ProxyWorld;
  readonly agents: Agents;
  readonly presigned: Presigned;
  /** The proxy's data. */
  readonly folder: string;
  readonly timers: ManualTimers;
  readonly wire: Wire;
  readonly door: StandInDoor = new StandInDoor(ENTRY_ID);
  readonly app: Handler<DoorContext>;
  readonly #pushed: () => number;
  readonly #end: () => Promise<void>;

  constructor(parts: {
    scene: Scene;
    w: ProxyWorld;
    agents: Agents;
    presigned: Presigned;
    folder: string;
    timers: ManualTimers;
    wire: Wire;
    pushed: () => number;
    end: () => Promise<void>;
  }) {
    this.scene = parts.scene;
    this.w = parts.w;
    this.agents = parts.agents;
    this.presigned = parts.presigned;
    this.folder = parts.folder;
    this.timers = parts.timers;
    this.wire = parts.wire;
    this.app = doorApp(parts.w, parts.agents, this.door);
    this.#pushed = parts.pushed;
    this.#end = parts.end;
  }

  /** A call through the door, by the process of this number. */
  async call(what: string, json?: unknown, pid = 4711): Promise<Answered> {
    const [method = "", path = ""] = what.split(" ");
    const body = json === undefined ? undefined : JSON.stringify(json);
    const init =
      body === undefined ? {} : { body, headers: { "content-type": "application/json" } };
    const request = new Request(`http://door${path}`, { method, ...init });
    return readAnswer(await this.app(request, { peer: new StandIn(pid) }));
  }

  credential(pid?: number, note?: string): Promise<Answered> {
    return this.call("POST /v1/credential", note === undefined ? {} : { note }, pid);
  }

  proof(aud = "https://mail.example.com/", pid?: number): Promise<Answered> {
    return this.call("POST /v1/proof", { aud }, pid);
  }

  async status(pid?: number): Promise<JsonObject> {
    return (await this.call("GET /v1/status", undefined, pid)).body;
  }

  /** Gives what was sent time to arrive, without a clock. */
  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let turn = 0; turn < 2000; turn += 1) {
      if (await isSo()) return;
      await this.#turn();
    }
    throw new Error("it never came to be so");
  }

  /** Runs what is due now, and lets everything that waits for nothing else go on. */
  async #turn(): Promise<void> {
    this.timers.advance(0);
    await new Promise((resolve) => setTimeout(resolve)); // zero: a whole turn of the event loop
  }

  /** Waits until the proxy has heard of every change that concerns it. */
  async heard(): Promise<void> {
    await this.until(() => (this.w.server().state?.seq ?? 0) >= this.#pushed());
    for (let turn = 0; turn < 10; turn += 1) await this.#turn();
  }

  /** Asks, and the owner approves the question that is open. */
  async approve(): Promise<void> {
    const [ask] = await this.scene.rig.world.store.asks({ state: "asked" });
    if (ask === undefined) throw new Error("nobody asks");
    await this.scene.owner.approve(ask.id);
    await this.heard();
  }

  /** Moves both clocks. */
  async pass(seconds: number): Promise<void> {
    this.scene.rig.advance(seconds);
    this.timers.advance(seconds * 1000);
    await this.heard();
  }

  end(): Promise<void> {
    return this.#end();
  }
}

export async function makeWhole(between: Between = {}): Promise<Whole> {
  const scene = await makeScene(between.server, between.entry);
  const { rig, host } = scene;
  const folder = await mkdtemp(join(tmpdir(), "whole-"));
  const timers = new ManualTimers();
  const log = between.log ?? silentLog;
  const time = timeKeeper(log, () => rig.now() + (between.host?.skewSeconds ?? 0));
  const server = new ServerState(time.clock);
  const { certificate } = host;
  const straight = handlerTarget((request) => rig.api(request, { certificate }));
  const wire = new Wire((await between.gateway?.(scene)) ?? straight);
  const plain = uplinkOf(wire);
  const uplink = between.uplink?.(plain) ?? plain;
  const see = (): ReturnType<ServerState["view"]> => {
    const view = server.view();
    return view.state === undefined
      ? view
      : { ...view, state: between.state?.(view.state) ?? view.state };
  };
  const made = makeWorld({
    folder,
    identity: identityOf(host.id, host.signer, host.certificate),
    clock: time.clock,
    adoptTime: time.adopt,
    log,
    timers,
    random: between.random ?? seededRandom("proxy"),
    uplink: () => uplink,
    server: see,
  });
  const w = { ...made, anchors: between.anchors?.(made.anchors) ?? made.anchors };
  const agents = new Agents(w);
  const presigned = new Presigned(w, agents, folder);
  const ended = new AbortController();
  const following = server.follow(wire, {
    signal: ended.signal,
    random: (byteCount) => new Uint8Array(byteCount), // connects again at once
    log,
    adoptTime: time.adopt,
    answerBeat: (word) => uplink.beat(word),
    onState: async () => {
      const { state } = see();
      if (state !== undefined) await agents.onState(state);
      presigned.bring();
    },
  });
  const end = async (): Promise<void> => {
    ended.abort();
    presigned.close();
    agents.close();
    await rig.close();
    await following;
    await rm(folder, { recursive: true });
  };
  let size = 1;
  rig.world.store.subscribe((release) => {
    if (release.changed === "all" || release.changed.includes(host.id)) size = release.size;
  });
  const whole = new Whole({
    scene,
    w,
    agents,
    presigned,
    folder,
    timers,
    wire,
    end,
    pushed: () => size,
  });
  await whole.heard();
  return whole;
}
