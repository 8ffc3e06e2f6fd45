import { utf8 } from "../bytes.ts";
import { verifyApproval } from "../consent/approval.ts";
import { readStatement } from "../consent/statement.ts";
import type { OwnerClaim } from "../credential/owner-claim.ts";
import { verifyWit } from "../credential/wit.ts";
import { agentEntryOf, agentId } from "../identifier/workload.ts";
import { parseOwnerId } from "../identifier/owner.ts";
import { ENDORSEMENT } from "../issuance/endorsement.ts";
import { sameKey, thumbprint } from "../jose/jwk.ts";
import { open } from "../jose/signed.ts";
import { matchesLocation } from "../proof/audience.ts";
import { Refusal } from "../refusal.ts";
import { checkWitnesses } from "../transparency/cosignature.ts";
import { formPayload, opensForm, readLeaf } from "../transparency/leaf.ts";
import { verifyTlogProof } from "../transparency/tlog-proof.ts";
import { witTrustOf } from "../trust/wit-trust.ts";
import { jwkOfSpki } from "../x509/spki.ts";
import { verifyTlsLeaf, verifyWic } from "../x509/wic.ts";
import { approvalShown } from "./approval-shown.ts";
import type { Examination } from "./examination.ts";
import { checkAccepted, checkParties } from "./parties.ts";
import { isDevelopment } from "./trust.ts";
import type { OwnerProof } from "./verdict.ts";

/** One check of a relying party. Rows run in order; nobody else judges a credential. */
export interface Link {
  readonly id: string;
  readonly title: string;
  /** The level that is reached when this row and all before it hold. */
  readonly earns?: OwnerProof;
  /** Level of proof that this row works towards: it is not run when less is asked for. */
  readonly towards: OwnerProof;
  readonly applies?: (x: Examination) => boolean;
  /** Returns when the link holds. @throws Refusal with the reason */
  readonly check: (x: Examination) => Promise<void> | void;
}

const no = (code: ConstructorParameters<typeof Refusal>[0], why: string): never => {
  throw new Refusal(code, why);
};

async function checkWit(x: Examination): Promise<void> {
  const wit = await verifyWit(x.c, x.presented.wit, witTrustOf(x.c, x.trust), x.now, {
    skewSeconds: x.skewSeconds,
  });
  const domain = x.trust.get(wit.sub.origin);
  if (domain === undefined) return no("unknown_trust_domain", wit.sub.origin);
  // a bundle that is over says nothing about removed keys: nobody can tell, so the caller may try again later
  if (x.now > domain.bundle.exp + x.skewSeconds) no("indeterminate", "the trust bundle is over");
  x.keep("wit", wit);
  x.keep("domain", domain);
}

function checkDevelopment(x: Examination): void {
  const domain = x.found("domain");
  if (isDevelopment(domain) && !domain.insecureAcceptDevelopment)
    no("development_refused", domain.origin);
}

async function checkWic(x: Examination): Promise<void> {
  const { origin, bundle } = x.found("domain");
  const { chain = [], tlsLeaf } = x.presented;
  const { now, skewSeconds } = x;
  const how = { purpose: "any", now, skewSeconds } as const;
  const anchorsOf = new Map([[origin, bundle.roots]]);
  const wic =
    tlsLeaf === undefined
      ? await verifyWic(x.c, { chain, anchorsOf, ...how })
      : verifyTlsLeaf(x.c, { leaf: tlsLeaf, origin, ...how });
  x.keep("certificate", wic);
}

function checkForms(x: Examination): void {
  const wit = x.found("wit");
  const { leaf, workload } = x.found("certificate");
  const binding = leaf.ownerBinding;
  if (workload.uri !== wit.sub.uri) no("forms_differ", "identifier");
  if (!sameKey(leaf.key, wit.confirmation.key)) no("forms_differ", "key");
  if (leaf.notAfter !== wit.exp) no("forms_differ", "expiry");
  if ((binding === undefined) !== (wit.owner === undefined))
    no("forms_differ", "one form names an owner");
  if (binding === undefined || wit.owner === undefined) return;
  if (binding.ownerId !== wit.owner.id || binding.ownerKey !== wit.owner.jkt)
    no("forms_differ", "owner");
  if (binding.consent !== wit.owner.cs) no("forms_differ", "consent");
  if (binding.assurance !== undefined && binding.assurance !== wit.owner.oa)
    no("forms_differ", "assurance");
  if (binding.ownerSpki !== undefined && !sameKey(jwkOfSpki(binding.ownerSpki), wit.owner.jwk))
    no("forms_differ", "owner key");
}

function checkOwnerClaim(x: Examination): void {
  const { owner, sub } = x.found("wit");
  if (owner === undefined) return no("owner_missing", "the token names no owner");
  if (parseOwnerId(owner.id).trustDomain !== sub.trustDomain)
    no("owner_claim", "owner of another trust domain");
  if (thumbprint(x.c, owner.jwk) !== owner.jkt) no("owner_claim", "thumbprint and key differ");
}

const ownerOf = (x: Examination): OwnerClaim =>
  x.found("wit").owner ?? no("owner_missing", "no owner");

function checkEvidence(x: Examination): void {
  x.keep("part", approvalShown(x));
}

function checkStatement(x: Examination): void {
  const { cs, model } = ownerOf(x);
  // a ceremony of days only where the credential says that the owner signed beforehand (formats.md 3)
  const statement = readStatement(x.c, x.found("part").st, { preSigned: model === "agent" });
  if (statement.cs !== cs) no("owner_claim", "the credential names another statement");
  const { body } = statement;
  if (body.kind !== "credential") return no("statement_invalid", "of another kind");
  if (body.decision !== "approve") return no("statement_invalid", "the owner did not approve");
  x.keep("statement", statement);
  x.keep("consent", body);
}

function checkAudience(x: Examination): void {
  const consent = x.found("consent");
  const { sub } = x.found("wit");
  if (consent.aud !== x.found("domain").bundle.issuer)
    no("statement_invalid", "made for another server");
  if (consent.td !== sub.trustDomain) no("statement_invalid", "made for another trust domain");
}

function checkOwnerKey(x: Examination): void {
  const part = x.found("part");
  const consent = x.found("consent");
  const claim = ownerOf(x);
  if (thumbprint(x.c, part.key.jwk) !== consent.owner.jkt)
    no("signature_invalid", "the bundle's key is not the one the statement names");
  if (consent.owner.id !== claim.id || consent.owner.jkt !== claim.jkt)
    no("owner_claim", "claim and statement name different owners");
}

async function checkOwnerSignature(x: Examination): Promise<void> {
  const part = x.found("part");
  // RP ID and origins are the ones of the configured trust bundle, whatever the signature says
  const pages = x.found("domain").bundle.consent;
  const statement = x.found("statement");
  x.keep("approval", await verifyApproval(x.c, statement, part.sig, part.key, { pages }));
}

function checkAgent(x: Examination): void {
  const { agent } = x.found("consent");
  const { sub } = x.found("wit");
  if (agent.id !== sub.uri) no("statement_invalid", "the owner approved another agent");
  if (agentId(agentEntryOf(agent.id), agent.jkt) !== agent.id)
    no("statement_invalid", "the agent id is not one of this installation");
}

async function checkEndorsement(x: Examination): Promise<void> {
  // an approval in the certificate comes without endorsement: that one is asked for, as for the rest of the bundle
  const { approval, endorsement } = x.presented;
  const isCarried = approval === undefined && endorsement === undefined;
  if (isCarried) no("owner_evidence_needed", "no credential part");
  const octets = endorsement ?? no("endorsement_missing", "the bundle has none");
  const end = await open(x.c, ENDORSEMENT, octets);
  const wit = x.found("wit");
  const consent = x.found("consent");
  if (thumbprint(x.c, end.key) !== consent.agent.jkt)
    no("endorsement_invalid", "signed by an installation that the owner did not approve");
  if (end.claims.cs !== x.found("statement").cs) no("endorsement_invalid", "for another approval");
  if (end.claims.sub !== wit.sub.uri) no("endorsement_invalid", "for another agent");
  if (end.claims.jkt !== thumbprint(x.c, wit.confirmation.key))
    no("endorsement_invalid", "for another key");
  if (end.claims.aud !== x.found("domain").bundle.issuer)
    no("endorsement_invalid", "for another server");
  if (wit.iat === undefined || end.claims.iat > wit.iat + x.skewSeconds)
    no("endorsement_invalid", "younger than the credential");
  if (wit.exp > end.claims.exp) no("endorsement_invalid", "the credential outlives it");
  x.keep("endorsement", end);
}

function checkGrant(x: Examination): void {
  const wit = x.found("wit");
  const consent = x.found("consent");
  const { grant } = consent;
  const claim = ownerOf(x);
  const iat = wit.iat ?? no("outside_grant", "no iat");
  if (iat + x.skewSeconds < grant.nbf) no("outside_grant", "issued before it began");
  if (consent.iat > iat + x.skewSeconds) no("outside_grant", "issued before the owner was asked");
  if (wit.exp > grant.exp) no("outside_grant", "lives beyond its end");
  if (wit.exp - iat > grant.max_ttl) no("outside_grant", "lives longer than each may");
  if (claim.n < 1 || claim.n > grant.max_issue) no("outside_grant", "more than were approved");
  if (claim.exp !== grant.exp) no("owner_claim", "another end of the grant");
}

function checkCeiling(x: Examination): void {
  const { ceiling } = x.found("consent").grant;
  const resource = x.resource ?? "";
  const reaches =
    ceiling.length === 0 ||
    ceiling.some((entry) =>
      entry.locations.some((location) => matchesLocation(location, resource)),
    );
  if (!reaches) no("outside_ceiling", "no location of the approval reaches this resource");
}

function checkLeaf(x: Examination): void {
  const logged = x.presented.logged ?? no("owner_evidence_needed", "no credential part");
  const leaf = readLeaf(logged.leaf);
  const { owner, octets, jti } = x.found("wit");
  const cs = owner?.cs;
  if (leaf.type !== "credential.issued" || leaf.actor !== "server")
    no("log_proof_invalid", "the leaf is of another event");
  if (logged.jti !== undefined && (logged.jti !== jti || logged.cs !== cs))
    no("log_proof_invalid", "the credential part is of another credential");
  if (
    !opensForm(x.c, leaf, 1, {
      salt: logged.salts.wit,
      payload: formPayload(x.c, cs, utf8(octets)),
    })
  )
    no("log_proof_invalid", "the leaf is of another token");
  const der = x.presented.chain?.[0] ?? x.presented.tlsLeaf;
  if (
    der !== undefined &&
    !opensForm(x.c, leaf, 2, { salt: logged.salts.x509, payload: formPayload(x.c, cs, der) })
  )
    no("log_proof_invalid", "the leaf is of another certificate");
}

async function checkInclusion(x: Examination): Promise<void> {
  const logged = x.presented.logged ?? no("owner_evidence_needed", "no credential part");
  const { checkpoint } = await verifyTlogProof(x.c, {
    proof: logged.proof,
    entry: logged.leaf,
    vkey: x.found("domain").bundle.log.vkey,
  });
  x.keep("checkpoint", checkpoint);
}

/** A log that shows others another tree cannot show this one to its witnesses (T47). */
async function checkWitnessed(x: Examination): Promise<void> {
  const { witnesses } = x.found("domain");
  const { text } = x.found("checkpoint");
  if (witnesses === undefined) return no("witnesses_missing", "none are configured");
  await checkWitnesses(x.c, text, witnesses);
}

const hasCertificate = ({ presented }: Examination): boolean =>
  presented.chain !== undefined || presented.tlsLeaf !== undefined;

/** Every check, in order. The server walks them before release, the SDK, the command line and the tests after it. */
export const LINKS: readonly Link[] = [
  {
    id: "wit",
    title: "the token is signed by the configured trust domain and is valid now",
    towards: "none",
    check: checkWit,
  },
  {
    id: "development",
    title: "a development trust domain only where that is allowed",
    towards: "none",
    check: checkDevelopment,
  },
  {
    id: "wic",
    title: "the certificate leads to the trust domain's root",
    towards: "none",
    applies: hasCertificate,
    check: checkWic,
  },
  {
    id: "forms",
    title: "token and certificate say the same",
    towards: "none",
    applies: hasCertificate,
    check: checkForms,
    earns: "none",
  },
  {
    id: "owner-claim",
    title: "the credential names an owner and his key",
    towards: "claimed",
    check: checkOwnerClaim,
    earns: "claimed",
  },
  {
    id: "evidence",
    title: "the owner's statement and signature are there",
    towards: "verified",
    check: checkEvidence,
  },
  {
    id: "statement",
    title: "the statement is the one that the credential names, and says approve",
    towards: "verified",
    check: checkStatement,
  },
  {
    id: "audience",
    title: "the statement was made for this server and trust domain",
    towards: "verified",
    check: checkAudience,
  },
  {
    id: "owner-key",
    title: "statement, credential and bundle name one owner key",
    towards: "verified",
    check: checkOwnerKey,
  },
  {
    id: "owner-signature",
    title: "the owner's signature fits the statement",
    towards: "verified",
    check: checkOwnerSignature,
  },
  {
    id: "parties",
    title: "as many owners signed the same as the statement demands",
    towards: "verified",
    check: checkParties,
  },
  {
    id: "agent",
    title: "the owner approved this agent and installation",
    towards: "verified",
    check: checkAgent,
  },
  {
    id: "endorsement",
    title: "the approved installation signed for this key",
    towards: "verified",
    check: checkEndorsement,
  },
  {
    id: "grant",
    title: "the credential lies inside the approved bounds",
    towards: "verified",
    check: checkGrant,
  },
  {
    id: "owner-accepted",
    title: "the owner's key is accepted here, and as many others' as must sign",
    towards: "verified",
    check: checkAccepted,
    earns: "verified",
  },
  {
    id: "ceiling",
    title: "the approval reaches this service",
    towards: "verified",
    applies: (x) => x.resource !== undefined,
    check: checkCeiling,
  },
  {
    id: "leaf",
    title: "the log entry commits to this credential",
    towards: "logged",
    check: checkLeaf,
  },
  {
    id: "inclusion",
    title: "the entry is in the configured log",
    towards: "logged",
    check: checkInclusion,
    earns: "logged",
  },
  {
    id: "witnessed",
    title: "enough of the configured witnesses saw the log so",
    towards: "logged",
    applies: (x) => x.found("domain").witnesses !== undefined,
    check: checkWitnessed,
  },
];
