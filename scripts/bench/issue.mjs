// Whole issues: verify, appraise, decide, sign, verify what was signed, commit, checkpoint, answer.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addAgent, addOwner, addProxies, makeRequest, nonceFor, openServer } from "./server.mjs";
import { CONCURRENCY, issueLimit } from "./limits.mjs";

export async function memoryRow() {
  const data = await mkdtemp(join(tmpdir(), "bench-"));
  const server = await openServer(join(data, "server"), { inMemory: true });
  const owner = await addOwner(server);
  const proxies = await addProxies(server, 2 * CONCURRENCY);
  const agents = [];
  for (const [index, proxy] of proxies.entries())
    agents.push(await addAgent(server, proxy, owner, `mailer-${index}`));
  return {
    name: "issue-memory",
    aim: 0.7,
    what: "an owner-bound issue, store in memory; limit: 8 verifications, 2 signatures, a share of a checkpoint's",
    prepare: async (count) => {
      const items = [];
      for (let i = 0; i < count; i += 1) {
        const agent = agents[i % agents.length];
        const nonce = nonceFor(server, agent.proxy);
        const posted = await makeRequest(agent, nonce, server.world.clock());
        items.push({ agent, body: JSON.stringify(posted) });
      }
      return items;
    },
    // each request is first waited for when CONCURRENCY others are under way
    runAll: async (items) => {
      const queue = items.values();
      const lane = async () => {
        for (const { agent, body } of queue) await server.issue(agent.proxy, body);
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, lane));
    },
    limit: issueLimit(),
    end: async () => {
      await server.close();
      await rm(data, { recursive: true });
    },
  };
}
