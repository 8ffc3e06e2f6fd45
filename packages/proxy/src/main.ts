import { chmod, mkdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fromUtf8, pemDecode, readJoinToken, Refusal } from "@countersign/core";
import type { ProxyState } from "@countersign/core";
import type { Listener, Log } from "@countersign/node";
import {
  nodeCrypto,
  nodeRandom,
  openTarget,
  parseConfig,
  privateDirectory,
  readPrivateFile,
  serve,
  systemClock,
  systemTimers,
  writePrivateFile,
} from "@countersign/node";
import { Agents } from "./agents/agents.ts";
import { PROXY_SCHEMA, uphillOf } from "./config.ts";
import type { ProxyFile, Uphill } from "./config.ts";
import type { Door, Listening as DoorListening } from "./doors/door.ts";
import { FixedDoors } from "./doors/fixed.ts";
import { doorSecret } from "./doors/name.ts";
import { RunDoors } from "./doors/run.ts";
import { askByApi } from "./facts/container.ts";
import { hostFacts } from "./facts/host.ts";
import { makeUndumpable, peerOfSocket } from "./facts/peer.ts";
import type { Peer } from "./facts/peer.ts";
import type { Sources } from "./facts/surroundings.ts";
import { askByBusctl } from "./facts/systemd.ts";
import { adminApp } from "./http/admin.ts";
import { doorApp } from "./http/door.ts";
import { mayServe, OpenRuns, runApp } from "./http/run.ts";
import { Anchors } from "./keys/anchors.ts";
import { loadIdentity, saveIdentity } from "./keys/identity.ts";
import { Presigned } from "./presigned/presigned.ts";
import { enrol, reenrol } from "./uplink/enrol.ts";
import { Link } from "./uplink/link.ts";
import { PinnedPages } from "./uplink/pages.ts";
import { pagesFile } from "./uplink/pages-file.ts";
import { renewalBy } from "./uplink/renewal.ts";
import { openServer } from "./uplink/server.ts";
import { ServerState } from "./uplink/state.ts";
import { timeKeeper } from "./uplink/time.ts";
import type { TimeKeeper } from "./uplink/time.ts";
import type { ProxyWorld } from "./world.ts";

export { PROXY_SCHEMA } from "./config.ts";
export { peerOfSocket } from "./facts/peer.ts";

const CONFIG_FILE = "proxy.yaml";
const MAX_CONFIG_BYTES = 65_536;
const RENEW_AFTER_SECONDS = 86_400;
const LOOK_AT_IDENTITY_MS = 3_600_000;
export const PROXY_SOCKET = "proxy.sock";
export const RUN_SOCKET = "run.sock";
const VERSION = "0.1.0";

/**
 * Enrols this host with a join token and writes identity and configuration.
 * @throws Refusal as `enrol`; `private_mode`
 */
export async function enrolProxy(
  data: string,
  token: string,
  isDevelopment: boolean,
): Promise<{ readonly name: string; readonly trustDomain: string }> {
  const read = readJoinToken(token, systemClock());
  await privateDirectory(data);
  const enrolled = await enrol(nodeCrypto, read, systemClock());
  await saveIdentity(data, enrolled);
  const file = {
    trust_domain: read.td,
    name: read.name,
    api_url: read.api,
    development: isDevelopment,
  };
  const yaml = Object.entries(file).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  await writePrivateFile(join(data, CONFIG_FILE), yaml.join(""));
  return { name: read.name, trustDomain: read.td };
}

async function readConfiguration(data: string): Promise<ProxyFile> {
  const octets = await readPrivateFile(join(data, CONFIG_FILE), MAX_CONFIG_BYTES);
  if (octets === undefined)
    throw new Refusal(
      "configuration_invalid",
      "no proxy here",
      "Enrol this host first: countersign proxy enroll --token-file FILE.",
    );
  await privateDirectory(data); // whoever may write there could put other files in the place of ours
  return parseConfig(fromUtf8(octets), PROXY_SCHEMA);
}

export interface RunOptions {
  readonly data: string;
  /** Where the sockets are made; other users must be able to enter it. */
  readonly runtime: string;
  readonly log: Log;
  readonly isDevelopment: boolean;
}

/** A proxy that runs. */
export interface RunningProxy {
  readonly id: string;
  readonly runSocket: string;
  readonly adminSocket: string;
  /** Resolves when the server was heard for the first time. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Refuses to serve an agent of its own user unless the entry says so: keys would be a wall for nobody. */
function checkUids(state: ProxyState, log: Log): void {
  const own = process.getuid?.();
  for (const entry of state.entries)
    if (entry.uid === own && !entry.insecureSameUid && !state.development)
      log.warn("entry.same_uid", {
        entry: entry.id,
        uid: entry.uid,
        next: "give the agent a user of its own; the server refuses it under its standard policy",
      });
}

async function prepareRuntime(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  await chmod(folder, 0o711);
}

interface Following {
  readonly ready: Promise<void>;
  restart(): void;
  stop(): void;
}

/** Follows the state stream over the link's connection; a new identity starts it anew. */
function followServer(
  link: Link,
  server: ServerState,
  w: ProxyWorld,
  agents: Agents,
  fixed: FixedDoors,
  presigned: Presigned,
): Following {
  let ended = new AbortController();
  let isHeard: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (isHeard = resolve));
  const start = (): void => {
    ended = new AbortController();
    void server.follow(link.target, {
      signal: ended.signal,
      random: w.random,
      log: w.log,
      adoptTime: (now) => w.adoptTime(now),
      answerBeat: (beat) => w.useLink(({ uplink }) => uplink.beat(beat)),
      onState: async (state) => {
        checkUids(state, w.log);
        await agents.onState(state);
        presigned.bring();
        await fixed.follow(state.entries.filter((entry) => mayServe(w, entry)));
        isHeard();
      },
    });
  };
  start();
  const stop = (): void => ended.abort();
  return {
    ready,
    stop,
    restart: () => {
      stop();
      start();
    },
  };
}

/** Renews the proxy's own certificate a day after it was made, with a new key. */
function renewIdentity(
  data: string,
  file: ProxyFile,
  { gateway }: Uphill,
  link: Link,
  w: ProxyWorld,
  onRenewed: () => void,
): () => void {
  let cancel: () => void = () => undefined;
  const look = async (): Promise<void> => {
    const { certificate, id } = link.identity;
    if (w.clock() - certificate.notBefore < RENEW_AFTER_SECONDS) return;
    const [root] = pemDecode(link.identity.root, "CERTIFICATE", 1);
    if (root === undefined)
      throw new Refusal("signer_unsuitable", "the infrastructure root is missing");
    const next = await link.use((linked) => {
      const sign = gateway === undefined ? undefined : renewalBy(w, linked);
      return reenrol(w.c, linked.target, { id, root }, w.clock(), sign);
    });
    await saveIdentity(data, next);
    await link.replace(await loadIdentity(data, file.trust_domain, file.name), onRenewed);
    w.log.info("proxy.renewed", { not_after: link.identity.certificate.notAfter });
  };
  const again = (): void => {
    cancel = w.timers.after(LOOK_AT_IDENTITY_MS, () => {
      void look()
        .catch((error: unknown) => w.log.error("proxy.renewal_failed", { error }))
        .finally(again);
    });
  };
  void look()
    .catch((error: unknown) => w.log.error("proxy.renewal_failed", { error }))
    .finally(again);
  return () => cancel();
}

interface Listening {
  readonly listeners: readonly Listener[];
  readonly doors: RunDoors;
}

const contextOf = (socket: Socket): { readonly peer: Peer } => ({ peer: peerOfSocket(socket) });

/** Serves the Agent API at a door. */
function listenAt(door: Door, w: ProxyWorld, agents: Agents): Promise<DoorListening> {
  return serve({
    on: { unix: door.path, mode: 0o600 },
    app: doorApp(w, agents, door),
    contextOf,
    maxBodyBytes: 32_768,
    log: w.log,
  });
}

/** Opens the sockets: run doors as they are asked for, the run socket for every user, the admin socket for ours. */
async function listen(
  options: RunOptions,
  w: ProxyWorld,
  agents: Agents,
  fixed: FixedDoors,
  presigned: Presigned,
  sources: Sources,
): Promise<Listening> {
  const { runtime, log } = options;
  const runs = new OpenRuns();
  const doors = await RunDoors.create({
    dir: runtime,
    listen: (door) => listenAt(door, w, agents),
    secret: await doorSecret(options.data),
    sources,
  });
  const run = await serve({
    on: { unix: join(runtime, RUN_SOCKET), mode: 0o666 },
    app: runApp(w, agents, doors, runs),
    contextOf,
    maxBodyBytes: 4096,
    log,
  });
  const admin = await serve({
    on: { unix: join(runtime, PROXY_SOCKET), mode: 0o600 },
    app: adminApp(w, agents, runs, fixed, presigned),
    contextOf: (): object => ({}),
    log,
  });
  return { listeners: [run, admin], doors };
}

function worldOf(
  data: string,
  { gateway }: Uphill,
  log: Log,
  link: Link,
  server: ServerState,
  time: TimeKeeper,
): ProxyWorld {
  return {
    c: nodeCrypto,
    random: nodeRandom,
    clock: time.clock,
    timers: systemTimers,
    log,
    anchors: new Anchors(data),
    version: VERSION,
    ...(gateway === undefined ? {} : { gateway }),
    identity: () => link.identity,
    useLink: (act) => link.use(act),
    server: () => server.view(),
    hostFacts,
    adoptTime: time.adopt,
  };
}

/** Whom this host has to ask about agents. Idle connections to the runtime do not keep the process. */
function sourcesOf({ container_api: api }: ProxyFile): Sources {
  return {
    askUnit: askByBusctl(),
    ...(api === undefined ? {} : { askContainer: askByApi(openTarget({ unix: api })) }),
  };
}

/**
 * Runs the proxy of a data directory until `close`.
 * @throws Refusal `configuration_invalid`, `attester_unknown`, `private_mode`
 */
export async function runProxy(options: RunOptions): Promise<RunningProxy> {
  const { data, runtime, log } = options;
  const file = await readConfiguration(data);
  if (file.development !== options.isDevelopment)
    throw new Refusal(
      "configuration_invalid",
      "made by countersign dev",
      "Run countersign dev, or enrol for real: countersign proxy enroll.",
    );
  if (!options.isDevelopment) makeUndumpable();
  await prepareRuntime(runtime);
  const uphill = uphillOf(file);
  const link = new Link(await loadIdentity(data, file.trust_domain, file.name), (identity) =>
    openServer(uphill.url, file.trust_domain, identity, uphill.gateway),
  );
  const time = timeKeeper(log, systemClock);
  const server = new ServerState(time.clock, await PinnedPages.from(pagesFile(data)));
  const w = worldOf(data, uphill, log, link, server, time);
  const agents = new Agents(w);
  const presigned = new Presigned(w, agents, data);
  const sources = sourcesOf(file);
  const fixed = await FixedDoors.create({
    dir: runtime,
    listen: (door) => listenAt(door, w, agents),
    onClosed: (door) => agents.closeDoor(door),
    sources,
    log,
  });
  const following = followServer(link, server, w, agents, fixed, presigned);
  const stopRenewal = renewIdentity(data, file, uphill, link, w, () => following.restart());
  const { listeners, doors } = await listen(options, w, agents, fixed, presigned, sources);
  log.info("proxy.running", { id: link.identity.id, server: uphill.url });
  return {
    id: link.identity.id,
    runSocket: join(runtime, RUN_SOCKET),
    adminSocket: join(runtime, PROXY_SOCKET),
    ready: following.ready,
    close: async () => {
      following.stop();
      stopRenewal();
      presigned.close();
      agents.close();
      await Promise.all([doors.close(), fixed.close()]);
      await Promise.all(listeners.map((listener) => listener.close()));
      link.target.close();
    },
  };
}
