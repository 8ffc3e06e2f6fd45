import { mkdtemp, rm } from "node:fs/promises";
import { lstat, readdir } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readHabits, Refusal } from "@countersign/core";
import type { Habits } from "@countersign/core";
import { openTarget, systemClock } from "@countersign/node";
import { PRODUCTION_DATA } from "../production.ts";
import { apiOf, developmentData, findSocket, list, text, withApi } from "../sockets.ts";
import type { SocketName } from "../sockets.ts";
import type { Cli } from "../terminal.ts";
import type { AgentFacts, Registry } from "./agent.ts";
import type { Daemon, Facts, PrivateFolder } from "./judge.ts";

const PROBE_TIMEOUT_MS = 5000;
/** Of more owners than this the metrics tell. */
const MAX_PEOPLE = 500;
const PRODUCTION_RUNTIME = "/run/countersign";
/** Folders below a daemon's data that hold keys. */
const KEY_FOLDERS = ["keys", "roots", "anchors", "presigned"];

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function askDaemon(cli: Cli, name: SocketName, path = "/v1/status"): Promise<Daemon> {
  let socket: string;
  try {
    socket = findSocket(cli, name);
  } catch (error) {
    if (error instanceof Refusal) return {};
    throw error;
  }
  try {
    return { socket, status: await withApi(cli, name, (api) => api.get(path)) };
  } catch (error) {
    return { socket, fault: errorText(error) };
  }
}

/** Asks the kernel about a socket of our own whose both ends are this process. */
async function probePeers(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-"));
  const server = createServer();
  const path = join(folder, "s");
  let client: Socket | undefined;
  try {
    const { peerOfSocket } = await import("../daemons.ts");
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    const found = new Promise<number>((resolve, reject) => {
      setTimeout(() => reject(new Error("no answer")), PROBE_TIMEOUT_MS).unref();
      server.once("connection", (socket) => {
        try {
          resolve(peerOfSocket(socket).pid);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        socket.destroy();
      });
    });
    client = createConnection(path);
    const pid = await found;
    return pid === process.pid ? undefined : `it named process ${pid}`;
  } catch (error) {
    return errorText(error);
  } finally {
    client?.destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function isOpen(path: string): Promise<boolean> {
  return ((await lstat(path)).mode & 0o077) !== 0;
}

/** A daemon's data folder, if it is there: itself, and the folders of its keys with everything in them. */
async function lookAt(path: string): Promise<readonly PrivateFolder[]> {
  const open: string[] = [];
  try {
    if (await isOpen(path)) open.push(path);
    const present = await readdir(path);
    for (const name of KEY_FOLDERS.filter((one) => present.includes(one))) {
      const folder = join(path, name);
      if (await isOpen(folder)) open.push(folder);
      for (const file of await readdir(folder))
        if (await isOpen(join(folder, file))) open.push(join(folder, file));
    }
    return [{ path, open, isReadable: true }];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    return code === "ENOENT" ? [] : [{ path, open, isReadable: false }];
  }
}

/** The data folder that belongs to a runtime folder. */
function dataBeside(socket: string): string {
  const runtime = dirname(socket);
  return runtime === PRODUCTION_RUNTIME ? PRODUCTION_DATA : dirname(runtime);
}

/** How the persons decide whom the server asks. Undefined where it does not say. */
async function askHabits(cli: Cli): Promise<ReadonlyMap<string, Habits> | undefined> {
  try {
    return await withApi(cli, "server.sock", async (api) => {
      const owners = list(await api.get("/v1/owners"), "owners");
      const people = owners.filter(({ kind }) => kind === "person").slice(0, MAX_PEOPLE);
      const found = new Map<string, Habits>();
      for (const owner of people) {
        const path = `/v1/owner/habits?owner=${encodeURIComponent(text(owner, "id"))}`;
        found.set(text(owner, "name"), readHabits(await api.get(path)));
      }
      return found;
    });
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Looks at everything that the doctor judges. Changes nothing. */
export async function gather(cli: Cli): Promise<Facts> {
  const [server, proxy] = [await askDaemon(cli, "server.sock"), await askDaemon(cli, "proxy.sock")];
  const habits = server.status === undefined ? undefined : await askHabits(cli);
  const own = cli.data ?? developmentData(cli);
  const roots = new Set([
    ...(cli.data === undefined ? [] : [cli.data]),
    ...[server, proxy].flatMap(({ socket }) => (socket === undefined ? [] : [dataBeside(socket)])),
    ...(cli.data === undefined ? [own, PRODUCTION_DATA] : []),
  ]);
  const folders: PrivateFolder[] = [];
  for (const root of roots)
    for (const daemon of ["server", "proxy"]) folders.push(...(await lookAt(join(root, daemon))));
  const peerFault = process.platform === "linux" ? await probePeers() : undefined;
  return {
    now: systemClock(),
    nodeVersion: process.version,
    platform: process.platform,
    server,
    proxy,
    ...(peerFault === undefined ? {} : { peerFault }),
    ...(habits === undefined ? {} : { habits }),
    folders,
    places: [
      ...(cli.data === undefined ? [] : [join(cli.data, "run")]),
      join(developmentData(cli), "run"),
      PRODUCTION_RUNTIME,
    ],
  };
}

/** What the server says of agents, if this user may ask. */
async function askRegistry(cli: Cli): Promise<Registry | undefined> {
  try {
    return await withApi(cli, "server.sock", async (api) => ({
      entries: list(await api.get("/v1/entries"), "entries"),
      requests: list(await api.get("/v1/owner/requests"), "requests"),
      grants: list(await api.get("/v1/grants"), "grants"),
      stops: list(await api.get("/v1/halts"), "stops"),
    }));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function askDoor(socket: string): Promise<Daemon> {
  const target = openTarget({ unix: socket });
  try {
    return { socket, status: await apiOf(target).get("/v1/status") };
  } catch (error) {
    return { socket, fault: errorText(error) };
  } finally {
    target.close();
  }
}

/** Looks at everything that is judged of one agent: `name`, or the one whose door this process was given. */
export async function gatherAgent(cli: Cli, name: string | undefined): Promise<AgentFacts> {
  const { COUNTERSIGN_SOCKET: socket } = cli.env;
  const registry = await askRegistry(cli);
  return {
    now: systemClock(),
    uid: process.getuid?.() ?? -1,
    run: await askDaemon(cli, "run.sock", "/v1/runs/inside"),
    proxy: await askDaemon(cli, "proxy.sock"),
    ...(name === undefined ? {} : { name }),
    ...(socket === undefined ? {} : { door: await askDoor(socket) }),
    ...(registry === undefined ? {} : { registry }),
  };
}
