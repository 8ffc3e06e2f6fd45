import { createHash, createHmac } from "node:crypto";
import {
  buildIssuingCa,
  buildRoot,
  entryId,
  isObject,
  parseCertificate,
  parseJson,
  Refusal,
  utf8,
  vkeyOf,
} from "@countersign/core";
import type { Bytes, Json, JsonObject, OwnerCa, Random, Seconds, Signer } from "@countersign/core";
import { createMetrics, generateSigner, nodeCrypto, silentLog } from "@countersign/node";
import type { GuardedFetch, Handler, Log, Timers } from "@countersign/node";
import { OwnerSessions } from "./cases/owner-sessions.ts";
import { configOf } from "./config.ts";
import type { ServerConfig, ServerFile } from "./config.ts";
import { OwnerFeed } from "./feed/owner-feed.ts";
import { StateFeed } from "./feed/state-feed.ts";
import { adminApp } from "./http/admin.ts";
import { apiApp } from "./http/api.ts";
import { consoleApp } from "./http/console.ts";
import type { ApiContext } from "./http/peer.ts";
import { publicApp } from "./http/public.ts";
import type { Site } from "./http/static-site.ts";
import { countAnswers, timeSignatures, watchCommits, watchServer } from "./metrics.ts";
import { Webhooks } from "./notices/webhooks.ts";
import { memoryCheckpoint } from "./store/checkpoint-file.ts";
import { openStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";
import type { IssuingCa, ServerKeys, World } from "./world.ts";

/** When every test begins. */
export const START: Seconds = 1_800_000_000;
export const DOMAIN = "example.org";
const DAY = 86_400;

/** Octets that are the same in every run and never the same twice in one. */
export function seededRandom(seed: string): Random {
  let count = 0;
  return (byteCount) => {
    const blocks: Buffer[] = [];
    for (let length = 0; length < byteCount; length += 32) {
      count += 1;
      blocks.push(createHash("sha256").update(`${seed} ${count}`).digest());
    }
    return new Uint8Array(Buffer.concat(blocks).subarray(0, byteCount));
  };
}

async function hierarchyOf(
  hierarchy: "agents" | "infrastructure",
  random: Random,
): Promise<IssuingCa & { readonly root: Bytes }> {
  const rootSigner = generateSigner();
  const signer = generateSigner();
  const common = { origin: `spiffe://${DOMAIN}`, hierarchy, name: DOMAIN, notBefore: START - 300 };
  const root = await buildRoot(
    nodeCrypto,
    { ...common, serial: random(20), notAfter: START + 3650 * DAY },
    rootSigner,
  );
  const der = await buildIssuingCa(
    nodeCrypto,
    {
      ...common,
      key: signer.key,
      serial: random(20),
      notAfter: START + 30 * DAY,
      issuer: parseCertificate(root),
    },
    rootSigner,
  );
  return { signer, certificate: parseCertificate(der), root };
}

/** What a test may have otherwise. */
export interface RigOptions {
  /** Two servers with different ones have nothing in common but their names. */
  readonly seed?: string;
  readonly config?: Partial<ServerFile>;
  /** Keys of a data directory, in place of such that lie nowhere. */
  readonly keys?: (
    config: ServerConfig,
    clock: () => Seconds,
  ) => Promise<{ readonly keys: ServerKeys; readonly logSigner: Signer }>;
  /** Of the state stream. Default: the event loop's. */
  readonly timers?: Timers;
  /** With what notices are pushed; default nothing. */
  readonly push?: World["push"];
  /** CAs of owners; default none. */
  readonly ownerCas?: readonly OwnerCa[];
  /** What webhooks are posted with. Default: nobody is there. */
  readonly fetch?: GuardedFetch;
  /** Default: nobody reads it. */
  readonly log?: Log;
  /** Stands before the store: `faulty`, or one that lets something happen in between. */
  readonly wrap?: (store: Store) => Store;
}

export interface CallOptions {
  readonly json?: unknown;
  /** In place of `json`: octets as they are. */
  readonly raw?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** DER of the client certificate that TLS verified. */
  readonly certificate?: Bytes;
  /** Whom a listener takes the caller for. */
  readonly address?: string;
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON object, or an empty one. */
  readonly body: JsonObject;
  /** `reason` of a problem document, else the status. */
  readonly word: string;
}

/** In place of the built pages. */
const PAGES_OF_CONSOLE: Site = new Map([
  ["/index.html", { octets: utf8("<!doctype html>"), type: "text/html; charset=utf-8" }],
  ["/push/worker.js", { octets: utf8(""), type: "text/javascript; charset=utf-8" }],
  ["/assets/a.js", { octets: utf8("export {};"), type: "text/javascript; charset=utf-8" }],
]);

/** A whole server in memory: the four applications, a clock that stands still, keys that lie nowhere. */
export interface Rig {
  readonly world: World;
  readonly feed: StateFeed;
  readonly owners: OwnerFeed;
  readonly webhooks: Webhooks;
  /** The admin socket's application; `call` reads whole answers, which streams are not. */
  readonly admin: Handler<object>;
  readonly logSize: () => Promise<number>;
  now(): Seconds;
  advance(seconds: Seconds): void;
  api: Handler<ApiContext>;
  call(
    app: "api" | "admin" | "public" | "console",
    what: string,
    options?: CallOptions,
  ): Promise<Answered>;
  close(): Promise<void>;
}

/** A string or number of an answer as text; anything else is none. */
export function textOf(value: Json | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

export async function readAnswer(response: Response): Promise<Answered> {
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const parsed: Json =
    type.includes("json") && text !== ""
      ? parseJson(text, { maxBytes: 4_194_304, maxDepth: 16 })
      : {};
  const body = isObject(parsed) ? parsed : {};
  const reason = body["reason"];
  const word =
    type.startsWith("application/problem+json") && typeof reason === "string"
      ? reason
      : String(response.status);
  return { status: response.status, type, headers: response.headers, text, body, word };
}

function requestOf(what: string, options: CallOptions): Request {
  const [method = "", path = ""] = what.split(" ");
  const body =
    options.raw ?? (options.json === undefined ? undefined : JSON.stringify(options.json));
  return new Request(`https://server.test${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": options.type ?? "application/json" }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

/** Keys that lie nowhere. */
export async function keysOf(
  random: Random,
  logOrigin: string,
): Promise<{ keys: ServerKeys; logSigner: ReturnType<typeof generateSigner> }> {
  const agents = await hierarchyOf("agents", random);
  const infrastructure = await hierarchyOf("infrastructure", random);
  const logSigner = generateSigner("Ed25519");
  const nonceKey = random(32);
  return {
    logSigner,
    keys: {
      agents,
      infrastructure,
      infrastructureIssuers: [infrastructure.certificate],
      agentsRoot: agents.root,
      infrastructureRoot: infrastructure.root,
      wit: [{ signer: generateSigner(), nbf: START - 300, exp: START + 30 * DAY }],
      logVkey: vkeyOf(nodeCrypto, logOrigin, logSigner.key),
      mac: (data) => new Uint8Array(createHmac("sha256", nonceKey).update(data).digest()),
    },
  };
}

const nobodyIsThere: GuardedFetch = () => Promise.reject(new Refusal("unreachable"));

/** Makes the server. */
export async function makeRig(options: RigOptions = {}): Promise<Rig> {
  let now = START;
  const clock = (): Seconds => now;
  const random = seededRandom(options.seed ?? "server");
  const config = configOf({
    trust_domain: DOMAIN,
    api_host: "127.0.0.1",
    api_port: 8443,
    public_host: "127.0.0.1",
    public_port: 8080,
    console_host: "127.0.0.1",
    dns: [],
    ips: ["127.0.0.1"],
    policy: "standard",
    development: false,
    ...options.config,
  });
  const { keys, logSigner } = await (options.keys?.(config, clock) ??
    keysOf(random, config.logOrigin));
  const metrics = createMetrics();
  const opened = await openStore({
    path: ":memory:",
    checkpointFile: memoryCheckpoint(),
    crypto: nodeCrypto,
    logSigner,
    origin: config.logOrigin,
    now: clock,
    watch: watchCommits(metrics),
  });
  const store = options.wrap?.(opened) ?? opened;
  const log = options.log ?? silentLog;
  const { ownerCas = [] } = options;
  const push = options.push === undefined ? {} : { push: options.push };
  const world: World = {
    c: nodeCrypto,
    random,
    clock,
    store,
    keys,
    config,
    ownerCas,
    ...push,
    log,
    onSigned: timeSignatures(metrics),
  };
  const feed = new StateFeed(world, options.timers);
  const owners = new OwnerFeed(world, options.timers);
  const webhooks = new Webhooks(world, options.fetch ?? nobodyIsThere);
  const counted = countAnswers(metrics);
  const readings = watchServer(metrics, world, feed);
  const api = counted("api", apiApp(world, feed));
  const apps = {
    admin: counted("admin", adminApp(world, readings, owners, undefined, webhooks)),
    public: counted("public", publicApp(world)),
    console: counted(
      "console",
      consoleApp(world, {
        feed: owners,
        heeded: feed.heeded,
        sessions: new OwnerSessions(nodeCrypto, random),
        site: PAGES_OF_CONSOLE,
      }),
    ),
  };
  return {
    world,
    feed,
    owners,
    webhooks,
    admin: apps.admin,
    api,
    now: clock,
    advance: (seconds) => {
      now += seconds;
    },
    logSize: async () => (await opened.logRows(0, 1000)).length,
    call: async (app, what, given = {}) => {
      const request = requestOf(what, given);
      const context = given.certificate === undefined ? {} : { certificate: given.certificate };
      const from = given.address === undefined ? {} : { address: given.address };
      return readAnswer(await (app === "api" ? api(request, context) : apps[app](request, from)));
    },
    close: async () => {
      feed.close();
      owners.close();
      await opened.close();
    },
  };
}

/** The wire form of an entry with nothing special about it. */
export function entryOf(change: JsonObject = {}): JsonObject {
  const { name = "mailer", ...rest } = change;
  return {
    id: entryId(DOMAIN, textOf(name)),
    proxy: `spiffe://${DOMAIN}/proxy/host-1`,
    uid: 1001,
    door: "run",
    facts: [],
    pins: [],
    interpreter_options: [],
    audiences: ["https://mail.example.com/"],
    binding: "owner",
    grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling: [] },
    evidence: "public",
    offline_proofs: true,
    insecure_same_uid: false,
    insecure_soft_key_standing: false,
    ...rest,
  };
}
