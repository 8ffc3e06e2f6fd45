// T27: what the questions of one proxy, as many as it can put, cost the issues of other owners.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node } from "./dist.mjs";
import { median, percentile, processorSeconds } from "./measure.mjs";
import {
  addAgent,
  addOwner,
  addProxies,
  entryOf,
  makeRequest,
  nonceFor,
  openServer,
  parts,
} from "./server.mjs";

const ISSUES = 300;
/** Asked again and again: what is refused leaves no row, so that each time costs as much. */
const FLOODED = 1000;
const ENTRIES = 40;
/** Of the flood, under way at the same time. */
const LANES = 4;
const OTHERS = 8;

/** Its owner's one channel takes nothing: his notices pile up as far as they may. */
const STUCK = {
  name: "stuck",
  targets: (owner) => Promise.resolve([owner]),
  deliver: () => new Promise(() => undefined),
};

async function bodiesOf(server, agents, count) {
  const items = [];
  for (let i = 0; i < count; i += 1) {
    const agent = agents[i % agents.length];
    const nonce = nonceFor(server, agent.proxy);
    const posted = await makeRequest(agent, nonce, server.world.clock());
    items.push({ proxy: agent.proxy, body: JSON.stringify(posted) });
  }
  return items;
}

/** Issues one after another, in milliseconds of this process: other programs are not counted. */
async function issue(server, items) {
  const seen = [];
  for (const { proxy, body } of items) {
    const begun = processorSeconds();
    await server.issue(proxy, body);
    seen.push(1000 * (processorSeconds() - begun));
  }
  return { p50: percentile(seen, 0.5), p99: percentile(seen, 0.99) };
}

/** Asks until told to stop. @returns how many were asked */
async function flood(server, items, signal) {
  let count = 0;
  const lane = async () => {
    while (!signal.aborted) {
      const { proxy, body } = items[count % items.length];
      count += 1;
      await server.issue(proxy, body).catch(() => undefined); // refused, once its places are taken
      await new Promise((resolve) => setImmediate(resolve)); // a request comes in by a turn of the loop
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return count;
}

async function prepared(server) {
  const [alice, mallory] = [await addOwner(server, "alice"), await addOwner(server, "mallory")];
  const others = [];
  for (const [index, proxy] of (await addProxies(server, OTHERS)).entries())
    others.push(await addAgent(server, proxy, alice, `mailer-${index}`));
  const [hostile] = await addProxies(server, 1, "hostile");
  const flooding = [];
  for (let i = 0; i < ENTRIES; i += 1) {
    const entry = entryOf(`flood-${i}`, hostile.id, mallory.id);
    await server.admin("POST /v1/entries", entry);
    flooding.push({ proxy: hostile, anchor: node.generateSigner(), entry: entry.id });
  }
  return { others, flooding };
}

/** With the flood and without it, turn by turn in one process. Who has the loop in turns with four others waits for them. */
export async function floodFigure(rounds) {
  const data = await mkdtemp(join(tmpdir(), "bench-"));
  const server = await openServer(join(data, "server"), { inMemory: true });
  const notices = new parts.Notices(server.world, {
    channels: [STUCK],
    timers: node.systemTimers,
  });
  const { others, flooding } = await prepared(server);
  const seen = [];
  try {
    await issue(server, await bodiesOf(server, others, ISSUES));
    for (let round = 0; round < rounds; round += 1) {
      const alone = await issue(server, await bodiesOf(server, others, ISSUES));
      const items = await bodiesOf(server, others, ISSUES);
      const ended = new AbortController();
      const flooded = flood(server, await bodiesOf(server, flooding, FLOODED), ended.signal);
      const beside = await issue(server, items);
      ended.abort();
      seen.push({ alone, beside, asked: await flooded });
    }
  } finally {
    notices.close();
    await server.close();
    await rm(data, { recursive: true });
  }
  const of = (name) => median(seen.map(({ alone, beside }) => beside[name] / alone[name]));
  const ms = (which) => median(seen.map((one) => one[which].p99)).toFixed(1);
  const asked = median(seen.map((one) => one.asked));
  return {
    name: "flood: other owners' p99",
    aim: `${LANES + 2} times`,
    value: `${of("p99").toFixed(1)} times, median ${of("p50").toFixed(1)} times: ${ms("beside")} ms beside ${LANES} of the flood under way, ${ms("alone")} ms without (${asked} asked for ${ISSUES} issues)`,
    isMet: of("p99") <= LANES + 2,
  };
}
