import {
  base64url,
  makeWpt,
  matchesLocation,
  OWNER_EVIDENCE_HEADER,
  proofAudienceOf,
  Refusal,
  writeEvidenceHeader,
} from "@countersign/core";
import type { Entry } from "@countersign/core";
import type { ProxyWorld } from "../world.ts";
import type { Held } from "./request.ts";

/** What an agent asks a proof for. */
export interface ProofRequest {
  readonly aud: string;
  readonly txn?: string;
  /** Context headers that the proof shall cover, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly wantsEvidence: boolean;
}

export interface Proof {
  readonly wit: string;
  readonly wpt: string;
  readonly evidence?: string;
  readonly expires_at: number;
}

const PROOF_LIFE_SECONDS = 30;
const JTI_BYTES = 16;
/** What an agent that holds its own key is told when it asks for a proof. */
export const OWN_PROOFS =
  "The agent holds this key: it makes its proofs itself, with connectWithOwnKey of the SDK.";

/** Inside what the owner signed, else inside what the registration lists. @throws Refusal `outside_ceiling`, `outside_audiences` */
function checkReach(audience: string, entry: Entry, held: Held): void {
  if (held.ceiling.length > 0) {
    if (
      !held.ceiling.some((item) =>
        item.locations.some((location) => matchesLocation(location, audience)),
      )
    )
      throw new Refusal("outside_ceiling");
    return;
  }
  if (!entry.audiences.some((base) => base === "*" || matchesLocation(base, audience)))
    throw new Refusal("outside_audiences");
}

/**
 * A proof of possession for one address. The key stays here; the agent gets the token and the proof only.
 * @throws Refusal `custody_mismatch`, `outside_ceiling`, `outside_audiences`, `malformed_request`, `too_large`
 */
export async function makeProof(
  w: ProxyWorld,
  entry: Entry,
  held: Held,
  asked: ProofRequest,
): Promise<Proof> {
  const { signer } = held;
  if (signer === undefined)
    throw new Refusal("custody_mismatch", "the agent holds the key", OWN_PROOFS);
  const audience = proofAudienceOf(asked.aud, w.server().state?.development ?? false);
  checkReach(audience, entry, held);
  const now = w.clock();
  const exp = Math.min(now + PROOF_LIFE_SECONDS, held.exp);
  const evidence = asked.wantsEvidence ? writeEvidenceHeader(held.bundle) : undefined;
  const covered = {
    ...asked.headers,
    ...(evidence === undefined ? {} : { [OWNER_EVIDENCE_HEADER]: evidence }),
  };
  const jti = base64url(w.random(JTI_BYTES));
  const { wit } = held;
  const { txn } = asked;
  return {
    wit,
    wpt: await makeWpt(w.c, { wit, aud: audience, exp, jti, txn, headers: covered }, signer),
    ...(evidence === undefined ? {} : { evidence }),
    expires_at: exp,
  };
}
