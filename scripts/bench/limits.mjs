// What an issue and a proof cost in signatures and verifications alone.
import { rawOf } from "./raw.mjs";

/** Requests under way at the same time, as the store's groups need them. */
export const CONCURRENCY = 32;

/**
 * Signatures of one issue alone. Verified: R, N and E, then each link of the issued pair (WIT, certificate, issuing
 * CA, owner's signature, endorsement). Signed: WIT, certificate, and a share of the group's checkpoint.
 */
export function issueLimit() {
  const p256 = rawOf("P-256", 900);
  const owner = rawOf("Ed25519", 110);
  const checkpoint = rawOf("Ed25519", 120);
  return (i) => {
    for (let count = 0; count < 7; count += 1) p256.verify();
    owner.verify();
    p256.sign();
    p256.sign();
    if (i % CONCURRENCY === 0) checkpoint.sign();
  };
}

/** One signature, and the verification of it that the proxy makes before it answers. */
export function proofLimit() {
  const raw = rawOf("P-256", 250);
  return () => {
    raw.sign();
    raw.verify();
  };
}
