import type { AttestationFinding } from "../attestation/attestation.ts";
import { assuranceOf } from "../consent/approval.ts";
import type { OwnerKind } from "../consent/statement.ts";
import { thumbprint } from "../jose/jwk.ts";
import { Refusal } from "../refusal.ts";
import { attestationOf, checkCertificate, followChain } from "./chain.ts";
import type { Acceptance, Examination } from "./examination.ts";

const no = (why: string): never => {
  throw new Refusal("owner_key_unaccepted", why);
};

/** The kind that the credential claims for the owner it names. It names no other: his is bounded by its `oa` alone. */
function claimedKind(x: Examination): OwnerKind {
  const claim = x.found("wit").owner;
  return claim?.jkt === x.found("consent").owner.jkt ? claim.kind : "person";
}

function pinned(x: Examination, shown: AttestationFinding): Acceptance | undefined {
  const { owner } = x.found("consent");
  const { app } = x.found("part").key;
  const pin = x
    .found("domain")
    .ownerPins.find(
      (candidate) =>
        candidate.jkt === owner.jkt &&
        (candidate.owner ?? owner.id) === owner.id &&
        candidate.app === app,
    );
  if (pin === undefined) return undefined;
  const isAttested = pin.attested === true;
  return {
    vouchedBy: "pin",
    kind: pin.kind ?? claimedKind(x),
    kindBasis: pin.kind === undefined ? "claimed" : "pinned",
    isAttested,
    attestation: isAttested ? "pinned" : shown.result,
  };
}

/** By a certificate of this very key. What is wrong with it leaves the key as it would be without one. */
async function certified(
  x: Examination,
  shown: AttestationFinding,
): Promise<Acceptance | undefined> {
  const { key } = x.found("part");
  const { owner, iat: signedAt } = x.found("consent");
  if (key.x5c === undefined) return undefined;
  await checkCertificate(x, key, owner.id, signedAt);
  // it names a key, and says nothing of what guards it
  const isAttested = false;
  const attestation = shown.result;
  return { vouchedBy: "x509", kind: claimedKind(x), kindBasis: "claimed", isAttested, attestation };
}

/** By a chain of `key` statements. */
async function chained(x: Examination, shown: AttestationFinding): Promise<Acceptance | undefined> {
  const { key, enr = [] } = x.found("part");
  if (enr.length === 0) return undefined;
  const signing = { jkt: thumbprint(x.c, key.jwk), app: key.app };
  const { kind, assurance, isAttested } = await followChain(x, enr, signing, shown);
  const attestation = shown.result;
  return { vouchedBy: "chain", kind, kindBasis: "claimed", assurance, isAttested, attestation };
}

/** What the signature proves of a key that is accepted so. */
function provedBy(x: Examination, { kind, isAttested, assurance = 4 }: Acceptance): number {
  return Math.min(assuranceOf(x.found("approval").facts, kind, isAttested), assurance);
}

/**
 * A pin needs no other key's signature. A chain proves more only where a co-signer who is accepted vouches for a key whose
 * attestation holds; what the pin says of the kind stays.
 */
async function bestOf(
  x: Examination,
  pin: Acceptance,
  shown: AttestationFinding,
): Promise<Acceptance> {
  if (pin.kind !== "person" || pin.isAttested || shown.isDeviceBound !== true) return pin;
  try {
    const chain = await chained(x, shown);
    const { kind, kindBasis } = pin;
    if (chain === undefined) return pin;
    return provedBy(x, chain) > provedBy(x, pin) ? { ...chain, kind, kindBasis } : pin;
  } catch (error) {
    if (error instanceof Refusal) return pin;
    throw error;
  }
}

/**
 * How the owner's key is accepted here (DESIGN 5.2): pinned; else certified by a CA for owners; else enrolled by a chain
 * from a key that is either; else on the server's word where the relying party has said so. A removed key signs nothing,
 * whoever vouches for it.
 * @throws Refusal `owner_key_unaccepted`, and as `followChain`
 */
export async function acceptanceOf(x: Examination): Promise<Acceptance> {
  const domain = x.found("domain");
  const { owner } = x.found("consent");
  if (domain.bundle.removedOwnerKeys.includes(owner.jkt)) return no("the key was removed");
  const shown = await attestationOf(x, x.found("part").enr?.at(-1), owner.jkt);
  const pin = pinned(x, shown);
  if (pin !== undefined) return bestOf(x, pin, shown);
  let why: Refusal | undefined;
  for (const way of [certified, chained])
    try {
      const acceptance = await way(x, shown);
      if (acceptance !== undefined) return acceptance;
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "owner_key_unaccepted") throw error;
      why ??= error;
    }
  if (!domain.insecureAcceptServerEnrolment)
    throw why ?? new Refusal("owner_key_unaccepted", "neither pinned nor certified");
  return {
    vouchedBy: "server",
    kind: claimedKind(x),
    kindBasis: "claimed",
    isAttested: false,
    attestation: shown.result,
  };
}
