import { createPrivateKey } from "node:crypto";
import { base64url, makeLeaf, vkeyOf } from "@countersign/core";
import type { Bytes, Digest, Entry, LeafType, Seconds, Signer } from "@countersign/core";
import { nodeCrypto, signerOf } from "@countersign/node";
import { memoryCheckpoint } from "./checkpoint-file.ts";
import { openStore } from "./open.ts";
import type { StoreOptions } from "./open.ts";
import type {
  AskRow,
  AuthenticatorRecord,
  CredentialRow,
  EntryRow,
  GrantRow,
  InstallationRow,
  OwnerKeyRow,
  ProxyRow,
  StopRow,
} from "./rows.ts";
import type { Change, Committed, Decision, Store } from "./store.ts";

export const NOW: Seconds = 1_800_000_000;
export const ORIGIN = "id.example.org/log";
export const PROXY = "spiffe://example.org/proxy/host-1";
export const ENTRY = "spiffe://example.org/agent/mailer";
export const AGENT = `${ENTRY}/0011223344556677`;
export const OWNER = "urn:agent-owner:example.org:owner-one";

/** An Ed25519 signer from a seed: PKCS#8 is a fixed prefix and the seed. */
function signerFrom(seed: number): Signer {
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  const der = Buffer.concat([prefix, Buffer.alloc(32, seed)]);
  return signerOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
}
export const LOG_SIGNER: Signer = signerFrom(1);
export const OTHER_SIGNER: Signer = signerFrom(2);
export const VKEY: string = vkeyOf(nodeCrypto, ORIGIN, LOG_SIGNER.key);

const octets = (word: string): Bytes => nodeCrypto.sha256(new TextEncoder().encode(word));
/** A bare hash that stands for a word. */
export const hashOf = (word: string): string => base64url(octets(word));
export const digestOfWord = (word: string): Digest => `sha-256:${hashOf(word)}`;

export function open(options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    path: ":memory:",
    checkpointFile: memoryCheckpoint(),
    crypto: nodeCrypto,
    logSigner: LOG_SIGNER,
    origin: ORIGIN,
    now: () => NOW,
    ...options,
  });
}

/** Commits changes under a log row of their own. */
export type Put = (...changes: readonly Change[]) => Promise<unknown>;

/** Commits what must not be refused. */
export async function written(store: Store, decision: Decision): Promise<Committed> {
  const result = await store.commit(decision);
  if (typeof result === "string") throw new Error(`not written: ${result}`);
  return result;
}

/** The log part of a decision about `word`. */
export function logOf(
  word: string,
  type: LeafType = "entry.added",
  t: Seconds = NOW,
): NonNullable<Decision["log"]> {
  const salt = octets(`salt ${word}`).subarray(0, 16);
  const { leaf, record } = makeLeaf(nodeCrypto, {
    type,
    t,
    actor: "server",
    record: { v: 1, word },
    recordSalt: salt,
    ...(type === "credential.issued"
      ? { forms: [1, 2].map(() => ({ salt, payload: octets(word) })) }
      : {}),
  });
  return { type, t, leaf, record, salts: { record: base64url(salt) } };
}

export function decisionOf(word: string, rest: Partial<Decision> = {}): Decision {
  return { log: logOf(word), changes: [], ...rest };
}

export function entryRow(change: Partial<EntryRow> = {}, body: Partial<Entry> = {}): EntryRow {
  const row: EntryRow = {
    id: ENTRY,
    proxy: PROXY,
    name: "mailer",
    version: 1,
    body: {
      id: ENTRY,
      proxy: PROXY,
      uid: 1000,
      door: "run",
      facts: [],
      pins: [],
      interpreterOptions: [],
      audiences: ["https://mail.example.com/"],
      binding: "owner",
      owner: OWNER,
      grant: { use: "standing", maxTtlSeconds: 900, maxLive: 8, ceiling: [] },
      evidence: "public",
      offlineProofs: true,
      insecureSameUid: false,
      insecureSoftKeyStanding: false,
      ...body,
    },
  };
  return { ...row, ...change };
}

export function proxyRow(change: Partial<ProxyRow> = {}): ProxyRow {
  return {
    id: PROXY,
    name: "host-1",
    state: "enrolled",
    liveSerial: "01",
    liveJkt: hashOf("proxy key"),
    liveJwk: LOG_SIGNER.key,
    notAfter: NOW + 604_800,
    enrolledAt: NOW,
    ...change,
  };
}

export function ownerKeyRow(change: Partial<OwnerKeyRow> = {}): OwnerKeyRow {
  return {
    jkt: hashOf("owner key"),
    owner: OWNER,
    jwk: LOG_SIGNER.key,
    kind: "person",
    comment: "laptop",
    spki: hashOf("spki"),
    basis: "tofu",
    statement: octets("statement"),
    sigs: [{ k: "sshsig", s: "AAAA" }],
    addedAt: NOW,
    ...change,
  };
}

export const AUTHENTICATOR: AuthenticatorRecord = {
  fmt: "packed",
  obj: "oA",
  cd: "e30",
  aaguid: "00000000-0000-0000-0000-000000000000",
  credential: "AAAA",
  transports: ["internal", "hybrid"],
  backupEligible: true,
  backedUp: false,
  counter: 0,
};

export function installationRow(change: Partial<InstallationRow> = {}): InstallationRow {
  return {
    agent: AGENT,
    entry: ENTRY,
    anchor: hashOf("anchor"),
    proxy: PROXY,
    since: NOW,
    ...change,
  };
}

export function askRow(change: Partial<AskRow> = {}): AskRow {
  return {
    req: digestOfWord("request"),
    id: "k3x9",
    entry: ENTRY,
    agent: AGENT,
    proxy: PROXY,
    anchor: hashOf("anchor"),
    owner: OWNER,
    request: "e30.e30.AA",
    facts: { uid: 1000 },
    appraisal: { host: "affirming" },
    reasons: [{ code: "first_approval", text: "first" }],
    expected: false,
    createdAt: NOW,
    deadline: NOW + 3600,
    state: "asked",
    ...change,
  };
}

export function grantRow(change: Partial<GrantRow> = {}): GrantRow {
  return {
    cs: digestOfWord("grant"),
    agent: AGENT,
    entry: ENTRY,
    proxy: PROXY,
    owner: OWNER,
    ownerJkt: hashOf("owner key"),
    ownerKind: "person",
    basis: "tofu",
    assurance: 2,
    model: "server",
    statement: octets("grant"),
    signature: { k: "sshsig", s: "AAAA" },
    key: { jwk: LOG_SIGNER.key },
    nbf: NOW,
    exp: NOW + 86_400,
    use: "standing",
    maxIssue: 3,
    maxLive: 8,
    maxTtlSeconds: 900,
    issued: 0,
    ...change,
  };
}

export function credentialRow(
  word: string,
  change: Partial<CredentialRow> = {},
): Omit<CredentialRow, "seq" | "log"> {
  return {
    jti: hashOf(`jti ${word}`).slice(0, 22),
    agent: AGENT,
    entry: ENTRY,
    proxy: PROXY,
    iat: NOW,
    exp: NOW + 900,
    keyJkt: hashOf(`key ${word}`),
    salts: { wit: hashOf("a").slice(0, 22), x509: hashOf("b").slice(0, 22) },
    ...change,
  };
}

export function stopRow(change: Partial<StopRow> = {}): StopRow {
  return {
    id: "stop-1",
    scope: "agent",
    target: AGENT,
    since: NOW,
    by: "admin",
    reason: "drill",
    ...change,
  };
}
