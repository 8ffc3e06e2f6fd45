// The real programs, each on a core of its own where the system allows.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { get } from "node:http";
import { ROOT } from "../run.mjs";

export const MAIN = join(ROOT, "packages/cli/dist/main.js");
const READY_MS = 15_000;

/** Whether server and client can be held on two cores. */
export const canPin =
  availableParallelism() > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0;

/** The command that runs node on one core. */
function onCore(core, args) {
  return canPin
    ? ["taskset", ["-c", String(core), process.execPath, ...args]]
    : [process.execPath, args];
}

/** Holds this process on the other core. */
export function takeCore(core) {
  if (canPin) spawnSync("taskset", ["-a", "-c", "-p", String(core), String(process.pid)]);
}

/** Lets this process run anywhere again. */
export function freeCores() {
  if (canPin)
    spawnSync("taskset", [
      "-a",
      "-c",
      "-p",
      `0-${availableParallelism() - 1}`,
      String(process.pid),
    ]);
}

/** Seconds that the process stood in the run queue behind other programs; undefined where the system does not say. */
export function queuedSeconds(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e9;
  } catch {
    return 0;
  }
}

/** Seconds of the processor that the main thread has had. */
export function ranSeconds(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e9;
  } catch {
    return 0;
  }
}

/** Resident memory in megabytes. */
export function residentMegabytes(pid) {
  const [, kilobytes] = /VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(kilobytes) / 1024;
}

function isReady(port) {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/readyz" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => resolve(false));
  });
}

/** As `docs/operations.md` recommends for servers under load; this process has the same. */
const YOUNG_GENERATION = ["--max-semi-space-size=64", "--min-semi-space-size=64"];

/** Runs a program of ours on the first core; `stop` ends it and waits. */
export function start(args) {
  const flags = args[0] === "server" ? YOUNG_GENERATION : [];
  const [command, all] = onCore(0, [...flags, MAIN, ...args]);
  const child = spawn(command, all, { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (piece) => (log += piece));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    pid: child.pid,
    log: () => log,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Runs the server of a data directory until it is ready. */
export async function startServer(root, publicPort) {
  const begun = performance.now();
  const daemon = start(["server", "run", "--data", root]);
  while (!(await isReady(publicPort))) {
    if (performance.now() - begun > READY_MS) throw new Error(`not ready: ${daemon.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { ...daemon, readySeconds: (performance.now() - begun) / 1000 };
}

/** Runs one of the bench's own programs on the first core, with a channel to it. */
export function startOwn(name, args = []) {
  const [command, all] = onCore(0, [join(ROOT, "scripts/bench", name), ...args]);
  return spawn(command, all, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** Signatures and verifications alone on the first core: operations a processor second. */
export async function limitOnCore(which, seconds) {
  const child = startOwn("limit-process.mjs", [which, String(seconds)]);
  const [perSecond] = await new Promise((resolve) => {
    child.once("message", (message) => resolve([message]));
  });
  return perSecond;
}
