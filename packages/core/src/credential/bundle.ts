import type { Bytes, Digest } from "../crypto.ts";
import { base64url, fromBase64url, utf8 } from "../bytes.ts";
import type { CertifiedKey } from "../consent/approval.ts";
import { readOwnerSignature } from "../consent/owner-signature.ts";
import { MAX_PARTIES } from "../consent/parties.ts";
import type { OwnerSignature } from "../consent/owner-signature.ts";
import { Members } from "../json/read.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { MAX_CHAIN_STEPS, readEnrolmentStep, writeEnrolmentStep } from "./enrolment.ts";
import type { EnrolmentStep } from "./enrolment.ts";
import { readCertifiedKey } from "./x5c.ts";

/**
 * The owner's key as it stands in a bundle; `app` is the FIDO application of an `sk-` key, or the RP ID of a WebAuthn
 * credential.
 */
export type BundleKey = CertifiedKey;

/** One owner's statement as signed, its signature, the key and how it was enrolled. */
export interface OwnerApproval {
  readonly st: Bytes;
  readonly sig: OwnerSignature;
  readonly key: BundleKey;
  /** Where the key was added by co-signers: how, oldest first, at most three; absent: the list is empty. */
  readonly enr?: readonly EnrolmentStep[];
}

/** Immutable part: what the owner signed whom the credential names. `GET /e/<cs>` */
export interface ApprovalPart extends OwnerApproval {
  /** What the others have signed, where it takes several; absent: nobody beside him. */
  readonly sts?: readonly OwnerApproval[];
}

/** One per credential. `GET /e/<cs>/<jti>`; without an owner `cs` and `end` are absent. */
export interface CredentialPart {
  readonly jti: string;
  readonly cs?: Digest;
  /** The endorsement's compact JWS. */
  readonly end?: string;
  /** Octets of the `credential.issued` leaf. */
  readonly leaf: Bytes;
  readonly salts: { readonly wit: Bytes; readonly x509: Bytes };
  /** A C2SP tlog-proof. */
  readonly proof: string;
}

/** What a relying party needs to check the owner offline (formats.md 4). */
export interface Bundle {
  readonly approval?: ApprovalPart;
  readonly credential: CredentialPart;
}

/** The header in which an agent shows its owner's approval, after it was asked to; in lower case. */
export const OWNER_EVIDENCE_HEADER = "agent-owner-evidence";
export const MAX_EVIDENCE_CHARACTERS = 8192;
const MAX_BUNDLE_BYTES = 65_536;
const SALT_BYTES = 16;

function readOwnerApproval(members: Members): OwnerApproval {
  const enr = members.list("enr", readEnrolmentStep, MAX_CHAIN_STEPS);
  const approval: OwnerApproval = {
    st: fromBase64url(members.text("st", { maxLength: 11_000 })),
    sig: readOwnerSignature(members.raw("sig")),
    key: readCertifiedKey(members.object("key")),
    ...(enr.length === 0 ? {} : { enr }),
  };
  return approval;
}

function readOther(value: Json, where: string): OwnerApproval {
  const members = new Members(value, "malformed_request", where);
  const approval = readOwnerApproval(members);
  members.end();
  return approval;
}

/** @throws Refusal `malformed_request`, `malformed_token` */
export function readApprovalPart(value: Json | undefined): ApprovalPart {
  const members = new Members(value, "malformed_request", "approval");
  members.integer("v", 1, 1);
  const approval = readOwnerApproval(members);
  const sts = members.optional("sts", (name) => members.list(name, readOther, MAX_PARTIES - 1));
  if (sts?.length === 0) members.fail("sts", "is empty: it is left out where nobody else signed");
  members.end();
  return sts === undefined ? approval : { ...approval, sts };
}

function writeOther({ st, sig, key, enr = [] }: OwnerApproval): object {
  return { st: base64url(st), sig, key, enr: enr.map(writeEnrolmentStep) };
}

/** The wire form of an approval part. */
export function writeApprovalPart(part: ApprovalPart): object {
  const enr = (part.enr ?? []).map(writeEnrolmentStep);
  const written = { v: 1, st: base64url(part.st), sig: part.sig, key: part.key, enr };
  return part.sts === undefined ? written : { ...written, sts: part.sts.map(writeOther) };
}

function salt(members: Members, name: string): Bytes {
  const octets = fromBase64url(members.text(name, { maxLength: 22 }));
  return octets.length === SALT_BYTES ? octets : members.fail(name, "is not 16 octets");
}

/** @throws Refusal `malformed_request`, `malformed_token` */
export function readCredentialPart(value: Json | undefined): CredentialPart {
  const members = new Members(value, "malformed_request", "credential");
  members.integer("v", 1, 1);
  const salts = members.object("salts");
  const cs = members.optional("cs", (name) => members.digest(name));
  const end = members.optional("end", (name) => members.text(name, { maxLength: 16_384 }));
  if ((cs === undefined) !== (end === undefined)) members.fail("cs", "and end come together");
  const part: CredentialPart = {
    jti: members.text("jti", { pattern: /^[A-Za-z0-9_-]{16,64}$/ }),
    ...(cs === undefined ? {} : { cs }),
    ...(end === undefined ? {} : { end }),
    leaf: fromBase64url(members.text("leaf", { maxLength: 2800 })),
    salts: { wit: salt(salts, "wit"), x509: salt(salts, "x509") },
    proof: members.text("proof", { maxLength: 16_384 }),
  };
  salts.end();
  members.end();
  return part;
}

/** The wire form of a credential part. */
export function writeCredentialPart(part: CredentialPart): object {
  return {
    v: 1,
    ...(part.cs === undefined ? {} : { cs: part.cs }),
    jti: part.jti,
    ...(part.end === undefined ? {} : { end: part.end }),
    leaf: base64url(part.leaf),
    salts: { wit: base64url(part.salts.wit), x509: base64url(part.salts.x509) },
    proof: part.proof,
  };
}

/** @throws Refusal `malformed_request`, `malformed_token`, `malformed_json`, `too_large` */
export function readBundle(input: Bytes | string | Json): Bundle {
  const isText = typeof input === "string" || input instanceof Uint8Array;
  const value = isText
    ? parseJsonObject(input, { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 8 })
    : input;
  const members = new Members(value, "malformed_request", "bundle");
  const approval = members.optional("approval", (name) => readApprovalPart(members.raw(name)));
  const credential = readCredentialPart(members.raw("credential"));
  members.end();
  return { ...(approval === undefined ? {} : { approval }), credential };
}

/** The wire form of a whole bundle. */
export function writeBundle(bundle: Bundle): object {
  return {
    ...(bundle.approval === undefined ? {} : { approval: writeApprovalPart(bundle.approval) }),
    credential: writeCredentialPart(bundle.credential),
  };
}

const bareSteps = ({ enr }: OwnerApproval): Pick<OwnerApproval, "enr"> =>
  enr === undefined ? {} : { enr: enr.map(({ att: _left, ...step }) => step) };

/**
 * Leaves attestations out, where there is no room for them: nothing that is signed names them, and without one a key
 * proves less and nothing else.
 */
export function withoutAttestations(part: ApprovalPart): ApprovalPart {
  const { sts } = part;
  return {
    ...part,
    ...bareSteps(part),
    ...(sts === undefined ? {} : { sts: sts.map((one) => ({ ...one, ...bareSteps(one) })) }),
  };
}

const headerOf = (bundle: Bundle): string => base64url(utf8(JSON.stringify(writeBundle(bundle))));

/**
 * A bundle as the value of `Agent-Owner-Evidence`. Where it does not fit otherwise it goes without attestations: a
 * service that demands what they prove fetches the bundle. @throws Refusal `too_large`
 */
export function writeEvidenceHeader(bundle: Bundle): string {
  const { approval } = bundle;
  const whole = headerOf(bundle);
  const value =
    whole.length > MAX_EVIDENCE_CHARACTERS && approval !== undefined
      ? headerOf({ ...bundle, approval: withoutAttestations(approval) })
      : whole;
  if (value.length > MAX_EVIDENCE_CHARACTERS)
    throw new Refusal(
      "too_large",
      "the evidence does not fit a header",
      "Let the service fetch it: its operator configures evidence_origin for this trust domain.",
    );
  return value;
}
