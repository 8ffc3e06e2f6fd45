// From an owner's signature to the agent's credential: server and proxy in processes of their own, the agent waiting at
// its door, the signature posted by the console's route.
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { loadavg } from "node:os";
import { join } from "node:path";
import { core, node } from "./dist.mjs";
import {
  freeCores,
  MAIN,
  queuedSeconds,
  ranSeconds,
  start,
  startServer,
  takeCore,
} from "./daemon.mjs";
import { prepareServer } from "./durable.mjs";
import { issueLimit } from "./limits.mjs";
import { median, percentile } from "./measure.mjs";
import { rawOf } from "./raw.mjs";
import { ROOT } from "../run.mjs";
import { entryOf } from "./server.mjs";

const TD = "bench.example";
const HOST = `consent.${TD}`;
const ORIGIN = `https://${HOST}`;
const AGENT = join(ROOT, "scripts/bench/waiting-process.mjs");
const CREDENTIAL_ID = core.base64url(new Uint8Array(16).fill(9));
const UP_UV = 0x05;
const WAIT_MS = 60_000;
const LIMIT_RUNS = 200;
/** The first ones, in which both daemons compile what they run. */
const WARMING = 10;
/** A session writes no more than a hundred and twenty times a minute. */
const APPROVALS_A_SESSION = 40;
const c = node.nodeCrypto;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a passkey that counts nothing answers to a challenge. */
async function assertionOf(signer, challenge) {
  const data = core.concat(c.sha256(core.utf8(HOST)), Uint8Array.of(UP_UV, 0, 0, 0, 0));
  const client = { type: "webauthn.get", challenge, origin: ORIGIN, crossOrigin: false };
  const text = core.utf8(JSON.stringify(client));
  const s = core.base64url(await signer.sign(core.concat(data, c.sha256(text))));
  return { k: "webauthn", a: core.base64url(data), c: core.base64url(text), s };
}

/** An owner with one passkey, put where registration would put him. */
async function addPasskeyOwner({ world }) {
  const signer = node.generateSigner("Ed25519");
  const id = `urn:agent-owner:${TD}:passkey-0001`;
  const now = world.clock();
  const jkt = core.thumbprint(c, signer.key);
  const row = {
    jkt,
    owner: id,
    jwk: signer.key,
    kind: "person",
    comment: "bench",
    app: HOST,
    authenticator: {
      fmt: "none",
      obj: "",
      cd: "",
      aaguid: "00000000-0000-0000-0000-000000000000",
      credential: CREDENTIAL_ID,
      transports: ["internal"],
      backupEligible: false,
      backedUp: false,
      counter: 0,
    },
    spki: core.base64url(core.spkiOf(signer.key)),
    basis: "admin",
    statement: new Uint8Array(0),
    sigs: [],
    addedAt: now,
  };
  const owner = { id, name: "alice", kind: "person", createdAt: now };
  await world.store.commit({
    changes: [
      { put: "owner", row: owner },
      { put: "ownerKey", row },
    ],
  });
  return { id, jkt, signer };
}

function send(to, method, path, json, headers = {}) {
  return new Promise((resolve, reject) => {
    const body = json === undefined ? undefined : JSON.stringify(json);
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request({ ...to, method, path, headers: { ...type, ...headers } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => (text += piece));
      answer.on("end", () => {
        if (answer.statusCode !== 200) reject(new Error(`${path}: ${answer.statusCode} ${text}`));
        else resolve({ body: JSON.parse(text), headers: answer.headers });
      });
    });
    sent.setTimeout(WAIT_MS, () => sent.destroy(new Error(`${path}: no answer`)));
    sent.on("error", reject).end(body);
  });
}

/** The owner's page: signed in, and calling as it does. */
async function signIn(port, { signer }) {
  const to = { host: "127.0.0.1", port };
  const headers = {
    host: HOST,
    origin: ORIGIN,
    "sec-fetch-site": "same-origin",
    "countersign-session": "cookie",
  };
  const call = async (method, path, json, more = {}) =>
    send(to, method, path, json, { ...headers, ...more });
  const { body } = await call("POST", "/v1/owner/sign-in/nonce", {});
  const challenge = core.base64url(core.loginChallenge(c, body.nonce));
  const entered = await call("POST", "/v1/owner/sign-in", {
    nonce: body.nonce,
    credential_id: CREDENTIAL_ID,
    sig: await assertionOf(signer, challenge),
  });
  const cookie = entered.headers["set-cookie"][0].split(";")[0];
  return async (method, path, json) => (await call(method, path, json, { cookie })).body;
}

async function until(what, look) {
  const end = performance.now() + WAIT_MS;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(5);
  }
  throw new Error(`no ${what}`);
}

const spentBy = (pid) => ({ ranMs: 1000 * ranSeconds(pid), queuedMs: 1000 * queuedSeconds(pid) });

/** Resolves when the agent has its credential. */
async function heldBy(agent, socketPath) {
  const told = once(agent, "message");
  agent.send(socketPath);
  const [{ error }] = await told;
  if (error !== undefined) throw new Error(error);
}

/** One agent asks, its owner signs. @returns milliseconds from the post of the signature */
async function approveOne({ page, owner, agent, daemons }, socketPath, name) {
  const credential = heldBy(agent, socketPath);
  const asked = await Promise.race([
    until(`request of ${name}`, async () => {
      const { requests } = await page("GET", "/v1/owner/requests");
      return requests.find(({ entry }) => entry.endsWith(`/${name}`));
    }),
    credential.then(() => {
      throw new Error("nobody was asked");
    }),
  ]);
  const path = `/v1/owner/requests/${asked.id}`;
  const { jcs, digest } = await page("GET", `${path}?jkt=${owner.jkt}`);
  const sig = await assertionOf(owner.signer, digest.slice("sha-256:".length));
  await pause(20); // whoever reads gives the two daemons time to be idle
  const before = daemons.map(spentBy);
  const begun = performance.now();
  const since = () => performance.now() - begun;
  const decided = page("POST", `${path}/decision`, { decision: "approve", statement: jcs, sig });
  const answered = decided.then(since);
  const held = credential.then(since);
  const times = { answeredMs: await answered, heldMs: await held };
  const spent = daemons.map((pid, i) => {
    const { ranMs, queuedMs } = spentBy(pid);
    return { ranMs: ranMs - before[i].ranMs, queuedMs: queuedMs - before[i].queuedMs };
  });
  return { ...times, spent };
}

/** Signatures and verifications of one approval and the issue after it, alone. @returns milliseconds */
function signaturesMs() {
  const [issue, p256, owner] = [issueLimit(), rawOf("P-256", 900), rawOf("Ed25519", 110)];
  const checkpoint = rawOf("Ed25519", 120);
  const all = (i) => {
    owner.verify(); // the server, then the proxy
    owner.verify();
    checkpoint.sign();
    for (let count = 0; count < 3; count += 1) p256.sign(); // R, E and N
    issue(i);
    for (let count = 0; count < 4; count += 1) p256.verify(); // what the proxy looks at before it hands it out
  };
  for (let i = 0; i < LIMIT_RUNS; i += 1) all(i);
  const begun = performance.now();
  for (let i = 0; i < LIMIT_RUNS; i += 1) all(i);
  return (performance.now() - begun) / LIMIT_RUNS;
}

async function startProxy(prepared, agents) {
  const admin = node.openTarget({ unix: join(prepared.root, "run/server.sock") });
  const order = { method: "POST", path: "/v1/join-tokens", json: { name: "here" } };
  const { value } = await node.callJson(admin, order);
  admin.close();
  const file = join(prepared.root, "token");
  await writeFile(file, value.token, { mode: 0o600 });
  const enrol = ["proxy", "enroll", "--data", prepared.root, "--token-file", file];
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...enrol], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const proxy = start(["proxy", "run", "--data", prepared.root]);
  const last = join(prepared.root, "run/door", `${agents.at(-1)}.sock`);
  await until("door", () => Promise.resolve(existsSync(last) || undefined));
  return proxy;
}

function figureOf(seen) {
  const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  const both = (times) => `p50 ${ms(percentile(times, 0.5))}, p99 ${ms(percentile(times, 0.99))}`;
  const waited = ({ spent }) => spent.reduce((sum, { queuedMs }) => sum + queuedMs, 0);
  const ran = (at) => ms(median(seen.map(({ spent }) => spent[at].ranMs)));
  const alone = signaturesMs();
  const times = seen.map((one) => one.heldMs - waited(one));
  const parts = [
    `${both(times)} from the post of the signature to the credential at the door, ${seen.length} agents`,
    `with what both stood in the queue behind other programs ${both(seen.map(({ heldMs }) => heldMs))}`,
    `the post answered after ${ms(median(seen.map(({ answeredMs }) => answeredMs)))}`,
    `processor: server ${ran(0)}, proxy ${ran(1)}`,
    `signatures and verifications alone ${ms(alone)}, ${(percentile(times, 0.5) / alone).toFixed(0)} times less`,
    `load ${loadavg()[0].toFixed(1)}`,
  ];
  const isMet = percentile(times, 0.99) < 200;
  return {
    name: "approval to credential",
    aim: "p99 under 200 ms",
    value: parts.join("; "),
    isMet,
  };
}

/** The figure `approval to credential`, over so many agents, one after the other. */
export async function approveFigure(count) {
  const agents = Array.from({ length: count }, (_, i) => `waiting-${i}`);
  const consolePort = await node.freePort();
  const prepared = await prepareServer(
    async (server) => {
      const owner = await addPasskeyOwner(server);
      for (const name of agents)
        await server.admin("POST /v1/entries", {
          ...entryOf(name, core.proxyId(TD, "here"), owner.id),
          uid: process.getuid(),
          door: "fixed",
          insecure_same_uid: true,
          grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling: [] },
        });
      return { owner };
    },
    { consolePort, policy: "laptop" },
  );
  const server = await startServer(prepared.root, prepared.ports.publicPort);
  // a clean environment and no options: what loads other code is refused at the door
  const agent = fork(AGENT, [], { execArgv: [], env: { PATH: process.env["PATH"] } });
  let proxy;
  try {
    proxy = await startProxy(prepared, agents);
    takeCore(1);
    const { owner } = prepared;
    const of = { owner, agent, daemons: [server.pid, proxy.pid] };
    const seen = [];
    for (const [i, name] of agents.entries()) {
      if (i % APPROVALS_A_SESSION === 0) of.page = await signIn(consolePort, owner);
      const socket = join(prepared.root, "run/door", `${name}.sock`);
      seen.push(await approveOne(of, socket, name));
    }
    return figureOf(seen.slice(Math.min(WARMING, count - 1)));
  } finally {
    freeCores();
    agent.disconnect();
    await proxy?.stop();
    await server.stop();
    await prepared.end();
  }
}
