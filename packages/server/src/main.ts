import { join } from "node:path";
import { fromUtf8, parseVkey, Refusal } from "@countersign/core";
import type { Clock, Handler, Listener, Log, Metrics } from "@countersign/node";
import {
  createGuardedFetch,
  createMetrics,
  createPrivateFile,
  nodeCrypto,
  nodeRandom,
  openTarget,
  parseConfig,
  privateDirectory,
  readPrivateFile,
  serve,
  systemClock,
  systemTimers,
} from "@countersign/node";
import { expireAsks, sweep } from "./cases/expire.ts";
import { enableRecoveries } from "./cases/recoveries.ts";
import { OwnerSessions } from "./cases/owner-sessions.ts";
import { keepKeys } from "./cases/rotate.ts";
import { configOf, SERVER_SCHEMA, urlOf } from "./config.ts";
import type { ServerConfig } from "./config.ts";
import { OwnerFeed } from "./feed/owner-feed.ts";
import { StateFeed } from "./feed/state-feed.ts";
import { adminApp } from "./http/admin.ts";
import { apiApp } from "./http/api.ts";
import { consoleApp } from "./http/console.ts";
import type { ConsoleParts } from "./http/console.ts";
import { behindProxies } from "./http/forwarded.ts";
import type { ApiContext } from "./http/peer.ts";
import { publicApp } from "./http/public.ts";
import type { PublicContext } from "./http/stop-codes.ts";
import { readSite } from "./http/static-site.ts";
import { WitnessRounds } from "./log/witnesses.ts";
import type { Witness } from "./log/witnesses.ts";
import { Notices } from "./notices/dispatcher.ts";
import type { NoticeChannel } from "./notices/notice.ts";
import { Webhooks } from "./notices/webhooks.ts";
import { watchNotices } from "./notices/metrics.ts";
import { countAnswers, timeSignatures, watchCommits, watchServer } from "./metrics.ts";
import { recoverAt } from "./recover.ts";
import { PushChannel } from "./push/channel.ts";
import { KeyRing, renewEnded } from "./signer/key-ring.ts";
import { readOwnerCas } from "./signer/owner-cas.ts";
import { createKeys, foldersOf, loadKeys, loadPushSigner } from "./signer/keys.ts";
import { laterLogSigner } from "./signer/log-keys.ts";
import { makeTlsIdentity, TLS_LIFE_SECONDS } from "./signer/tls.ts";
import { fileCheckpoint } from "./store/checkpoint-file.ts";
import { openStore } from "./store/open.ts";
import type { Recovered } from "./store/recover.ts";
import type { World } from "./world.ts";

export { backupServer } from "./backup.ts";
export { SERVER_SCHEMA } from "./config.ts";

const CONFIG_FILE = "server.yaml";
const MAX_CONFIG_BYTES = 65_536;

/** Name of the admin socket in a runtime directory. */
export const SERVER_SOCKET = "server.sock";

/**
 * Makes a new server in a data directory: its configuration and every key.
 * @param configText YAML as `SERVER_SCHEMA` says
 * @throws Refusal `configuration_invalid`, `private_mode`, `name_taken` where a server is already
 */
export async function initServer(
  data: string,
  configText: string,
  clock: Clock = systemClock,
): Promise<ServerConfig> {
  const config = configOf(parseConfig(configText, SERVER_SCHEMA));
  await privateDirectory(data);
  const isNew = await createPrivateFile(join(data, CONFIG_FILE), configText);
  if (!isNew)
    throw new Refusal(
      "name_taken",
      "a server is there already",
      `Choose another --data folder, or run it: countersign server run --data ${data}`,
    );
  await createKeys(data, config, { c: nodeCrypto, random: nodeRandom, now: clock() });
  return config;
}

/** Reads the configuration of a data directory. @throws Refusal `configuration_invalid`, `private_mode` */
export async function readServerConfiguration(data: string): Promise<ServerConfig> {
  const octets = await readPrivateFile(join(data, CONFIG_FILE), MAX_CONFIG_BYTES);
  if (octets === undefined)
    throw new Refusal(
      "configuration_invalid",
      "no server here",
      `Make one: countersign server init --data ${data} --trust-domain NAME`,
    );
  await privateDirectory(data); // whoever may write there could put other files in the place of ours
  return configOf(parseConfig(fromUtf8(octets), SERVER_SCHEMA));
}

/**
 * Ends the log of the stopped server in a data directory, which holds, and starts the next one.
 * @throws Refusal `configuration_invalid` while the server runs or does not hold; `private_mode`
 */
export async function recoverServer(data: string, log: Log): Promise<Recovered> {
  return recoverAt(data, await readServerConfiguration(data), log);
}

/** A server that runs. */
export interface RunningServer {
  readonly config: ServerConfig;
  readonly apiUrl: string;
  readonly publicUrl: string;
  readonly adminSocket: string;
  /** Where owners sign in, if there is a console. */
  readonly consoleUrl?: string;
  /** Called after each group of decisions; returns how to stop that. */
  onRelease(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface RunOptions {
  /** Data directory: configuration, keys, database. Mode 0700. */
  readonly data: string;
  /** Runtime directory, where the admin socket is made. */
  readonly runtime: string;
  readonly log: Log;
  /** Folder of the console's pages; needed where the configuration has a console. */
  readonly site?: string;
  /** Set by `countersign dev` only: `server run` refuses a directory that dev has made. */
  readonly isDevelopment: boolean;
}

async function openWorld(
  options: RunOptions,
  loaded: ServerConfig,
  metrics: Metrics,
): Promise<{ readonly world: World; readonly ring: KeyRing }> {
  const { data, log } = options;
  const held = { data, c: nodeCrypto, random: nodeRandom, clock: systemClock, config: loaded };
  for (const hierarchy of await renewEnded(held)) log.warn("keys.ended_ca_renewed", { hierarchy });
  const { keys, logSigner } = await loadKeys(data, loaded, nodeCrypto, systemClock);
  const store = await openStore({
    path: join(data, "store.db"),
    checkpointFile: fileCheckpoint(join(data, "last-checkpoint")),
    crypto: nodeCrypto,
    logSigner,
    laterLogSigner: (number) => laterLogSigner(foldersOf(data).keys, number),
    origin: loaded.logOrigin,
    now: systemClock,
    report: (error) => log.error("store.failed", { error }),
    watch: watchCommits(metrics),
  });
  const contact = loaded.pushContact;
  const push =
    contact === undefined
      ? {}
      : {
          push: {
            signer: await loadPushSigner(data),
            contact,
            fetch: createGuardedFetch({ networks: loaded.noticeNetworks }),
          },
        };
  const { origin: logOrigin, vkey } = store.logName();
  keys.nameLog(vkey);
  const world: World = {
    c: nodeCrypto,
    random: nodeRandom,
    clock: systemClock,
    store,
    keys,
    config: { ...loaded, logOrigin },
    ownerCas: await readOwnerCas(loaded),
    ...push,
    log,
    onSigned: timeSignatures(metrics),
  };
  return { world, ring: new KeyRing({ ...held, keys }) };
}

/** The API needs its port in `apiUrl` before it makes join tokens: with port 0 it is known only now. */
function withPort(config: ServerConfig, port: number): ServerConfig {
  return config.api.port === 0
    ? { ...config, apiUrl: urlOf("https", { host: config.api.host, port }) }
    : config;
}

/** The streams of all owners leave room for their calls, and for callers who say nothing until they are closed. */
const MAX_CONSOLE_CONNECTIONS = 4_096;
/** Each proxy keeps its state stream open and calls over a second connection. */
const MAX_API_CONNECTIONS = 16_384;

async function listenApi(world: World, app: Handler<ApiContext>): Promise<Listener> {
  return serve<ApiContext>({
    on: { ...world.config.api, tls: await makeTlsIdentity(world, world.clock()) },
    app,
    contextOf: (_socket, certificate) => (certificate === undefined ? {} : { certificate }),
    maxConnections: MAX_API_CONNECTIONS,
    log: world.log,
  });
}

/** A new certificate at half of its life, and whenever the keys have changed: it names whom callers may come from. */
function renewTls(world: World, ring: KeyRing, api: Listener): () => void {
  let cancel: () => void = () => undefined;
  const renew = (): void => {
    void makeTlsIdentity(world, world.clock()).then(
      (identity) => api.replaceTls(identity),
      (error: unknown) => world.log.error("tls.renewal_failed", { error }),
    );
  };
  const again = (): void => {
    cancel = systemTimers.after((TLS_LIFE_SECONDS * 1000) / 2, () => {
      renew();
      again();
    });
  };
  again();
  const unsubscribe = ring.subscribe(renew);
  return () => {
    cancel();
    unsubscribe();
  };
}

const DAY_MS = 86_400_000;

/** Looks after the keys once a day. */
function keepKeysDaily(world: World, ring: KeyRing): () => void {
  let cancel: () => void = () => undefined;
  const again = (): void => {
    cancel = systemTimers.after(DAY_MS, () => {
      void keepKeys(world, ring)
        .catch((error: unknown) => world.log.error("keys.renewal_failed", { error }))
        .finally(again);
    });
  };
  again();
  return () => cancel();
}

const HOUSEKEEPING_MS = 15_000;
const SWEEP_EVERY = 40;

/** Ends questions that are over, enables recoveries whose time has come, and now and then sweeps. */
function keepHouse(world: World): () => void {
  let cancel: () => void = () => undefined;
  let round = 0;
  const failed = (error: unknown): void => world.log.error("housekeeping.failed", { error });
  const again = (): void => {
    cancel = systemTimers.after(HOUSEKEEPING_MS, () => {
      round += 1;
      void expireAsks(world)
        .then(() => enableRecoveries(world))
        .then(() => (round % SWEEP_EVERY === 0 ? sweep(world) : undefined))
        .catch(failed)
        .finally(again);
    });
  };
  again();
  return () => cancel();
}

/** @throws Refusal `configuration_invalid`, `checkpoint_invalid` for a key that is no witness's */
function openWitnesses({ witnesses }: ServerConfig): readonly Witness[] {
  return witnesses.map(({ vkey, url, prefix }) => {
    parseVkey(nodeCrypto, vkey, "cosignature");
    return { vkey, prefix, target: openTarget({ url, ca: "system" }) };
  });
}

/** Begins to ask; returns how to stop. */
function askWitnesses(world: World, witnesses: readonly Witness[]): () => Promise<void> {
  if (witnesses.length === 0) return () => Promise.resolve();
  const rounds = new WitnessRounds({ ...world, witnesses, timers: systemTimers });
  return async () => {
    await rounds.close();
    for (const { target } of witnesses) target.close();
  };
}

/** The owners' console, where it is configured. @throws Refusal `configuration_invalid` without pages */
async function listenConsole(
  world: World,
  parts: Pick<ConsoleParts, "feed" | "heeded">,
  site: string | undefined,
  counted: (app: Handler<PublicContext>) => Handler<PublicContext>,
): Promise<Listener | undefined> {
  const { console: bind } = world.config;
  if (bind === undefined) return undefined;
  const pages = await readSite(site ?? "");
  const sessions = new OwnerSessions(world.c, world.random);
  const app = told(world, counted(consoleApp(world, { ...parts, sessions, site: pages })));
  const maxConnections = MAX_CONSOLE_CONNECTIONS;
  return serve({ on: bind, app, contextOf: addressOf, maxConnections, log: world.log });
}

const addressOf = ({
  remoteAddress,
}: {
  readonly remoteAddress?: string | undefined;
}): PublicContext => (remoteAddress === undefined ? {} : { address: remoteAddress });

const told = (world: World, app: Handler<PublicContext>): Handler<PublicContext> =>
  behindProxies(world.config.forwardedBy, app, world.log);

function listenPublic(world: World, app: Handler<PublicContext>): Promise<Listener> {
  return serve({
    on: world.config.public,
    app: told(world, app),
    contextOf: addressOf,
    log: world.log,
  });
}

function listenAdmin(world: World, path: string, app: Handler<object>): Promise<Listener> {
  return serve({ on: { unix: path, mode: 0o600 }, app, contextOf: () => ({}), log: world.log });
}

function openWebhooks(world: World): Webhooks {
  const { noticeNetworks: networks, insecureNoticeOrigins: insecureHttpOrigins } = world.config;
  return new Webhooks(world, createGuardedFetch({ networks, insecureHttpOrigins }));
}

function tellOwners(world: World, always: readonly NoticeChannel[], metrics: Metrics): Notices {
  const push = world.push === undefined ? [] : [new PushChannel(world, world.push)];
  const channels: readonly NoticeChannel[] = [...always, ...push];
  return new Notices(world, { channels, timers: systemTimers, ...watchNotices(metrics) });
}

/**
 * Runs the server of a data directory until `close`.
 * @throws Refusal `configuration_invalid`, `private_mode`, `signer_unsuitable`
 */
export async function runServer(options: RunOptions): Promise<RunningServer> {
  const loaded = await readServerConfiguration(options.data);
  if (loaded.isDevelopment !== options.isDevelopment)
    throw new Refusal(
      "configuration_invalid",
      "made by countersign dev",
      "Run countersign dev, or make a server for real: countersign server init.",
    );
  const witnesses = openWitnesses(loaded);
  const metrics = createMetrics();
  const { world: opened, ring } = await openWorld(options, loaded, metrics);
  await keepKeys(opened, ring).catch((error: unknown) =>
    opened.log.error("keys.renewal_failed", { error }),
  );
  const counted = countAnswers(metrics);
  const feed = new StateFeed(opened);
  const api = await listenApi(opened, counted("api", apiApp(opened, feed)));
  const world: World = { ...opened, config: withPort(loaded, api.port) };
  const readings = watchServer(metrics, world, feed);
  const owners = new OwnerFeed(world);
  const webhooks = openWebhooks(world);
  const notices = tellOwners(world, [owners, webhooks], metrics);
  const publicListener = await listenPublic(world, counted("public", publicApp(world)));
  const adminSocket = join(options.runtime, SERVER_SOCKET);
  const adminOf = adminApp(world, readings, owners, ring, webhooks);
  const admin = await listenAdmin(world, adminSocket, counted("admin", adminOf));
  const parts = { feed: owners, heeded: feed.heeded };
  const site = await listenConsole(world, parts, options.site, (app) => counted("console", app));
  const stopRenewal = renewTls(world, ring, api);
  const stopKeys = keepKeysDaily(world, ring);
  const stopHousekeeping = keepHouse(world);
  const stopWitnesses = askWitnesses(world, witnesses);
  world.log.info("server.running", {
    api: world.config.apiUrl,
    public: publicListener.address,
    trust_domain: world.config.trustDomain,
  });
  return {
    config: world.config,
    apiUrl: world.config.apiUrl,
    publicUrl: urlOf("http", { host: world.config.public.host, port: publicListener.port }),
    adminSocket,
    ...(site === undefined ? {} : { consoleUrl: world.config.consent.origins[0] ?? "" }),
    onRelease: (listener) => world.store.subscribe(listener),
    close: async () => {
      stopRenewal();
      stopKeys();
      stopHousekeeping();
      readings.stop();
      feed.close();
      notices.close();
      owners.close();
      await stopWitnesses();
      const listeners = [api, publicListener, admin, ...(site === undefined ? [] : [site])];
      await Promise.all(listeners.map((listener) => listener.close()));
      await world.store.close();
    },
  };
}
