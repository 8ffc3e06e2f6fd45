import { judgeAttestation } from "../attestation/attestation.ts";
import type { AttestationFinding } from "../attestation/attestation.ts";
import { fromBase64url } from "../bytes.ts";
import { assuranceOf, verifyKeyStatement } from "../consent/approval.ts";
import type { CertifiedKey, KeyEnrolment, VerifiedSigner } from "../consent/approval.ts";
import { readStatement } from "../consent/statement.ts";
import type { OwnerKind, Statement } from "../consent/statement.ts";
import { MAX_CHAIN_STEPS } from "../credential/enrolment.ts";
import type { EnrolmentStep } from "../credential/enrolment.ts";
import type { Digest, Seconds } from "../crypto.ts";
import { Refusal } from "../refusal.ts";
import { opensForm, readLeaf } from "../transparency/leaf.ts";
import { verifyTlogProof } from "../transparency/tlog-proof.ts";
import type { Examination } from "./examination.ts";
import { verifyOwnerCertificate } from "./owner-certificate.ts";
import type { OwnerPin } from "./trust.ts";

/** A key that a chain leads to, and the least that the keys on the way prove. */
export interface Chained {
  readonly kind: OwnerKind;
  /** The lowest assurance of the co-signers that acceptance rests on. */
  readonly assurance: number;
  /** Its hardware was checked: by its attestation in the step that added it, or by the relying party that pins it. */
  readonly isAttested: boolean;
}

/** The key at which a path stands: a pin, or what the step before has added. */
interface Reached extends Chained {
  readonly jkt: string;
  readonly app?: string;
}

const no = (why: string): never => {
  throw new Refusal("owner_key_unaccepted", why);
};

/** Reads one step and verifies all its signatures; it must speak for the same owner, server and trust domain. */
async function verifyStep(x: Examination, step: EnrolmentStep): Promise<KeyEnrolment> {
  const pages = x.found("domain").bundle.consent;
  const statement = readStatement(x.c, step.st);
  const enrolment = await verifyKeyStatement(x.c, statement, step.sigs, { pages });
  const { body } = enrolment.statement;
  const { owner } = x.found("consent");
  // an owner's id holds the trust domain, and is of the statement's own
  if (body.owner.id !== owner.id) no("enrolment chain: a statement is of another owner");
  if (body.aud !== x.found("domain").bundle.issuer)
    no("enrolment chain: a statement was made for another server");
  return enrolment;
}

function checkLeaf(x: Examination, cs: Digest, logged: NonNullable<EnrolmentStep["logged"]>): void {
  const leaf = readLeaf(logged.leaf);
  const opening = { salt: logged.salt, payload: fromBase64url(cs.slice("sha-256:".length)) };
  const isOfKey = leaf.type === "key.added" || leaf.type === "key.recovered";
  if (!isOfKey || !opensForm(x.c, leaf, 1, opening))
    throw new Refusal("log_proof_invalid", "the leaf is of another event");
}

/** What a removed key has co-signed counts only when it is in the log: nobody signs with it in secret (formats.md 3). */
async function mayCoSign(
  x: Examination,
  jkt: string,
  { cs }: Statement,
  { logged }: EnrolmentStep,
): Promise<boolean> {
  const { bundle } = x.found("domain");
  if (!bundle.removedOwnerKeys.includes(jkt)) return true;
  if (logged === undefined) return false;
  checkLeaf(x, cs, logged);
  await verifyTlogProof(x.c, { proof: logged.proof, entry: logged.leaf, vkey: bundle.log.vkey });
  return true;
}

/** What the attestation in this step proves of this key. */
export async function attestationOf(
  x: Examination,
  step: EnrolmentStep | undefined,
  jkt: string,
): Promise<AttestationFinding> {
  if (step?.att === undefined) return { result: "none" };
  const { bundle, attestationRoots: roots = [] } = x.found("domain");
  const at = enrolledAt(x, step);
  if (at === undefined) return { result: "invalid" };
  return judgeAttestation(x.c, step.att, { jkt, pages: bundle.consent, roots, at });
}

/** The second of the key statement; undefined where it is none. */
function enrolledAt(x: Examination, { st }: EnrolmentStep): Seconds | undefined {
  try {
    return readStatement(x.c, st).body.iat;
  } catch (problem) {
    if (problem instanceof Refusal) return undefined;
    throw problem;
  }
}

const isSame = (signer: VerifiedSigner, jkt: string, app: string | undefined): boolean =>
  signer.jkt === jkt && signer.key.app === app;

/**
 * That a CA which the relying party configured for owners certifies this key as this owner's.
 * @throws Refusal `owner_key_unaccepted` with the reason, whatever is wrong with it
 */
export async function checkCertificate(
  x: Examination,
  { jwk, app, x5c = [] }: CertifiedKey,
  owner: string,
  signedAt: Seconds,
): Promise<void> {
  const { ownerCas: cas = [] } = x.found("domain");
  const { now, skewSeconds } = x;
  // it names a key, not what guards it: whoever holds that key in software writes the flags of a security key himself
  if (app !== undefined) no("a certificate speaks for no security key");
  try {
    await verifyOwnerCertificate(x.c, { x5c, cas, owner, key: jwk, signedAt, now, skewSeconds });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal("owner_key_unaccepted", `certificate: ${error.message}`);
  }
}

async function isCertified(
  x: Examination,
  { key }: VerifiedSigner,
  { body }: Statement,
): Promise<boolean> {
  if (key.x5c === undefined) return false;
  try {
    await checkCertificate(x, key, body.owner.id, body.iat);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/**
 * Every key from which this step leads on: pins of the relying party for this owner, or for who enrols others; a
 * certified key; and what the step before added.
 */
async function startsOf(
  x: Examination,
  signer: VerifiedSigner,
  statement: Statement,
  before: readonly Reached[],
): Promise<readonly Chained[]> {
  const { owner } = x.found("consent");
  const pins = x
    .found("domain")
    .ownerPins.filter(
      (pin: OwnerPin) => (pin.owner ?? owner.id) === owner.id || pin.enrols === true,
    )
    .filter((pin) => isSame(signer, pin.jkt, pin.app))
    .map(({ kind = "person", attested = false }) => ({
      kind,
      assurance: 4,
      isAttested: attested,
    }));
  const certified = (await isCertified(x, signer, statement))
    ? [{ kind: "person" as const, assurance: 4, isAttested: false }]
    : [];
  return [...pins, ...certified, ...before.filter(({ jkt, app }) => isSame(signer, jkt, app))];
}

/** The best way over one step, if one of its co-signers is accepted. */
async function follow(
  x: Examination,
  step: EnrolmentStep,
  { statement, added, coSigners }: KeyEnrolment,
  before: readonly Reached[],
  isAttested: boolean,
): Promise<Reached | undefined> {
  let best: Reached | undefined;
  for (const signer of coSigners)
    for (const start of await startsOf(x, signer, statement, before)) {
      if (!(await mayCoSign(x, signer.jkt, statement, step))) continue;
      const own = assuranceOf(signer.facts, start.kind, start.isAttested);
      const assurance = Math.min(start.assurance, own);
      if (best !== undefined && best.assurance >= assurance) continue;
      const { app } = added.key;
      const { kind } = statement.body.key;
      best = { jkt: added.jkt, kind, assurance, isAttested, ...(app === undefined ? {} : { app }) };
    }
  return best;
}

/**
 * Follows the bundle's `enr` from a key that the relying party pins, or that a CA of its owners certifies, to the key
 * that signed: at most three `key` statements of the same owner, oldest first, each co-signed by such a key or by the key
 * that the one before it added. With several ways the one of the highest assurance.
 * @param shown what the attestation in the last step proves of the key that signed
 * @throws Refusal `owner_key_unaccepted` where no way leads there; `log_proof_invalid`, `checkpoint_invalid`; as `verifyKeyStatement` for
 * what is wrong in itself
 */
export async function followChain(
  x: Examination,
  chain: readonly EnrolmentStep[],
  signing: { readonly jkt: string; readonly app?: string | undefined },
  shown: AttestationFinding,
): Promise<Chained> {
  if (chain.length > MAX_CHAIN_STEPS) no("enrolment chain: longer than three");
  let reached: readonly Reached[] = [];
  for (const step of chain) {
    const enrolment = await verifyStep(x, step);
    const isLast = step === chain.at(-1);
    const found = isLast ? shown : await attestationOf(x, step, enrolment.added.jkt);
    const next = await follow(x, step, enrolment, reached, found.isDeviceBound === true);
    reached = next === undefined ? [] : [next];
  }
  const [end] = reached;
  if (end === undefined)
    return no("enrolment chain: no step leads on from a key that is pinned or certified");
  if (end.jkt !== signing.jkt || end.app !== signing.app)
    no("enrolment chain: it leads to another key");
  return end;
}
