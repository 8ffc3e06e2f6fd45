// Issues by the real server: its own process and database on one core, proxies over mutual TLS on the other.
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { core, node } from "./dist.mjs";
import { canPin, freeCores, limitOnCore, queuedSeconds, startServer, takeCore } from "./daemon.mjs";
import { CONCURRENCY } from "./limits.mjs";
import { median } from "./measure.mjs";
import { addAgent, addOwner, addProxies, makeRequest, nonceFor, openServer } from "./server.mjs";

const PATH = "/v1/credential-requests";

/** A server's directory with what a row needs, and how its proxies reach it. */
export async function prepareServer(fill, settings = {}) {
  const root = await mkdtemp(join(tmpdir(), "bench-"));
  const ports = { apiPort: await node.freePort(), publicPort: await node.freePort() };
  const given = { inMemory: false, ...ports, ...settings };
  const server = await openServer(join(root, "server"), given);
  const filled = await fill(server);
  const ca = core.pemEncode("CERTIFICATE", server.world.keys.infrastructureRoot);
  await server.close();
  return { root, ports, ca, server, ...filled, end: () => rm(root, { recursive: true }) };
}

/** What `https.request` needs to call as this proxy, over one connection that stays open. */
export function callerOf({ ca, ports }, proxy) {
  const agent = new Agent({ ...proxy.tls, ca, keepAlive: true, maxSockets: 1 });
  return { agent, host: "127.0.0.1", port: ports.apiPort };
}

function post(caller, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const call = request({ ...caller, method: "POST", path: PATH, headers }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(text))));
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function bodiesOf(prepared, count) {
  const bodies = prepared.agents.map(() => []);
  for (let i = 0; i < count; i += 1) {
    const at = i % prepared.agents.length;
    const agent = prepared.agents[at];
    const nonce = nonceFor(prepared.server, agent.proxy);
    bodies[at].push(
      Buffer.from(JSON.stringify(await makeRequest(agent, nonce, prepared.server.world.clock()))),
    );
  }
  return bodies;
}

/** Every proxy asks one after the other, all of them at the same time. @returns issues a second of the server's core */
async function turn(prepared, daemon, count) {
  const bodies = await bodiesOf(prepared, count);
  const queued = queuedSeconds(daemon.pid);
  const begun = performance.now();
  await Promise.all(
    bodies.map(async (own, index) => {
      for (const body of own) await post(prepared.callers[index], body);
    }),
  );
  const wall = (performance.now() - begun) / 1000;
  return count / (wall - (queuedSeconds(daemon.pid) - queued));
}

/** The row `issue-durable`. */
export async function durableRow({ rounds, batch, seconds }) {
  const prepared = await prepareServer(async (server) => {
    const owner = await addOwner(server);
    const proxies = await addProxies(server, CONCURRENCY);
    const agents = [];
    for (const [index, proxy] of proxies.entries())
      agents.push(await addAgent(server, proxy, owner, `mailer-${index}`));
    return { agents };
  });
  prepared.callers = prepared.agents.map(({ proxy }) => callerOf(prepared, proxy));
  const daemon = await startServer(prepared.root, prepared.ports.publicPort);
  takeCore(1);
  try {
    await turn(prepared, daemon, 2 * batch);
    const seen = [];
    for (let round = 0; round < rounds; round += 1) {
      const limit = await limitOnCore("issue", seconds);
      const ops = await turn(prepared, daemon, batch);
      seen.push({ limit, ops, ratio: ops / limit });
    }
    return {
      name: "issue-durable",
      aim: 0.5,
      what: `an owner-bound issue by the server's own process, database on disk, ${CONCURRENCY} proxies over mutual TLS; limit as for issue-memory, on the server's core${canPin ? "" : " (cores could not be held: both share them)"}`,
      opsPerSecond: median(seen.map(({ ops }) => ops)),
      limitPerSecond: median(seen.map(({ limit }) => limit)),
      ratio: median(seen.map(({ ratio }) => ratio)),
    };
  } finally {
    freeCores();
    for (const { agent } of prepared.callers) agent.destroy();
    await daemon.stop();
    await prepared.end();
  }
}
