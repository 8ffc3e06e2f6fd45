// A proxy with one run door and real sockets, in a process of its own; its server is in the same process, in memory.
// The proxy's clock runs with the calls: a door makes ten proofs a second, and that bound is not what is measured.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { core, node, proxyParts } from "./dist.mjs";
import { queuedSeconds } from "./daemon.mjs";
import { addProxies, entryOf, openServer, parts as server } from "./server.mjs";

const CALLS_A_SECOND = 8;
const proxy = await proxyParts();
const root = await mkdtemp(join(tmpdir(), "bench-"));
const [program, script] = process.argv.slice(2);

async function digestOf(path) {
  const hash = createHash("sha256").update(await readFile(path));
  return `sha-256:${hash.digest("base64url")}`;
}

const bench = await openServer(join(root, "server"), { inMemory: true, policy: "laptop" });
const [host] = await addProxies(bench, 1);
const uid = process.getuid();
const entry = {
  ...entryOf("prover", host.id),
  uid,
  pins: [await digestOf(program), await digestOf(script)],
  insecure_same_uid: true,
  binding: "none",
};
delete entry.owner;
// one credential lasts for all calls of the fullest run
entry.grant = { ...entry.grant, max_ttl: 3600 };
await bench.admin("POST /v1/entries", entry);
const state = await server.stateFor(bench.world, host.id);

let calls = 0;
const clock = () => node.systemClock() + Math.floor(calls / CALLS_A_SECOND);
const uplink = proxy.uplinkOf(node.handlerTarget((request) => bench.api(request, host.context)));
const world = {
  c: node.nodeCrypto,
  random: node.nodeRandom,
  clock,
  timers: node.systemTimers,
  log: node.silentLog,
  anchors: new proxy.Anchors(join(root, "proxy")),
  version: "0.0.0",
  identity: () => ({
    id: host.id,
    signer: host.signer,
    certificate: core.parseCertificate(host.context.certificate),
  }),
  useLink: (act) => act({ identity: world.identity(), uplink }),
  server: () => ({ state, isConnected: true, heardAt: clock(), seen: undefined }),
  hostFacts: () => Promise.resolve({ os: { kernel: "6.1" } }),
  adoptTime: () => undefined,
};
const agents = new proxy.Agents(world);
const contextOf = (socket) => ({ peer: proxy.peerOfSocket(socket) });
const counted = (app) => (request, context) => {
  if (request.url.endsWith("/v1/proof")) calls += 1;
  return app(request, context);
};
const doors = await proxy.RunDoors.create({
  dir: root,
  listen: (door) =>
    node.serve({
      on: { unix: door.path, mode: 0o600 },
      app: counted(proxy.doorApp(world, agents, door)),
      contextOf,
    }),
});
const runSocket = join(root, "run.sock");
const run = await node.serve({
  on: { unix: runSocket, mode: 0o600 },
  app: proxy.runApp(world, agents, doors, new proxy.OpenRuns()),
  contextOf,
});

const spent = () => ({ calls, queued: queuedSeconds(process.pid) });
process.on("message", (message) => {
  if (message === "spent") process.send(spent());
});
process.send({ runSocket });
process.once("disconnect", () => {
  void (async () => {
    agents.close();
    await doors.close();
    await run.close();
    await bench.close();
    await rm(root, { recursive: true });
    process.exit(0);
  })();
});
