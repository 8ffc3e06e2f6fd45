// Every public name of the pure core, by subject.

// primitives
export type {
  Bytes,
  Crypto,
  Digest,
  EcJwk,
  Jwk,
  OkpJwk,
  Random,
  Seconds,
  SignatureAlgorithm,
  Signer,
} from "./crypto.ts";
export { algorithmOf } from "./crypto.ts";
export {
  base64,
  base64url,
  concat,
  equalBytes,
  equalText,
  fromBase64,
  fromBase64url,
  fromUtf8,
  hex,
  utf8,
} from "./bytes.ts";
export { problemOf, Refusal, REFUSALS } from "./refusal.ts";
export type { Problem, RefusalCode } from "./refusal.ts";

// json
export { canonicalBytes, canonicalJson } from "./json/canonical.ts";
export { isDigest, isHash, Members } from "./json/read.ts";
export { isObject, parseJson, parseJsonObject } from "./json/strict.ts";
export type { Json, JsonLimits, JsonObject } from "./json/strict.ts";

// jose
export { parseCompact } from "./jose/compact.ts";
export type { CompactJws } from "./jose/compact.ts";
export { algorithmsFor, readConfirmationJwk, readJwk, sameKey, thumbprint } from "./jose/jwk.ts";
export { digestOf, open, seal } from "./jose/signed.ts";
export type { Signed, SignedType } from "./jose/signed.ts";

// identifier
export { lintIdentifier03 } from "./identifier/lint.ts";
export type { LooseFinding } from "./identifier/lint.ts";
export { parseOwnerId } from "./identifier/owner.ts";
export type { OwnerId } from "./identifier/owner.ts";
export { matchesPolicy } from "./identifier/policy.ts";
export type { IdentifierRule } from "./identifier/policy.ts";
export {
  agentEntryOf,
  agentId,
  entryId,
  parseName,
  parseNameSegment,
  parseOrigin,
  parseTrustDomain,
  parseWorkloadId,
  proxyId,
  serverId,
} from "./identifier/workload.ts";
export type { Name, Origin, Scheme, WorkloadId } from "./identifier/workload.ts";

// credential (WIT)
export type { Confirmation } from "./credential/confirmation.ts";
export { readOwnerClaim, writeOwnerClaim } from "./credential/owner-claim.ts";
export type { OwnerClaim } from "./credential/owner-claim.ts";
export { sealWit, verifyWit } from "./credential/wit.ts";
export type {
  OriginTrust,
  VerifiedWit,
  WitClaims,
  WitDraft,
  WitKey,
  WitOptions,
  WitTrust,
} from "./credential/wit.ts";
export { jwksOf, readTrustBundle, writeTrustBundle } from "./trust/bundle.ts";
export type { TrustBundle } from "./trust/bundle.ts";
export { witTrustOf } from "./trust/wit-trust.ts";

// proof
export { audienceOf, matchesLocation, sameAudience } from "./proof/audience.ts";
export { credentialsOf } from "./proof/headers.ts";
export type { Credentials, HeaderLines } from "./proof/headers.ts";
export { answerOf, ProofRefusal } from "./proof/refusal.ts";
export type { RefusalAnswer } from "./proof/refusal.ts";
export { memoryReplayStore } from "./proof/replay.ts";
export type { FirstUse, ReplayStore } from "./proof/replay.ts";
export {
  FOREIGN_PROOF_LIFE_SECONDS,
  hashOf,
  OWN_PROOF_LIFE_SECONDS,
  sealWpt,
  verifyWpt,
} from "./proof/wpt.ts";
export type { ProofInput, VerifiedProof, WptClaims } from "./proof/wpt.ts";

// der, x509

// est

// evidence
export { appraise } from "./evidence/appraisal.ts";
export type { Appraisal, EntryForAppraisal } from "./evidence/appraisal.ts";
export { tierOf, TIERS, TRUST_CLAIMS } from "./evidence/ar4si.ts";
export type { Tier, TrustClaim, TrustVector } from "./evidence/ar4si.ts";
export { EAR_PROFILE, readEar, VERAISON_PROFILE, writeEar } from "./evidence/ear.ts";
export type { AppraisalResult, Ear, EarAppraisal } from "./evidence/ear.ts";
export { EVIDENCE, EVIDENCE_PROFILE, MEASUREMENT_NAMES, measurementsOf } from "./evidence/eat.ts";
export type { EvidenceClaims, MeasurementName } from "./evidence/eat.ts";
export type { AiDigest, EatAiClaims } from "./evidence/eat-ai.ts";
export type {
  AgentSubmod,
  Basis,
  HostFacts,
  HostSubmod,
  ManifestFact,
  ProcessFacts,
  ScriptFact,
} from "./evidence/facts.ts";
export { isInterpreterPath } from "./evidence/posture.ts";
export type { AppraisalPolicy } from "./evidence/posture.ts";

// consent

// transparency
export { openCheckpoint, signCheckpoint } from "./transparency/checkpoint.ts";
export type { Checkpoint, TreeHead } from "./transparency/checkpoint.ts";
export { readIssueRecord, writeIssueRecord } from "./transparency/issue-record.ts";
export type { IssueRecord } from "./transparency/issue-record.ts";
export {
  commitment,
  formPayload,
  makeLeaf,
  openRecord,
  opensForm,
  readLeaf,
  SALT_BYTES,
} from "./transparency/leaf.ts";
export type { Actor, Leaf, LeafDraft, LeafType } from "./transparency/leaf.ts";
export { openNote, parseVkey, signNote, vkeyOf } from "./transparency/note.ts";
export type { NoteKey } from "./transparency/note.ts";
export { parseTlogProof, verifyTlogProof, writeTlogProof } from "./transparency/tlog-proof.ts";
export type { LoggedAt, TlogProof } from "./transparency/tlog-proof.ts";
export {
  emptyRoot,
  leafHash,
  MerkleTree,
  verifyConsistency,
  verifyInclusion,
} from "./transparency/tree.ts";
export type { Consistency, Inclusion } from "./transparency/tree.ts";

// issuance

// verify

// api
