import {
  base64,
  CONSENT_NAMESPACE,
  digestOf,
  equalBytes,
  EVIDENCE,
  FOREIGN_PROOF_LIFE_SECONDS,
  fromBase64url,
  fromUtf8,
  isObject,
  memoryReplayStore,
  open,
  openRecord,
  OWN_PROOF_LIFE_SECONDS,
  parseCompact,
  parseJsonObject,
  parsePublicKeyLine,
  parseTlogProof,
  pemDecode,
  presentedOf,
  readArmor,
  readBundle,
  readIssueRecord,
  readJwk,
  readLeaf,
  readTrustBundle,
  Refusal,
  sameKey,
  thumbprint,
  verifyWit,
  verifyWpt,
  witTrustOf,
} from "@countersign/core";
import type {
  ApprovalPart,
  Bundle,
  Bytes,
  Crypto,
  Demand,
  DomainTrust,
  IssueRecord,
  RefusalCode,
  Seconds,
  Trust,
  VerifiedWit,
} from "@countersign/core";
import { isGap } from "./check.ts";
import type { Check } from "./check.ts";
import { verifyShown } from "./verify-shown.ts";
import type { Shown } from "./verify-shown.ts";

/** Files of a demo's folder by name (formats 7). */
export type Folder = ReadonlyMap<string, Bytes>;

/** What `CHECK.md` says: a second at which everything was valid, and the address of `wpt.jwt`. */
export interface Terms {
  readonly now: Seconds;
  readonly aud: string;
}

const SKEW_SECONDS = 60;
const EVIDENCE_AGE_SECONDS = 300;
const MAX_TOKEN_BYTES = 16_384;
const MAX_JSON_BYTES = 65_536;
const MAX_ISSUING_CAS = 3;

function no(code: RefusalCode, why: string): never {
  throw new Refusal(code, why);
}

function octets(folder: Folder, name: string): Bytes {
  const found = folder.get(name);
  return found ?? no("not_found", `the folder has no ${name}`);
}

function text(folder: Folder, name: string): string {
  return fromUtf8(octets(folder, name));
}

/** One line of text: at most one newline at its end, which does not count (formats 1). */
function line(folder: Folder, name: string): string {
  return text(folder, name).replace(/\n$/, "");
}

/** @throws Refusal `not_found`, `malformed_request` */
export function readTerms(folder: Folder): Terms {
  const check = text(folder, "CHECK.md");
  const now = /^now: ([0-9]{1,12})$/m.exec(check)?.[1];
  const aud = /^aud: (\S+)$/m.exec(check)?.[1];
  if (now === undefined || aud === undefined)
    return no("malformed_request", "CHECK.md lacks its lines now: and aud:");
  return { now: Number(now), aud };
}

/** What the checks of the files are made against: only what the links have verified. */
interface Examined {
  readonly c: Crypto;
  readonly folder: Folder;
  readonly bundle: Bundle;
  readonly wit: VerifiedWit;
  readonly domain: DomainTrust;
  readonly aud: string;
  readonly now: Seconds;
}

interface FileCheck {
  readonly id: string;
  readonly title: string;
  readonly needsOwner?: boolean;
  /** @throws Refusal with the reason */
  readonly check: (x: Examined) => Promise<void> | void;
}

const approvalOf = (x: Examined): ApprovalPart =>
  x.bundle.approval ?? no("owner_evidence_needed", "no approval part");

function recordOf(x: Examined): IssueRecord {
  const leaf = readLeaf(x.bundle.credential.leaf);
  const salt = fromBase64url(line(x.folder, "record.salt"));
  return readIssueRecord(openRecord(x.c, leaf, octets(x.folder, "record.json"), salt));
}

/** `jwks.json`, `root.pem` and `trust-bundle.json` are for other people's tools: they must say what we trust. */
function checkPublished(x: Examined): void {
  const { bundle } = x.domain;
  const limits = { maxBytes: 1_048_576, maxDepth: 8, nullAllowed: true, fractionsAllowed: true };
  const { keys } = parseJsonObject(octets(x.folder, "jwks.json"), limits);
  const { kid } = parseCompact(x.wit.octets, MAX_TOKEN_BYTES).header;
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [];
  const key = all.find((one) => isObject(one) && one["kid"] === kid);
  if (!isObject(key) || key["x"] !== x.wit.issuerKey.x)
    no("unknown_key", "jwks.json lacks the key that signed the token");
  const [root] = pemDecode(text(x.folder, "root.pem"), "CERTIFICATE", 1);
  if (root === undefined || !bundle.roots.some((one) => equalBytes(one, root)))
    no("untrusted_chain", "root.pem is not a root that you trust");
  const published = readTrustBundle(octets(x.folder, "trust-bundle.json"), x.now);
  if (published.trustDomain !== bundle.trustDomain || published.log.vkey !== bundle.log.vkey)
    no("trust_bundle_changed", "trust-bundle.json names another trust domain or log");
}

async function checkProof(x: Examined): Promise<void> {
  await verifyWpt(x.c, {
    proof: line(x.folder, "wpt.jwt"),
    wit: x.wit,
    headers: [],
    audiences: [x.aud],
    maxLifeSeconds: x.domain.isInside ? OWN_PROOF_LIFE_SECONDS : FOREIGN_PROOF_LIFE_SECONDS,
    now: x.now,
    skewSeconds: SKEW_SECONDS,
    replay: memoryReplayStore({ maxEntries: 16 }),
  });
}

function checkStatementFile(x: Examined): void {
  if (!equalBytes(octets(x.folder, "statement.json"), approvalOf(x).st))
    no("payload_mismatch", "statement.json is not what the owner signed");
}

function checkSshsigFile(x: Examined): void {
  const { sig } = approvalOf(x);
  if (sig.k !== "sshsig") no("signature_invalid", "the owner did not sign with an SSH key");
  else if (base64(readArmor(text(x.folder, "statement.sshsig"))) !== sig.s)
    no("signature_invalid", "statement.sshsig is another signature");
}

function checkAllowedSigners(x: Examined): void {
  const [principal = "", options = "", ...key] = line(x.folder, "allowed_signers").split(" ");
  if (principal !== "owner" || options !== `namespaces="${CONSENT_NAMESPACE}"`)
    no("namespace_mismatch", "allowed_signers is not the line for an owner");
  const pinned = parsePublicKeyLine(key.join(" "));
  const { jwk, app } = approvalOf(x).key;
  if (!sameKey(pinned.jwk, jwk) || pinned.app !== app)
    no("owner_key_unaccepted", "allowed_signers pins another key");
}

function checkLogFiles(x: Examined): void {
  const proof = text(x.folder, "leaf.tlog-proof");
  if (proof !== x.bundle.credential.proof)
    no("log_proof_invalid", "leaf.tlog-proof is not the bundle's");
  if (parseTlogProof(proof).checkpoint !== text(x.folder, "checkpoint.txt"))
    no("checkpoint_invalid", "checkpoint.txt is not the one inside the proof");
}

function checkRecord(x: Examined): void {
  const record = recordOf(x);
  const { sub, jti, owner, exp } = x.wit;
  const isSame =
    record.agent === sub.uri &&
    record.jti === jti &&
    record.jti === x.bundle.credential.jti &&
    record.cs === owner?.cs &&
    record.owner === owner?.id &&
    record.exp === exp;
  if (!isSame) no("record_invalid", "the record is of another credential");
}

async function checkEvidence(x: Examined): Promise<void> {
  const record = recordOf(x);
  const evidence = line(x.folder, "evidence.jwt");
  if (digestOf(x.c, evidence) !== record.evidence)
    no("evidence_invalid", "evidence.jwt is not the evidence that the record names");
  const limits = { maxBytes: MAX_JSON_BYTES, maxDepth: 2 };
  const key = readJwk(parseJsonObject(octets(x.folder, "proxy.jwk"), limits));
  if (thumbprint(x.c, key) !== record.proxy.jkt)
    no("evidence_invalid", "proxy.jwk is not the key that the record names");
  const { claims } = await open(x.c, EVIDENCE, evidence, [key]);
  if (claims.req !== record.req) no("evidence_invalid", "it was made for another request");
  if (claims.aud !== x.domain.bundle.issuer) no("evidence_invalid", "it was made for others");
  if (!sameKey(claims.key, x.wit.confirmation.key))
    no("evidence_invalid", "it was made for another key");
  checkEvidenceTime(claims.iat, x.wit.iat);
}

/** formats 5: WIT.iat − 300 s − skew ≤ E.iat ≤ WIT.iat + skew. */
function checkEvidenceTime(measured: Seconds, issued: Seconds | undefined): void {
  if (issued === undefined) return no("evidence_invalid", "the token has no iat");
  if (measured < issued - EVIDENCE_AGE_SECONDS - SKEW_SECONDS)
    no("evidence_invalid", `${issued - measured} s older than the credential`);
  if (measured > issued + SKEW_SECONDS) no("evidence_invalid", "younger than the credential");
}

/** What a folder shows beyond the links, in order. */
export const FILE_CHECKS: readonly FileCheck[] = [
  {
    id: "published",
    title: "keys, root and trust bundle are the trusted ones",
    check: checkPublished,
  },
  { id: "wpt", title: "the proof was made with the credential's key, for aud", check: checkProof },
  {
    id: "statement-file",
    title: "statement.json holds the octets that were signed",
    needsOwner: true,
    check: checkStatementFile,
  },
  {
    id: "sshsig-file",
    title: "statement.sshsig is the owner's signature",
    needsOwner: true,
    check: checkSshsigFile,
  },
  {
    id: "allowed-signers",
    title: "allowed_signers pins the owner's key",
    needsOwner: true,
    check: checkAllowedSigners,
  },
  { id: "log-files", title: "proof and checkpoint are the bundle's", check: checkLogFiles },
  {
    id: "record",
    title: "the record opens the log entry and is of this issue",
    check: checkRecord,
  },
  {
    id: "evidence-file",
    title: "the evidence is the recorded one, by the proxy's key, of that time",
    check: checkEvidence,
  },
];

async function runCheck(item: FileCheck, x: Examined): Promise<Check> {
  const { id, title } = item;
  if (item.needsOwner === true && x.bundle.approval === undefined)
    return { id, title, result: "skipped", why: "no owner approved it" };
  try {
    await item.check(x);
    return { id, title, result: "ok" };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const why = error.message.slice(error.code.length + 2);
    return { id, title, result: error.code, ...(why === "" ? {} : { why }) };
  }
}

const unreached = ({ id, title }: FileCheck): Check => ({ id, title, result: "not reached" });

/** Runs the file checks up to the first that refuses. */
async function checkFiles(x: Examined): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const item of FILE_CHECKS) {
    const isStopped = checks.some((check) => isGap(check));
    checks.push(isStopped ? unreached(item) : await runCheck(item, x));
  }
  return checks;
}

/** How a folder is verified. `now` decides for every check; `aud` is the address that `wpt.jwt` is for. */
export interface FolderOptions extends Terms {
  readonly trust: Trust;
  readonly demand: Demand;
}

/**
 * Verifies a folder as the demo writes it, offline: core's links over the credential, then the files around it.
 * @throws Refusal for a folder whose credential or bundle cannot be read
 */
export async function verifyFolder(
  c: Crypto,
  folder: Folder,
  options: FolderOptions,
): Promise<Shown> {
  const { trust, demand, now, aud } = options;
  const wit = line(folder, "wit.jwt");
  const bundle = readBundle(octets(folder, "bundle.json"));
  const chain = [
    ...pemDecode(text(folder, "wic.pem"), "CERTIFICATE", 1),
    ...pemDecode(text(folder, "chain.pem"), "CERTIFICATE", MAX_ISSUING_CAS),
  ];
  const shown = await verifyShown(c, presentedOf(wit, chain, bundle), trust, demand, now);
  if (shown.verdict === undefined)
    return { checks: [...shown.checks, ...FILE_CHECKS.map(unreached)] };
  const verified = await verifyWit(c, wit, witTrustOf(c, trust), now, {
    skewSeconds: SKEW_SECONDS,
  });
  const domain = trust.get(verified.sub.origin);
  if (domain === undefined) return no("unknown_trust_domain", verified.sub.origin);
  const files = await checkFiles({ c, folder, bundle, wit: verified, domain, aud, now });
  const checks = [...shown.checks, ...files];
  return files.some((check) => isGap(check)) ? { checks } : { checks, verdict: shown.verdict };
}

/** The names of a folder's files. */
export const FOLDER_FILES: readonly string[] = [
  ...["wit.jwt", "jwks.json", "wpt.jwt", "wic.pem", "chain.pem", "root.pem", "bundle.json"],
  ...["statement.json", "statement.sshsig", "allowed_signers", "checkpoint.txt"],
  ...["leaf.tlog-proof", "record.json", "record.salt", "evidence.jwt", "proxy.jwk"],
  ...["trust-bundle.json", "CHECK.md"],
];
