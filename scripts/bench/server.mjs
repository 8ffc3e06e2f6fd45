// A server on a data directory with proxies, agents and their owner's approvals, made by its own applications.
import { join } from "node:path";
import { core, node, serverParts } from "./dist.mjs";
import { submodsOf } from "./story.mjs";

const c = node.nodeCrypto;
const TD = "bench.example";
const UID = 1001;
const DAY = 86_400;
/** So many that no row runs out of them. */
const MAX_LIVE = 20_000;
const POSTED = { maxBytes: 65_536, maxDepth: 8 };
export const parts = await serverParts();

const configOf = ({ apiPort = 0, publicPort = 0, consolePort, policy = "standard" } = {}) =>
  `trust_domain: ${TD}\napi_port: ${apiPort}\npublic_port: ${publicPort}\npolicy: ${policy}\n` +
  (consolePort === undefined ? "" : `console_port: ${consolePort}\n`);

async function answerOf(response) {
  const text = await response.text();
  if (response.status >= 400) throw new Error(`the server refuses: ${text}`);
  return JSON.parse(text);
}

function requestOf(what, json) {
  const [method, path] = what.split(" ");
  const init = { method, headers: { "content-type": "application/json" } };
  return new Request(`https://bench.test${path}`, {
    ...init,
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}

/** Makes the server's directory and opens it in this process, without listeners. */
export async function openServer(data, { inMemory, ...settings }) {
  const config = await parts.initServer(data, configOf(settings));
  const { keys, logSigner } = await parts.loadKeys(data, config, c, node.systemClock);
  const store = await parts.openStore({
    path: inMemory ? ":memory:" : join(data, "store.db"),
    checkpointFile: inMemory
      ? parts.memoryCheckpoint()
      : parts.fileCheckpoint(join(data, "last-checkpoint")),
    crypto: c,
    logSigner,
    origin: config.logOrigin,
    now: node.systemClock,
  });
  const world = {
    c,
    random: node.nodeRandom,
    clock: node.systemClock,
    store,
    keys,
    config,
    log: node.silentLog,
  };
  const feed = new parts.StateFeed(world);
  const api = parts.apiApp(world, feed);
  const admin = parts.adminApp(world, node.createMetrics(), undefined);
  return {
    world,
    api,
    admin: async (what, json) => answerOf(await admin(requestOf(what, json), {})),
    issue: async (proxy, body) => {
      const posted = core.readPostedRequest(core.parseJson(body, POSTED));
      const peer = { id: proxy.id, key: proxy.signer.key, serial: proxy.serial };
      const outcome = await parts.requestCredential(world, peer, posted);
      return JSON.stringify(core.writeIssuedAnswer(outcome));
    },
    call: async (context, what, json) => answerOf(await api(requestOf(what, json), context)),
    close: async () => {
      feed.close();
      await store.close();
    },
  };
}

/** Proxies with certificates of their own, put where enrolment would put them: many of them, in one decision. */
export async function addProxies({ world }, count, prefix = "host") {
  const now = world.clock();
  const ca = world.keys.infrastructure;
  const proxies = [];
  const changes = [];
  for (let i = 0; i < count; i += 1) {
    const name = `${prefix}-${i}`;
    const id = core.proxyId(TD, name);
    const key = node.generatePrivateKey("P-256");
    const signer = node.signerOf(key);
    const notAfter = now + 7 * DAY;
    const draft = { uri: id, key: signer.key, serial: node.nodeRandom(20), notBefore: now - 60 };
    const der = await core.buildProxy(c, { ...draft, notAfter, issuer: ca.certificate }, ca.signer);
    const serial = core.parseCertificate(der).serialHex;
    const jkt = core.thumbprint(c, signer.key);
    changes.push(
      {
        put: "proxy",
        row: {
          id,
          name,
          state: "enrolled",
          liveSerial: serial,
          liveJkt: jkt,
          liveJwk: signer.key,
          notAfter,
          enrolledAt: now,
        },
      },
      { put: "certificate", row: { serial, proxy: id, jkt, notAfter, state: "live" } },
    );
    const pem = core.pemEncode("CERTIFICATE", der);
    const issuing = core.pemEncode("CERTIFICATE", ca.certificate.der);
    const tls = { cert: pem + issuing, key: node.privateKeyToPem(key) };
    proxies.push({ id, signer, serial, tls, context: { certificate: der } });
  }
  await world.store.commit({ changes });
  return proxies;
}

/** An owner with one enrolled key. */
export async function addOwner({ admin }, name = "alice") {
  const signer = node.generateSigner("Ed25519");
  const sign = async (bytes) => ({
    k: "sshsig",
    s: core.base64(await core.makeSshsig(c, signer, core.CONSENT_NAMESPACE, bytes)),
  });
  const order = { name, kind: "person", jwk: signer.key };
  const { jcs, owner } = await admin("POST /v1/owner/keys/options", order);
  const sig = await sign(core.fromBase64url(jcs));
  await admin("POST /v1/owner/keys", { statement: jcs, sig, comment: "" });
  return { id: owner.id, jkt: core.thumbprint(c, signer.key), sign };
}

export function entryOf(name, proxy, owner) {
  return {
    id: core.entryId(TD, name),
    proxy,
    uid: UID,
    door: "run",
    facts: [],
    pins: [],
    interpreter_options: [],
    audiences: ["https://mail.example.com/"],
    binding: "owner",
    owner,
    grant: { use: "standing", max_ttl: 900, max_issue: 1_000_000, max_live: MAX_LIVE, ceiling: [] },
    evidence: "public",
    offline_proofs: true,
    insecure_same_uid: false,
    insecure_soft_key_standing: false,
  };
}

/** R, N and E of one request: what the proxy and the agent's key sign. */
export async function makeRequest(agent, nonce, now) {
  const { proxy, anchor, entry, cs } = agent;
  const key = node.generateSigner();
  const aud = `https://id.${TD}`;
  const jkt = core.thumbprint(c, anchor.key);
  const common = { aud, iat: now };
  const request = await core.seal(
    c,
    core.REQUEST,
    { ...common, nonce, exp: now + 300, sub: entry, anchor: jkt },
    key,
  );
  const endorsement = await core.seal(
    c,
    core.ENDORSEMENT,
    {
      ...common,
      sub: core.agentId(entry, jkt),
      jkt: core.thumbprint(c, key.key),
      exp: now + 900,
      jti: node.randomName(),
      ...(cs === undefined ? {} : { cs }),
    },
    anchor,
  );
  const evidence = await core.seal(
    c,
    core.EVIDENCE,
    {
      ...common,
      eatNonce: nonce,
      key: key.key,
      req: request.digest,
      submods: submodsOf(UID),
    },
    proxy.signer,
  );
  return {
    request: request.octets,
    evidence: evidence.octets,
    endorsement: endorsement.octets,
  };
}

/** One approved agent on a proxy: registered, asked, countersigned. */
export async function addAgent(server, proxy, owner, name) {
  await server.admin("POST /v1/entries", entryOf(name, proxy.id, owner.id));
  const agent = { proxy, anchor: node.generateSigner(), entry: core.entryId(TD, name) };
  const asked = await askOnce(server, agent);
  const opened = await server.admin(`GET /v1/owner/requests/${asked.id}?jkt=${owner.jkt}`);
  const sig = await owner.sign(core.fromBase64url(opened.jcs));
  const decided = await server.admin(`POST /v1/owner/requests/${asked.id}/decision`, {
    decision: "approve",
    statement: opened.jcs,
    sig,
  });
  return { ...agent, cs: decided.cs };
}

async function askOnce(server, agent) {
  const { context } = agent.proxy;
  const { nonce, now } = await server.call(context, "POST /v1/nonce", {});
  const posted = await makeRequest(agent, nonce, now);
  return server.call(context, "POST /v1/credential-requests", posted);
}

/** Nonces without a call: what the server's own key makes for this proxy. */
export function nonceFor({ world }, proxy) {
  return core.makeNonce(world.keys.mac, world.random, proxy.id, world.clock());
}
