/* oxlint-disable max-lines -- the one list of all public names */
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
export { webCryptoOn } from "./web-crypto/web-crypto.ts";
export type { Subtle } from "./web-crypto/web-crypto.ts";
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
export { bounded, readOnce, rememberingCrypto } from "./remember.ts";
export type { Bounded } from "./remember.ts";
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
export { isSoundEd25519 } from "./jose/ed25519.ts";
export {
  algorithmsFor,
  hasFullCoordinates,
  readConfirmationJwk,
  readJwk,
  sameKey,
  thumbprint,
} from "./jose/jwk.ts";
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
  gatewayId,
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
export type { IssuanceModel, OwnerClaim } from "./credential/owner-claim.ts";
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
export { audienceOf, matchesLocation, proofAudienceOf, sameAudience } from "./proof/audience.ts";
export { credentialsOf, fieldLines, witOf } from "./proof/headers.ts";
export type { Credentials, HeaderLines } from "./proof/headers.ts";
export { answerOf, ProofRefusal } from "./proof/refusal.ts";
export type { RefusalAnswer } from "./proof/refusal.ts";
export { memoryReplayStore } from "./proof/replay.ts";
export type { FirstUse, ReplayStore } from "./proof/replay.ts";
export {
  FOREIGN_PROOF_LIFE_SECONDS,
  hashOf,
  makeWpt,
  OWN_PROOF_LIFE_SECONDS,
  sealWpt,
  verifyWpt,
} from "./proof/wpt.ts";
export type { ProofInput, VerifiedProof, WptClaims } from "./proof/wpt.ts";

// der, x509
export { buildCertificate } from "./x509/build.ts";
export type { AltNames, CertificateTemplate } from "./x509/build.ts";
export { checkNamed, checkServer } from "./x509/named.ts";
export { MAX_CERTIFICATE_BYTES, parseCertificate } from "./x509/certificate.ts";
export type { Certificate } from "./x509/certificate.ts";
export { buildCsr, parseCsr } from "./x509/csr.ts";
export type { Csr } from "./x509/csr.ts";
export type { BasicConstraints, Extensions, KeyUsage } from "./x509/extension.ts";
export { decodeOwnerBinding, encodeOwnerBinding } from "./x509/owner-binding.ts";
export type { OwnerBinding } from "./x509/owner-binding.ts";
export { MAX_PATH_CERTIFICATES, verifyPath } from "./x509/path.ts";
export type { PathInput, PathLevel, Purpose, VerifiedPath } from "./x509/path.ts";
export { pemDecode, pemEncode } from "./x509/pem.ts";
export {
  buildGateway,
  buildIssuingCa,
  buildProxy,
  buildRoot,
  buildServerTls,
  buildWic,
} from "./x509/profiles.ts";
export type {
  GatewayTemplate,
  Hierarchy,
  IssuingCaTemplate,
  ProxyTemplate,
  RootTemplate,
  ServerTlsTemplate,
  WicTemplate,
} from "./x509/profiles.ts";
export { jwkOfSpki, keyIdOf, spkiOf } from "./x509/spki.ts";
export { verifyTlsLeaf, verifyWic, workloadOfCertificate } from "./x509/wic.ts";
export type { TlsLeafInput, VerifiedWic, WicInput } from "./x509/wic.ts";

// est
export { EST_MEDIA_TYPE, readEstBody, writeEstBody, writeEstRequestBody } from "./est/body.ts";
export { readCertsOnly, writeCertsOnly } from "./est/certs-only.ts";
export { MAX_EST_BYTES, readEstAnswer, writeEstRequest } from "./est/exchange.ts";
export type { EstRequest } from "./est/exchange.ts";
export { chainOfIssued, pinnedRoot, readJoinToken } from "./est/enrolment.ts";
export type { JoinKind, JoinToken } from "./est/enrolment.ts";
export { checkRenewal, RENEWAL, RENEWAL_HEADER } from "./est/renewal.ts";
export type { RenewalClaims } from "./est/renewal.ts";

// evidence
export { appraise } from "./evidence/appraisal.ts";
export type { Appraisal, EntryForAppraisal } from "./evidence/appraisal.ts";
export { tierOf, TIERS, TRUST_CLAIMS } from "./evidence/ar4si.ts";
export type { Tier, TrustClaim, TrustVector } from "./evidence/ar4si.ts";
export { EAR_PROFILE, readEar, VERAISON_PROFILE, writeEar } from "./evidence/ear.ts";
export type { AppraisalResult, Ear, EarAppraisal } from "./evidence/ear.ts";
export { EVIDENCE, EVIDENCE_PROFILE, MEASUREMENT_NAMES, measurementsOf } from "./evidence/eat.ts";
export type { EvidenceClaims, MeasurementName } from "./evidence/eat.ts";
export type { RunFact } from "./evidence/run.ts";
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

// attestation
export {
  judgeAttestation,
  MAX_ATTESTATION_BYTES,
  readAttestation,
  writeAttestation,
} from "./attestation/attestation.ts";
export type {
  Attestation,
  AttestationContext,
  AttestationFinding,
  AttestationResult,
} from "./attestation/attestation.ts";
export { challengeOf, readRegistration } from "./attestation/registration.ts";
export type { Registration } from "./attestation/registration.ts";
export { MAX_ATTESTATION_ROOTS, readAttestationRoot } from "./attestation/roots.ts";
export { readCbor } from "./attestation/cbor.ts";
export type { Cbor, CborMap } from "./attestation/cbor.ts";

// consent
export { verifyApproval, verifyKeyStatement } from "./consent/approval.ts";
export type {
  Approval,
  ApprovalOptions,
  CertifiedKey,
  KeyEnrolment,
  KeySignature,
  VerifiedSigner,
} from "./consent/approval.ts";
export type { ActionClass, CeilingEntry } from "./consent/ceiling.ts";
export { compareApprovals } from "./consent/changes.ts";
export type { ApprovalDiff } from "./consent/changes.ts";
export { checkEligibility, counterStep } from "./consent/counter.ts";
export { loginChallenge } from "./consent/login.ts";
export { INVITATION_SECONDS, invitationPayload, makeInvitationCode } from "./consent/invitation.ts";
export { keysKnownTo } from "./consent/known-keys.ts";
export type { SpokenFor } from "./consent/known-keys.ts";
export { drawDigits } from "./consent/digits.ts";
export { readCode, requestCode, requestCodeOf, statementId } from "./consent/code.ts";
export { fenceNote, noteRuns } from "./consent/note.ts";
export type { FencedNote, NoteRun } from "./consent/note.ts";
export {
  makeStopCode,
  readStopCode,
  STOP_CODE_COUNT,
  stopCodePayload,
} from "./consent/stop-code.ts";
export { makeOwnerJws, ownerJwsHeader, ownerJwsInput, ownerJwsOf } from "./consent/owner-jws.ts";
export { ownersOf } from "./consent/parties.ts";
export type { Parties, Party } from "./consent/parties.ts";
export { readOwnerSignature, verifyOwnerSignature } from "./consent/owner-signature.ts";
export type { OwnerPublicKey, OwnerSignature, SignatureFacts } from "./consent/owner-signature.ts";
export { isSameConsent, verifyParties } from "./consent/quorum.ts";
export type { SignedStatement } from "./consent/quorum.ts";
export { verifyAssertion } from "./consent/webauthn.ts";
export type { Assertion, AssertionFacts } from "./consent/webauthn.ts";
export { checkNamedText } from "./consent/named.ts";
export type { NamedRequest } from "./consent/named.ts";
export type { ConsentPages } from "./consent/client-data.ts";
export {
  countSigned,
  decideByRules,
  readSignedTimes,
  writeSignedTimes,
} from "./consent/policy-decision.ts";
export type {
  LeaveCode,
  LeaveReason,
  PolicyQuestion,
  PolicyRuling,
  SignedTimes,
} from "./consent/policy-decision.ts";
export { readPolicyRules } from "./consent/policy-rules.ts";
export type { PolicyRule, PolicyRules } from "./consent/policy-rules.ts";
export { markedLines } from "./consent/marks.ts";
export type { Mark } from "./consent/marks.ts";
export { render, renderKeyStatement, signedText } from "./consent/render.ts";
export type { RenderedRequest, Rendering } from "./consent/render.ts";
export type { Clause, Paragraph } from "./consent/sentences.ts";
export {
  agentListRequest,
  agentMessageLength,
  agentSignRequest,
  readAgentIdentities,
  readAgentSignature,
} from "./consent/ssh/agent.ts";
export type { AgentIdentity } from "./consent/ssh/agent.ts";
export {
  blobOfJwk,
  isOwnerKey,
  parsePublicKeyLine,
  readKeyBlob,
  readPublicKeyLine,
  sshKeyOf,
  writePublicKeyLine,
} from "./consent/ssh/key.ts";
export type { OwnerKey, OwnerKeyKind, SshKey, SshKeyKind } from "./consent/ssh/key.ts";
export { parseOpensshPrivateKey, writeOpensshPrivateKey } from "./consent/ssh/private-key.ts";
export type { OpensshPrivateKey } from "./consent/ssh/private-key.ts";
export {
  claimedKeyOf,
  CONSENT_NAMESPACE,
  makeSshsig,
  readArmor,
  readSshsig,
  sshsigSignedData,
  verifySshsig,
  writeArmor,
  writeSshsig,
} from "./consent/ssh/sshsig.ts";
export type { SshHash, Sshsig, SshsigFacts } from "./consent/ssh/sshsig.ts";
export {
  isCredentialStatement,
  isKeyStatement,
  readStatement,
  statementChallenge,
  statementDigest,
  writeStatement,
} from "./consent/statement.ts";
export type {
  CredentialStatement,
  GrantBounds,
  KeyStatement,
  Measurement,
  OwnerKind,
  Statement,
  StatementOptions,
  StatementView,
} from "./consent/statement.ts";
export { renderTerminal } from "./consent/terminal.ts";
export { VIEW_CREDENTIAL, VIEW_PARTIES, VIEWS } from "./consent/view.ts";
export type { View } from "./consent/view.ts";
export type { Run } from "./consent/view-words.ts";

// transparency
export { openCheckpoint, readTreeHead, signCheckpoint } from "./transparency/checkpoint.ts";
export type { Checkpoint, TreeHead } from "./transparency/checkpoint.ts";
export {
  checkWitnesses,
  cosign,
  cosignaturesOn,
  MAX_WITNESSES,
} from "./transparency/cosignature.ts";
export type { Cosignature, WitnessPolicy } from "./transparency/cosignature.ts";
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
export { openNote, parseNote, parseVkey, signNote, vkeyOf } from "./transparency/note.ts";
export type { NoteKey, NoteKeyType, SignedNote } from "./transparency/note.ts";
export { tiledTree, tileOf } from "./transparency/tiled-tree.ts";
export type { TiledTree, TileSource } from "./transparency/tiled-tree.ts";
export {
  parseTilePath,
  readEntries,
  readTile,
  TILE_WIDTH,
  tileIn,
  tilePath,
  tilesIn,
  writeEntries,
  writeTile,
} from "./transparency/tiles.ts";
export type { Tile } from "./transparency/tiles.ts";
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
export {
  cosignatureIn,
  judgeSubmission,
  MAX_ADD_CHECKPOINT_BYTES,
  openSubmission,
  parseAddCheckpoint,
  readSizeAnswer,
  TLOG_SIZE_TYPE,
  writeAddCheckpoint,
} from "./transparency/witness.ts";
export type { AddCheckpoint, WitnessRefusal, WitnessRuling } from "./transparency/witness.ts";

// issuance
export { issueCredential } from "./credential/issue.ts";
export type { Credential, IssueParts } from "./credential/issue.ts";
export {
  MAX_EVIDENCE_CHARACTERS,
  OWNER_EVIDENCE_HEADER,
  readApprovalPart,
  readBundle,
  readCredentialPart,
  writeApprovalPart,
  writeBundle,
  writeCredentialPart,
  withoutAttestations,
  writeEvidenceHeader,
} from "./credential/bundle.ts";
export type {
  ApprovalPart,
  Bundle,
  BundleKey,
  CredentialPart,
  OwnerApproval,
} from "./credential/bundle.ts";
export { MAX_CHAIN_STEPS } from "./credential/enrolment.ts";
export type { EnrolmentStep } from "./credential/enrolment.ts";
export { MAX_OWNER_CERTIFICATES, readCertifiedKey, readX5c } from "./credential/x5c.ts";
export {
  checkAnswer,
  decideApproval,
  checkTerms,
  draftStatement,
  grantTerms,
  isStanding,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  STATEMENT_LIFE_SECONDS,
} from "./issuance/approve.ts";
export type { Ask, EnrolledKey, KnownOfApproval, StatementParts } from "./issuance/approve.ts";
export {
  decideParty,
  forParty,
  isByOwnersOf,
  partySignatureOf,
  quorumOf,
} from "./issuance/quorum.ts";
export type { PartyRuling, PartySignature, Quorum } from "./issuance/quorum.ts";
export { checkBelonging, checkOwnRequest } from "./issuance/attest.ts";
export type { AttestContext, Belonging, PostedRequest } from "./issuance/attest.ts";
export { decideCredential, DEFAULT_ISSUE_POLICY } from "./issuance/decide.ts";
export type {
  AskReason,
  Attested,
  CredentialDraft,
  IssuePolicy,
  Ruling,
} from "./issuance/decide.ts";
export { ENDORSEMENT } from "./issuance/endorsement.ts";
export type { EndorsementClaims } from "./issuance/endorsement.ts";
export {
  DEFAULT_MAX_LIVE,
  DEFAULT_MAX_TTL_SECONDS,
  MIN_TTL_SECONDS,
  readEntry,
  writeEntry,
} from "./issuance/entry.ts";
export type { Entry, GrantTerms } from "./issuance/entry.ts";
export {
  decideNotice,
  DIGEST_DELAY_SECONDS,
  digestDone,
  digestDueAt,
  NOTICE_TYPES,
  NOTICE_WINDOW_SECONDS,
  noticeCause,
  NOTICES_PER_AGENT,
  NOTICES_PER_OWNER,
  UNTOLD,
} from "./issuance/notice.ts";
export { noticeWords } from "./issuance/notice-words.ts";
export type { NoticeWords } from "./issuance/notice-words.ts";
export type { KeyChange, NoticeBudget, NoticeCause } from "./issuance/notice.ts";
export { isoTime } from "./consent/sentences.ts";
export { decideDigits, MAX_WRONG_DIGITS, triesLeft } from "./issuance/digits.ts";
export type { DigitsRuling, DigitsSigner, KnownDigits } from "./issuance/digits.ts";
export { EXPECTATION_LIFE_SECONDS, judgeExpectation } from "./issuance/expectation.ts";
export type { Announcement, Expected, ExpectationCase } from "./issuance/expectation.ts";
export { habitWords, readHabits } from "./issuance/habit-words.ts";
export { HABITS_SECONDS, habitsOf } from "./issuance/habits.ts";
export type { EndedAsk, Habits } from "./issuance/habits.ts";
export type { Grant, Known, Stop, StopScope } from "./issuance/known.ts";
export { decideMediated, draftMediated } from "./issuance/mediated.ts";
export type { KnownOfMediated, MediatedMaterial, MediatedParts } from "./issuance/mediated.ts";
export { isPassing } from "./issuance/passing.ts";
export { decidePresigned, draftPresigned, PRESIGNED_LIFE_SECONDS } from "./issuance/presign.ts";
export type { KnownOfPresigned, PresignedConsent, PresignedMaterial } from "./issuance/presign.ts";
export { checkNonce, makeNonce, NONCE_LIFE_SECONDS, nonceHolder } from "./issuance/nonce.ts";
export type { Mac } from "./issuance/nonce.ts";
export { MAX_NOTE_LENGTH, REQUEST, REQUEST_LIFE_SECONDS } from "./issuance/request.ts";
export type { RequestClaims } from "./issuance/request.ts";

// verify
export { presentedOf } from "./verify/examination.ts";
export type { KeyAttestation, Presented } from "./verify/examination.ts";
export { LINKS } from "./verify/links.ts";
export type { Link } from "./verify/links.ts";
export { verifyOwnerCertificate } from "./verify/owner-certificate.ts";
export type { OwnerCa, OwnerCertificateQuery } from "./verify/owner-certificate.ts";
export { ownerCaOf } from "./verify/owner-ca.ts";
export { isDevelopment, readTrust } from "./verify/trust.ts";
export type { DomainTrust, OwnerPin, Trust } from "./verify/trust.ts";
export { atLeast, LinkRefusal } from "./verify/verdict.ts";
export type { LinkResult, OwnerProof, Verdict } from "./verify/verdict.ts";
export { verify } from "./verify/verify.ts";
export type { Demand } from "./verify/verify.ts";

// api
export { readOwnerConsent, writeOwnerConsent } from "./api/owner-consent.ts";
export type { PostedOwnerConsent } from "./api/owner-consent.ts";
export { CLIENT_CERT_HEADER, readClientCert, writeClientCert } from "./api/client-cert.ts";
export {
  PUSH_MESSAGE_BYTES,
  pushSubscriptionId,
  readPushMessage,
  writePushMessage,
} from "./api/push-message.ts";
export type { PushMessage } from "./api/push-message.ts";
export {
  readAskedAnswer,
  readIssuedAnswer,
  readNonceAnswer,
  readBeat,
  readNonceRequest,
  readPostedRequest,
  readPresignedAnswer,
  readPresignedRequest,
  readProxyState,
  writeIssuedAnswer,
  writePresignedRequest,
  writeProxyState,
  writeStop,
} from "./api/server.ts";
export type {
  AskedAnswer,
  IssuedAnswer,
  NonceAnswer,
  OpenAsk,
  PostedConsent,
  ProxyState,
  Seen,
  StandingApproval,
} from "./api/server.ts";
