// Figures that are no ratios: how soon a halt is felt, what an idle proxy holds, how soon the programs are there.
import { execFile, spawnSync } from "node:child_process";
import { request } from "node:https";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { core, node } from "./dist.mjs";
import { freeCores, MAIN, residentMegabytes, start, startServer, takeCore } from "./daemon.mjs";
import { callerOf, prepareServer } from "./durable.mjs";
import { median, percentile } from "./measure.mjs";
import { addProxies, entryOf } from "./server.mjs";

const OPENING_AT_ONCE = 64;
const HALT_TIMEOUT_MS = 30_000;
const IDLE_MS = 3_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function adminOf(root) {
  return node.openTarget({ unix: join(root, "run/server.sock") });
}

async function post(target, path, json) {
  const answer = await node.callJson(target, { method: "POST", path, json, timeoutMs: 30_000 });
  return answer.value;
}

/** One proxy's state stream. `heard` is called with each whole state. */
function openStream(caller, heard) {
  return new Promise((resolve, reject) => {
    const call = request({ ...caller, path: "/v1/state" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => {
        text += piece;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const event = text.slice(0, end);
          text = text.slice(end + 2);
          if (event.includes("event: state")) {
            heard(event.includes('"stops":[{'));
            resolve(call);
          }
        }
      });
      response.on("error", () => undefined);
    });
    call.on("error", reject);
    call.end();
  });
}

/** Every proxy streams; one halt of the domain; when did each of them hear of it? */
export async function haltFigure(count) {
  const prepared = await prepareServer(async (server) => ({
    proxies: await addProxies(server, count),
  }));
  const daemon = await startServer(prepared.root, prepared.ports.publicPort);
  takeCore(1);
  const admin = adminOf(prepared.root);
  const calls = [];
  try {
    const felt = [];
    let halted = Number.POSITIVE_INFINITY;
    const queue = prepared.proxies.values();
    const lane = async () => {
      for (const proxy of queue)
        calls.push(
          await openStream(callerOf(prepared, proxy), (hasStop) => {
            if (hasStop) felt.push(performance.now() - halted);
          }),
        );
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, lane));
    await pause(500);
    halted = performance.now();
    await post(admin, "/v1/halts", {
      scope: "domain",
      target: "spiffe://bench.example",
      reason: "bench",
    });
    while (felt.length < count && performance.now() - halted < HALT_TIMEOUT_MS) await pause(10);
    return {
      name: `halt felt by ${count} streaming proxies`,
      aim: "p99 under 1 s",
      value: `p50 ${(percentile(felt, 0.5) / 1000).toFixed(2)} s, p99 ${(percentile(felt, 0.99) / 1000).toFixed(2)} s, last ${(Math.max(...felt) / 1000).toFixed(2)} s, heard by ${felt.length}`,
      isMet: felt.length === count && percentile(felt, 0.99) < 1000,
    };
  } finally {
    freeCores();
    for (const call of calls) call.destroy();
    admin.close();
    await daemon.stop();
    await prepared.end();
  }
}

function run(args) {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

/** The server's start, and an idle proxy beside it. */
export async function daemonFigures() {
  const prepared = await prepareServer(() => Promise.resolve({}));
  const server = await startServer(prepared.root, prepared.ports.publicPort);
  const admin = adminOf(prepared.root);
  let proxy;
  try {
    const { token } = await post(admin, "/v1/join-tokens", { name: "idle" });
    const file = join(prepared.root, "token");
    await writeFile(file, token, { mode: 0o600 });
    run(["proxy", "enroll", "--data", prepared.root, "--token-file", file]);
    proxy = start(["proxy", "run", "--data", prepared.root]);
    await pause(IDLE_MS);
    const megabytes = residentMegabytes(proxy.pid);
    return [
      {
        name: "server ready",
        aim: "under 1 s",
        value: `${server.readySeconds.toFixed(2)} s from start to /readyz`,
        isMet: server.readySeconds < 1,
      },
      {
        name: "idle proxy",
        aim: "under 80 MB",
        value: `${megabytes.toFixed(0)} MB resident`,
        isMet: megabytes < 80,
      },
    ];
  } finally {
    admin.close();
    await proxy?.stop();
    await server.stop();
    await prepared.end();
  }
}

/** `countersign --help`, wall time from start to end. */
export async function helpFigure(runs) {
  const times = [];
  for (let i = 0; i < runs; i += 1) {
    const begun = performance.now();
    await new Promise((resolve) => execFile(process.execPath, [MAIN, "--help"], resolve));
    times.push(performance.now() - begun);
  }
  const ms = median(times);
  return {
    name: "countersign --help",
    aim: "under 150 ms",
    value: `${ms.toFixed(0)} ms, median of ${runs}`,
    isMet: ms < 150,
  };
}

const ENTRIES_PER_PROXY = 100;

async function timed(count, act) {
  const begun = performance.now();
  for (let i = 0; i < count; i += 1) await act(i);
  return ((performance.now() - begun) * 1000) / count;
}

/** An index of many entries: one looked up, and the whole state of one proxy. */
export async function indexFigure(count) {
  let value = "";
  const prepared = await prepareServer(async ({ world: { store } }) => {
    const nameOf = (i) => `mailer-${i}`;
    const proxyOf = (i) =>
      core.proxyId("bench.example", `host-${Math.floor(i / ENTRIES_PER_PROXY)}`);
    const changes = Array.from({ length: count }, (_, i) => {
      const body = core.readEntry(
        entryOf(nameOf(i), proxyOf(i), "urn:agent-owner:bench.example:alice-0001"),
      );
      return {
        put: "entry",
        row: { id: body.id, proxy: body.proxy, name: nameOf(i), body, version: 1 },
      };
    });
    await store.commit({ changes });
    const at = (i) => (i * 7919) % count;
    const lookup = await timed(1000, (i) =>
      store.entry(core.entryId("bench.example", nameOf(at(i)))),
    );
    const snapshot = await timed(50, (i) => store.stateFor(proxyOf(at(i)), node.systemClock()));
    value = `lookup ${lookup.toFixed(0)} µs, state of one proxy with ${ENTRIES_PER_PROXY} entries ${(snapshot / 1000).toFixed(1)} ms`;
    return {};
  });
  await prepared.end();
  return { name: `index of ${count} entries`, aim: "", value, isMet: true };
}
