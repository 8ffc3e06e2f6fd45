// One agent whose owner approved it, made with the public functions of core, and many credentials of it.
import { core, node } from "./dist.mjs";

const c = node.nodeCrypto;
export const NOW = 1_800_000_000;
const DAY = 86_400;
const TD = "example.org";
const ORIGIN = `spiffe://${TD}`;
const ISSUER = `https://id.${TD}`;
const RESOURCE = "https://mail.example.com/";
const digest = (n) => `sha-256:${core.base64url(new Uint8Array(32).fill(n))}`;

/** The facts of a program that nothing is the matter with. */
export function submodsOf(uid = 1001) {
  return {
    host: { countersign_os: { kernel: "6.1" } },
    agent: {
      countersign_proc: {
        pid: 4711,
        start: 1,
        uid,
        gid: uid,
        groups: [],
        exe: { path: "/usr/bin/node", d: digest(1), dev: "8:1", ino: 1 },
        args: [{ path: "/app/agent.mjs", d: digest(2), basis: "argv" }],
        ptraced: false,
        parents: [],
        key: { store: "proxy", exportable: false },
      },
    },
  };
}

async function hierarchyOf(root, issuing) {
  const common = { origin: ORIGIN, hierarchy: "agents", name: TD, notBefore: NOW - DAY };
  const rootDer = await core.buildRoot(
    c,
    { ...common, serial: node.nodeRandom(16), notAfter: NOW + 3650 * DAY },
    root,
  );
  const issuer = core.parseCertificate(rootDer);
  const der = await core.buildIssuingCa(
    c,
    {
      ...common,
      serial: node.nodeRandom(16),
      notAfter: NOW + 30 * DAY,
      key: issuing.key,
      issuer,
    },
    root,
  );
  return { rootDer, certificate: core.parseCertificate(der) };
}

/** A statement that names this owner's key and this anchor. */
export function statementOf(owner, anchor) {
  const jkt = core.thumbprint(c, anchor.key);
  return core.writeStatement(c, {
    typ: "agent-consent/1",
    kind: "credential",
    decision: "approve",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
    aud: ISSUER,
    td: TD,
    iat: NOW - 120,
    exp: NOW + 180,
    nonce: core.base64url(node.nodeRandom(16)),
    owner: { id: `urn:agent-owner:${TD}:alice-0001`, jkt: core.thumbprint(c, owner.key) },
    agent: {
      id: core.agentId(core.entryId(TD, "mailer"), jkt),
      jkt,
      meas: [{ n: "binary", d: digest(1) }],
      host: core.proxyId(TD, "laptop"),
    },
    req: digest(3),
    grant: {
      use: "standing",
      nbf: NOW - 120,
      exp: NOW + DAY,
      max_ttl: 900,
      max_issue: 100_000,
      max_live: 8,
      rekey: "endorsed",
      ceiling: [{ type: "http_api", locations: [RESOURCE], actions: ["send"] }],
    },
    view: core.VIEW_CREDENTIAL,
  });
}

function witTrustOf(wit) {
  const kid = core.thumbprint(c, wit.key);
  return new Map([[ORIGIN, { issuers: [ISSUER], keys: [{ kid, key: wit.key }] }]]);
}

/** Signers, statement, owner's signature and what issues; everything that the rows of one process need. */
export async function makeStory() {
  const root = node.generateSigner();
  const issuing = node.generateSigner();
  const wit = node.generateSigner();
  const owner = node.generateSigner("Ed25519");
  const anchor = node.generateSigner();
  const { rootDer, certificate } = await hierarchyOf(root, issuing);
  const statement = statementOf(owner, anchor);
  const s = core.base64(await core.makeSshsig(c, owner, core.CONSENT_NAMESPACE, statement.bytes));
  const agent = statement.body.agent.id;
  const ownerClaim = {
    id: statement.body.owner.id,
    kind: "person",
    jkt: statement.body.owner.jkt,
    jwk: owner.key,
    cs: statement.cs,
    exp: NOW + DAY,
    oa: 2,
    eb: "admin",
    model: "server",
    n: 1,
  };
  const witDraft = (key) => ({
    iss: ISSUER,
    sub: core.parseWorkloadId(agent),
    iat: NOW,
    nbf: NOW - 30,
    exp: NOW + 900,
    jti: node.randomName(),
    confirmation: { key, alg: "ES256" },
    owner: ownerClaim,
  });
  const wicDraft = (key) => ({
    uri: agent,
    key,
    serial: node.nodeRandom(20),
    notBefore: NOW - 60,
    notAfter: NOW + 900,
    issuer: certificate,
    owner: {
      ownerId: ownerClaim.id,
      ownerKey: ownerClaim.jkt,
      consent: ownerClaim.cs,
      assurance: ownerClaim.oa,
      ownerSpki: core.spkiOf(ownerClaim.jwk),
    },
  });
  return {
    c,
    agent,
    keys: { issuing, wit, owner, anchor },
    root: rootDer,
    statement,
    signature: { k: "sshsig", s },
    trust: witTrustOf(wit),
    witDraft,
    wicDraft,
  };
}

/** Requests to `RESOURCE` under one WIT, each with a proof of its own. */
export async function makeProofs(story, count) {
  const credential = node.generateSigner();
  const sealed = await core.sealWit(c, story.witDraft(credential.key), story.keys.wit);
  const wit = await core.verifyWit(c, sealed.octets, story.trust, NOW);
  const proofs = [];
  for (let i = 0; i < count; i += 1) {
    const claims = {
      aud: RESOURCE,
      exp: NOW + 30,
      jti: node.randomName(),
      wth: core.hashOf(c, wit.octets),
    };
    const { octets: proof } = await core.sealWpt(c, claims, credential);
    const headers = [
      ["Workload-Identity-Token", wit.octets],
      ["Authorization", `WPT ${proof}`],
    ];
    proofs.push({ proof, wit, headers, audiences: [RESOURCE], maxLifeSeconds: 60, now: NOW });
  }
  return proofs;
}

/** Evidence of requests whose keys were seen with the request, and the entry that it is judged by. */
export async function makeEvidence(story, count) {
  const proxy = node.generateSigner();
  const evidence = [];
  for (let i = 0; i < count; i += 1) {
    const { key } = node.generateSigner();
    const claims = {
      eatNonce: core.base64url(node.nodeRandom(40)),
      aud: ISSUER,
      iat: NOW,
      key,
      req: digest(4),
      submods: submodsOf(),
    };
    evidence.push((await core.seal(c, core.EVIDENCE, claims, proxy)).octets);
  }
  const entry = { facts: [], pins: [], insecureSameUid: false, uid: 1001 };
  return { proxy: proxy.key, evidence, entry, references: new Set([digest(1), digest(2)]) };
}
