import {
  base64,
  canonicalJson,
  CONSENT_NAMESPACE,
  digestOf,
  EVIDENCE,
  formPayload,
  fromBase64,
  fromUtf8,
  hashOf,
  jwksOf,
  leafHash,
  makeLeaf,
  MerkleTree,
  pemEncode,
  proxyId,
  agentEntryOf,
  seal,
  sealWpt,
  signCheckpoint,
  sshKeyOf,
  thumbprint,
  utf8,
  writeArmor,
  writeBundle,
  writeIssueRecord,
  writePublicKeyLine,
  writeTlogProof,
  writeTrustBundle,
  base64url,
} from "@countersign/core";
import type {
  AppraisalResult,
  Bundle,
  Bytes,
  Digest,
  EvidenceClaims,
  IssueRecord,
  Seconds,
  Signer,
} from "@countersign/core";
import { generateSigner, nodeRandom, randomName } from "@countersign/node";
// oxlint-disable-next-line no-restricted-imports -- the one fixture of a whole true story lives in core
import { makeStory } from "../../core/src/verify/story.testing.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
import type { Story } from "../../core/src/verify/story.testing.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { NOW } from "../../core/src/verify/story.testing.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { trustFileOf } from "../../core/src/verify/request.testing.ts";

/** The address that the proof of the fixture is for. */
export const AUD = "https://mail.example.com/send";
const DIGEST: Digest = `sha-256:${"A".repeat(43)}`;
const AFFIRMING: AppraisalResult = {
  ear_status: "affirming",
  ear_trustworthiness_vector: { "instance-identity": 2 },
  ear_appraisal_policy_ids: ["standard/1"],
};

/** What is otherwise than in a true folder. */
export interface FolderChange {
  readonly record?: (record: Omit<IssueRecord, "v">) => Omit<IssueRecord, "v">;
  readonly evidence?: (claims: EvidenceClaims) => EvidenceClaims;
  readonly proofBy?: Signer;
  readonly aud?: string;
}

export interface MadeFolder {
  readonly story: Story;
  readonly files: Map<string, Bytes>;
}

async function makeEvidence(story: Story, proxy: Signer, change: FolderChange): Promise<string> {
  const claims: EvidenceClaims = {
    eatNonce: base64url(nodeRandom(16)),
    aud: story.domain.bundle.issuer,
    iat: story.now - 33,
    key: story.keys.credential.key,
    req: DIGEST,
    submods: {
      host: { countersign_os: { kernel: "6.8.0" } },
      agent: {
        countersign_proc: {
          pid: 7,
          start: 70,
          uid: 1000,
          gid: 1000,
          groups: [],
          exe: { path: "/usr/bin/mailer", d: DIGEST, dev: "8:1", ino: 9 },
          args: [],
          ptraced: false,
          parents: [],
          key: { store: "proxy", exportable: false },
        },
      },
    },
  };
  return (await seal(story.c, EVIDENCE, change.evidence?.(claims) ?? claims, proxy)).octets;
}

function recordOf(story: Story, evidence: string, proxy: Signer): Omit<IssueRecord, "v"> {
  const { agent, c, now } = story;
  return {
    agent,
    entry: agentEntryOf(agent),
    owner: story.statement.body.owner.id,
    cs: story.statement.cs,
    n: 1,
    jti: story.bundle.credential.jti,
    req: DIGEST,
    evidence: digestOf(c, evidence),
    proxy: { id: proxyId("example.org", "laptop"), jkt: thumbprint(c, proxy.key) },
    appraisal: { host: AFFIRMING, agent: AFFIRMING },
    policy: { decision: "issue", id: "standard/1" },
    iat: now - 30,
    nbf: now - 60,
    exp: now + 600,
  };
}

interface Logged {
  readonly part: Pick<Bundle["credential"], "leaf" | "salts" | "proof">;
  readonly checkpoint: string;
  readonly record: Bytes;
  readonly salt: Bytes;
}

/** Logs the story's credential anew, with a record that says everything. */
async function log(story: Story, record: IssueRecord): Promise<Logged> {
  const { c, statement, credential, keys, now } = story;
  const salts = { wit: nodeRandom(16), x509: nodeRandom(16) };
  const salt = nodeRandom(16);
  const [certificate = new Uint8Array(0)] = credential.chain;
  const made = makeLeaf(c, {
    type: "credential.issued",
    t: now - 30,
    actor: "server",
    record,
    recordSalt: salt,
    forms: [
      { salt: salts.wit, payload: formPayload(c, statement.cs, utf8(credential.wit)) },
      { salt: salts.x509, payload: formPayload(c, statement.cs, certificate) },
    ],
  });
  const tree = new MerkleTree(c);
  for (const entry of [utf8("before"), made.leaf]) tree.append(leafHash(c, entry));
  const head = { origin: story.domain.bundle.log.origin, size: 2, root: tree.root() };
  const checkpoint = await signCheckpoint(c, head, keys.log);
  const proof = writeTlogProof({ index: 1, proof: tree.inclusionProof(1), checkpoint });
  return { part: { leaf: made.leaf, salts, proof }, checkpoint, record: made.record, salt };
}

async function proofOf(story: Story, change: FolderChange): Promise<string> {
  const exp: Seconds = story.now + 30;
  const wth = hashOf(story.c, story.credential.wit);
  const claims = { aud: change.aud ?? AUD, exp, jti: randomName(), wth };
  return (await sealWpt(story.c, claims, change.proofBy ?? story.keys.credential)).octets;
}

/** A folder as the demo writes it, true but for the change. */
export async function makeFolder(change: FolderChange = {}): Promise<MadeFolder> {
  // the folder has a log of its own, which nobody witnesses
  const story = await makeStory({ trust: ({ witnesses: _none, ...domain }) => domain });
  const proxy = generateSigner();
  const evidence = await makeEvidence(story, proxy, change);
  const plain = recordOf(story, evidence, proxy);
  const logged = await log(story, writeIssueRecord(change.record?.(plain) ?? plain));
  const bundle = { ...story.bundle, credential: { ...story.bundle.credential, ...logged.part } };
  const [leaf = new Uint8Array(0), ...cas] = story.credential.chain;
  const [root = new Uint8Array(0)] = story.domain.bundle.roots;
  const { sig } = story.bundle.approval ?? {};
  const owner = writePublicKeyLine(sshKeyOf(story.keys.owner.key));
  const text: Record<string, string> = {
    "wit.jwt": `${story.credential.wit}\n`,
    "jwks.json": JSON.stringify(jwksOf(story.domain.bundle)),
    "wpt.jwt": `${await proofOf(story, change)}\n`,
    "wic.pem": pemEncode("CERTIFICATE", leaf),
    "chain.pem": cas.map((der) => pemEncode("CERTIFICATE", der)).join(""),
    "root.pem": pemEncode("CERTIFICATE", root),
    "bundle.json": canonicalJson(writeBundle(bundle)),
    "statement.json": fromUtf8(story.statement.bytes),
    "statement.sshsig": writeArmor(fromBase64(sig?.k === "sshsig" ? sig.s : base64(root))),
    allowed_signers: `owner namespaces="${CONSENT_NAMESPACE}" ${owner}\n`,
    "checkpoint.txt": logged.checkpoint,
    "leaf.tlog-proof": logged.part.proof,
    "record.json": fromUtf8(logged.record),
    "record.salt": base64url(logged.salt),
    "evidence.jwt": `${evidence}\n`,
    "proxy.jwk": canonicalJson(proxy.key),
    "trust-bundle.json": fromUtf8(writeTrustBundle(story.domain.bundle)),
    "CHECK.md": `# How to check\n\nnow: ${story.now}\naud: ${AUD}\n`,
  };
  const files = new Map(Object.entries(text).map(([name, content]) => [name, utf8(content)]));
  return { story, files };
}
