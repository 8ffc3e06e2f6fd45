import type { Crypto, Digest } from "../crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import { Refusal } from "../refusal.ts";
import { verifyOwnerSignature } from "./owner-signature.ts";
import type { OwnerPublicKey, OwnerSignature, SignatureFacts } from "./owner-signature.ts";
import { isCredentialStatement, isKeyStatement } from "./statement.ts";
import type { CredentialStatement, KeyStatement, OwnerKind, Statement } from "./statement.ts";
import { viewFits, VIEWS } from "./view.ts";
import type { ConsentPages } from "./client-data.ts";

declare const approved: unique symbol;

/** An approval whose signature was verified. Only `verifyApproval` makes one. */
export interface Approval {
  readonly statement: Statement<CredentialStatement>;
  readonly signature: OwnerSignature;
  readonly key: OwnerPublicKey;
  readonly facts: SignatureFacts;
  /** Owner assurance that the signature alone supports: 1, 2 or 3 (owner.md 1.1, formats.md 3). */
  readonly assurance: number;
  readonly [approved]: true;
}

export interface ApprovalOptions {
  /** What the owner is, as enrolled or pinned; default `person`. A device or policy engine proves assurance 1. */
  readonly ownerKind?: OwnerKind;
  /** SSH namespace; default `CONSENT_NAMESPACE`. */
  readonly namespace?: string;
  /** Where owners sign with WebAuthn; default nowhere. */
  readonly pages?: ConsentPages;
  /** Digests of the views that an owner may have been shown; default the closed list `VIEWS`. */
  readonly views?: readonly Digest[];
}

/** Whether the signature says that its key cannot be copied: a security key of SSH, or a passkey that is not synced. */
function isDeviceBound({ kind, backup }: SignatureFacts): boolean {
  return kind === "sshsig" || (kind === "webauthn" && backup?.eligible === false);
}

/**
 * What a signature proves of the human behind it: 1 no human, 2 a software key, 3 a touched key that knew its user, 4 the
 * same of a key that is bound to its device, where somebody else than the server says that its hardware was checked.
 * @param isAttested that somebody does; default false
 */
export function assuranceOf(
  facts: SignatureFacts,
  ownerKind: OwnerKind = "person",
  isAttested = false,
): 1 | 2 | 3 | 4 {
  if (ownerKind !== "person") return 1;
  if (!facts.userPresent || !facts.userVerified) return 2;
  return isAttested && isDeviceBound(facts) ? 4 : 3;
}

async function verifySigned(
  c: Crypto,
  statement: Statement,
  signature: OwnerSignature,
  key: OwnerPublicKey,
  { namespace, pages }: Pick<ApprovalOptions, "namespace" | "pages">,
): Promise<SignatureFacts> {
  if (!c.isValidKey(key.jwk)) throw new Refusal("signature_invalid", "not a point of its curve");
  return verifyOwnerSignature(c, {
    statementBytes: statement.bytes,
    signature,
    key,
    ...(namespace === undefined ? {} : { namespace }),
    ...(pages === undefined ? {} : { pages }),
  });
}

/**
 * Verifies that the key named by a statement signed *approve* for a credential. Whether the key is accepted for
 * this owner, whether the statement answers a request and whether its times hold is for the caller.
 * @throws Refusal `approval_unsuitable` (a denial, another kind, a view that is not ours), `signature_invalid`, and as `verifyOwnerSignature`
 */
export async function verifyApproval(
  c: Crypto,
  statement: Statement,
  signature: OwnerSignature,
  key: OwnerPublicKey,
  options: ApprovalOptions = {},
): Promise<Approval> {
  if (!isCredentialStatement(statement))
    throw new Refusal("approval_unsuitable", "the statement is of another kind");
  const { body } = statement;
  if (body.decision !== "approve")
    throw new Refusal("approval_unsuitable", "the statement is a denial");
  const views = options.views ?? VIEWS.map((view) => view.d);
  if (!views.includes(body.view.d))
    throw new Refusal("approval_unsuitable", "the view is not one that we know");
  if (!viewFits(body))
    throw new Refusal("approval_unsuitable", "the view does not show who must sign");
  if (thumbprint(c, key.jwk) !== body.owner.jkt)
    throw new Refusal("signature_invalid", "the key is not the one that the statement names");
  const facts = await verifySigned(c, statement, signature, key, options);
  const assurance = assuranceOf(facts, options.ownerKind);
  return { statement, signature, key, facts, assurance } as Approval; // the brand exists for the compiler only
}

/** An owner's key as it stands in a bundle, with the certificates that name its owner, where a PKI does. */
export interface CertifiedKey extends OwnerPublicKey {
  /** RFC 7517 section 4.7: DER in base64, leaf first, at most four. */
  readonly x5c?: readonly string[];
}

/** A signature of a key statement and the key that made it. */
export interface KeySignature {
  readonly signature: OwnerSignature;
  readonly key: CertifiedKey;
}

/** A key that signed, and what its signature proves. */
export interface VerifiedSigner {
  readonly jkt: string;
  readonly key: CertifiedKey;
  readonly facts: SignatureFacts;
}

declare const enrolling: unique symbol;

/** A key statement whose signatures were verified: possession of the new key, and who vouches for it. */
export interface KeyEnrolment {
  readonly statement: Statement<KeyStatement>;
  readonly added: VerifiedSigner;
  readonly coSigners: readonly VerifiedSigner[];
  readonly [enrolling]: true;
}

/** The new key and up to three co-signers. */
export const MAX_KEY_SIGNATURES = 4;

function checkNewKey(c: Crypto, body: KeyStatement, key: OwnerPublicKey): void {
  if (body.decision !== "approve")
    throw new Refusal("approval_unsuitable", "the statement is a denial");
  // the statement's reader has found that `spki` has this thumbprint
  const isNamed = thumbprint(c, key.jwk) === body.key.jkt && key.app === body.key.app;
  if (!isNamed) throw new Refusal("signature_invalid", "the first signature is not by the new key");
}

/**
 * Verifies the signatures of a `key` statement: first the new key itself, then distinct co-signers, all over the
 * same octets. Whether a co-signer may vouch for this owner is for the caller.
 * @throws Refusal `approval_unsuitable`, `signature_invalid`, and as `verifyOwnerSignature`
 */
export async function verifyKeyStatement(
  c: Crypto,
  statement: Statement,
  signatures: readonly KeySignature[],
  options: Pick<ApprovalOptions, "namespace" | "pages"> = {},
): Promise<KeyEnrolment> {
  if (!isKeyStatement(statement))
    throw new Refusal("approval_unsuitable", "the statement is of another kind");
  const [first] = signatures;
  if (first === undefined || signatures.length > MAX_KEY_SIGNATURES)
    throw new Refusal("signature_invalid", "no signature, or too many");
  checkNewKey(c, statement.body, first.key);
  const signers: VerifiedSigner[] = [];
  for (const { signature, key } of signatures) {
    const jkt = thumbprint(c, key.jwk);
    if (signers.some((signer) => signer.jkt === jkt))
      throw new Refusal("signature_invalid", "a key signed twice");
    const facts = await verifySigned(c, statement, signature, key, options);
    signers.push({ jkt, key, facts });
  }
  const [added, ...others] = signers;
  const coSigners: readonly VerifiedSigner[] = others;
  if (added === undefined) throw new TypeError("a signature was verified above");
  return { statement, added, coSigners } as KeyEnrolment; // the brand exists for the compiler only
}
