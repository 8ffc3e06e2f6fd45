import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  agentId,
  base64url,
  buildCsr,
  pemEncode,
  proxyId,
  readCertsOnly,
  readEstBody,
  Refusal,
  thumbprint,
  utf8,
} from "@countersign/core";
import type { Bytes, Digest, PostedRequest, Signer } from "@countersign/core";
import {
  call,
  generatePrivateKey,
  generateSigner,
  nodeCrypto as c,
  nodeRandom,
  openTarget,
  privateKeyToPem,
  signerOf,
} from "@countersign/node";
import type { Target } from "@countersign/node";
import { enrolOwner, est, Host, joinSecret } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { DOMAIN, entryOf, readAnswer, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, CallOptions, Rig } from "../../packages/server/src/world.testing.ts";
import { Home } from "./countersign.ts";
import type { Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";

/** The answer did not come: what was asked may have been done or not. */
export class Lost extends Error {}

/** A server in a process of its own, reached through its sockets, in the form in which a server in memory is. */
export class Remote implements Pick<Rig, "call" | "now"> {
  readonly home: Home;
  readonly #api: string;
  readonly publicUrl: string;
  readonly #targets: Map<string, Target> = new Map();
  #root = "";
  running: Running;
  readonly world: { readonly random: typeof nodeRandom } = { random: nodeRandom };

  private constructor(
    home: Home,
    urls: { readonly api: string; readonly public: string },
    running: Running,
  ) {
    this.home = home;
    this.#api = urls.api;
    this.publicUrl = urls.public;
    this.running = running;
  }

  static async create(): Promise<Remote> {
    const home = await Home.create();
    const [api, open] = [await freePort(), await freePort()];
    const ports = ["--api-port", String(api), "--public-port", String(open)];
    await home.json(["server", "init", "--trust-domain", DOMAIN, ...ports]);
    const urls = { api: `https://127.0.0.1:${api}`, public: `http://127.0.0.1:${open}` };
    const remote = new Remote(home, urls, home.start(["server", "run"]));
    await remote.ready();
    const insecure = openTarget({ url: remote.#api, insecureAnyServer: true });
    const answer = await call(insecure, { method: "GET", path: "/.well-known/est/cacerts" });
    insecure.close();
    const [root = new Uint8Array()] = readCertsOnly(
      readEstBody(new TextDecoder().decode(answer.body), 65_536),
    );
    remote.#root = pemEncode("CERTIFICATE", root);
    remote.use("", openTarget({ url: remote.#api, ca: [remote.#root] }));
    return remote;
  }

  use(name: string, target: Target): void {
    this.#targets.get(name)?.close();
    this.#targets.set(name, target);
  }

  /** Calls with this certificate carry its key. */
  hold(certificate: Bytes, key: ReturnType<typeof generatePrivateKey>): void {
    const cert = pemEncode("CERTIFICATE", certificate);
    const identity = { ca: [this.#root], cert, key: privateKeyToPem(key) };
    this.use(base64url(certificate), openTarget({ url: this.#api, ...identity }));
  }

  async ready(): Promise<void> {
    await this.running.when("server.running", ({ err }) =>
      err.find((line) => line.includes('"event":"server.running"')),
    );
    const unix = join(this.home.data, "run", "server.sock");
    this.use("admin", openTarget({ unix }));
  }

  async start(): Promise<void> {
    this.begin();
    await this.ready();
  }

  begin(): void {
    this.running = this.home.start(["server", "run"]);
  }

  async kill(): Promise<void> {
    this.running.signal("SIGKILL");
    await this.running.ended;
  }

  now(): number {
    return Math.floor(Date.now() / 1000);
  }

  async call(
    app: "api" | "admin" | "public",
    what: string,
    options: CallOptions = {},
  ): Promise<Answered> {
    const [method = "", path = ""] = what.split(" ");
    const { certificate, json, raw, type, headers } = options;
    const target = this.#targets.get(
      app === "admin" ? app : certificate === undefined ? "" : base64url(certificate),
    );
    if (target === undefined) throw new Error("nobody holds that key");
    try {
      const answer = await call(target, {
        method: method as "GET" | "POST", // as the callers of people.testing.ts write it
        path,
        ...(json === undefined ? {} : { json: json as object }), // people.testing.ts posts objects
        ...(raw === undefined ? {} : { body: utf8(raw) }),
        headers: type === undefined ? { ...headers } : { ...headers, "content-type": type },
        maxBytes: 16_777_216,
      });
      const { status, body } = answer;
      return await readAnswer(
        new Response(new Uint8Array(body), { status, headers: { ...answer.headers } }),
      );
    } catch (error) {
      if (error instanceof Refusal) throw new Lost(error.message);
      throw error;
    }
  }

  /** As people.testing.ts wants it: it asks nothing else of a rig. */
  get rig(): Rig {
    return this as unknown as Rig;
  }

  async close(): Promise<void> {
    for (const target of this.#targets.values()) target.close();
    await this.home.close();
  }
}

/** Enrols a host with a key that this process holds. @returns the word of a refusal otherwise */
export async function enrolWith(
  remote: Remote,
  name: string,
  secret: string,
): Promise<Host | string> {
  const key = generatePrivateKey("P-256");
  const signer = signerOf(key);
  const id = proxyId(DOMAIN, name);
  const made = await est(remote.rig, "simpleenroll", {
    csr: await buildCsr(c, signer, id),
    secret,
  });
  if (typeof made === "string") return made;
  remote.hold(made, key);
  return new Host(remote.rig, id, signer, made);
}

/** One registered agent on the host, with the anchor of its installation. */
export interface Agent {
  readonly host: Host;
  readonly sub: string;
  readonly id: string;
  /** Of the newest approval that is known. */
  cs?: Digest | undefined;
  /** The open question, where there is one. */
  ask?: string | undefined;
}

/** A request as it was sent, and what came of it as far as we know. */
export interface Sent {
  readonly agent: Agent;
  readonly posted: PostedRequest;
  readonly req: Digest;
  readonly nonce: string;
  readonly key: Signer;
  readonly cs?: Digest | undefined;
  readonly at: number;
  answer?: Answered;
  /** Another request with the same nonce: at most one of the two may be done. */
  sibling?: Sent;
}

/** Everybody who talks to the server. */
export interface Cast {
  readonly remote: Remote;
  readonly owner: Owner;
  readonly agents: readonly Agent[];
}

const AGENTS = 3;

export async function makeCast(remote: Remote): Promise<Cast> {
  const secret = await joinSecret(remote.rig, { name: "host-1" });
  const first = await enrolWith(remote, "host-1", secret);
  if (typeof first === "string") throw new Error(first);
  const owner = await enrolOwner(remote.rig);
  const agents: Agent[] = [];
  for (let index = 0; index < AGENTS; index += 1) {
    const host = new Host(remote.rig, first.id, first.signer, first.certificate);
    const name = `agent-${index}`;
    const grant = { use: "standing", max_ttl: 900, max_live: 5000, ceiling: [] };
    const entry = entryOf({ name, owner: owner.id, grant });
    const { word } = await remote.call("admin", "POST /v1/entries", { json: entry });
    if (word !== "200") throw new Error(word);
    const sub = textOf(entry["id"]);
    agents.push({ host, sub, id: agentId(sub, thumbprint(c, host.anchor.key)) });
  }
  return { remote, owner, agents };
}

/** Makes a request; with a nonce or key of another one where it is given. */
export async function makeSent(
  agent: Agent,
  given: { cs?: Digest | undefined; nonce?: string; key?: Signer } = {},
): Promise<Sent> {
  const { cs } = given;
  const key = given.key ?? generateSigner();
  const nonce = given.nonce ?? (await agent.host.nonce());
  const posted = await agent.host.make({
    key,
    nonce,
    request: { sub: agent.sub },
    ...(cs === undefined ? {} : { cs }),
  });
  const req: Digest = `sha-256:${base64url(c.sha256(utf8(posted.request)))}`;
  return { agent, posted, req, nonce, key, cs, at: Date.now() };
}

/** Numbers between 0 and 1 that a seed repeats (mulberry32). */
export function drawFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Kills the server after this time, whatever it does. */
export async function killAfter(remote: Remote, milliseconds: number): Promise<void> {
  await pause(milliseconds);
  await remote.kill();
}
