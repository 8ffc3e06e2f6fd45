// The row `proof-socket`: an agent asks the proxy for proofs over its door's Unix socket.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT } from "../run.mjs";
import { node } from "./dist.mjs";
import { canPin, freeCores, limitOnCore, startOwn, takeCore } from "./daemon.mjs";
import { median } from "./measure.mjs";

const AGENT = join(ROOT, "scripts/bench/agent-process.mjs");

/** What a child process sends next. @throws Error where it ends instead */
async function heard(child) {
  const ended = new AbortController();
  const { signal } = ended;
  const exit = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a process of the benchmark ended with ${code}`);
  });
  exit.catch(() => undefined);
  try {
    const [answer] = await Promise.race([once(child, "message", { signal }), exit]);
    return answer;
  } finally {
    ended.abort();
  }
}

async function ask(child, message) {
  const answered = heard(child);
  child.send(message);
  return answered;
}

/** Proofs a second of the proxy's core: what it stood in the queue behind other programs is not counted. */
async function turn(door, agent, count) {
  const before = await ask(door, "spent");
  const { seconds } = await ask(agent, count);
  const after = await ask(door, "spent");
  return count / (seconds - (after.queued - before.queued));
}

async function openDoor(runSocket) {
  const target = node.openTarget({ unix: runSocket });
  const order = { method: "POST", path: "/v1/runs", json: { agent: "prover" }, timeoutMs: 10_000 };
  const { value } = await node.callJson(target, order);
  target.close();
  return value.door;
}

export async function proofRow({ rounds, batch, seconds }) {
  const door = startOwn("door-process.mjs", [process.execPath, AGENT]);
  const { runSocket } = await heard(door);
  takeCore(1);
  // a clean environment and no options: what loads other code is refused at the door
  const env = { PATH: process.env["PATH"] };
  const agent = fork(AGENT, [await openDoor(runSocket)], { execArgv: [], env });
  try {
    await heard(agent);
    await turn(door, agent, 4 * batch);
    const seen = [];
    for (let round = 0; round < rounds; round += 1) {
      const limit = await limitOnCore("proof", seconds);
      const ops = await turn(door, agent, 2 * batch);
      seen.push({ limit, ops, ratio: ops / limit });
    }
    return {
      name: "proof-socket",
      what: `a proof over a door's Unix socket, the caller's facts read from the kernel twice; limit: 1 signature, 1 verification, on the proxy's core${canPin ? "" : " (cores could not be held: both share them)"}`,
      opsPerSecond: median(seen.map(({ ops }) => ops)),
      limitPerSecond: median(seen.map(({ limit }) => limit)),
      ratio: median(seen.map(({ ratio }) => ratio)),
    };
  } finally {
    freeCores();
    if (agent.connected) agent.disconnect();
    if (door.connected) {
      door.disconnect();
      await once(door, "exit");
    }
  }
}
