import {
  audienceOf,
  base64url,
  hashOf,
  matchesLocation,
  Refusal,
  sealWpt,
  utf8,
  writeBundle,
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
const MAX_EVIDENCE_CHARACTERS = 8192;
const EVIDENCE_HEADER = "agent-owner-evidence";
const JTI_BYTES = 16;

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);

/** `https`, or in development `http` to this machine. @throws Refusal `malformed_request` */
function checkedAudience(aud: string, isDevelopment: boolean): string {
  const audience = audienceOf(aud);
  const [, scheme, host = ""] = /^([a-z]+):\/\/(\[[^\]]*\]|[^/:]*)/.exec(audience) ?? [];
  if (scheme === "https" || (scheme === "http" && isDevelopment && isLoopback(host)))
    return audience;
  throw new Refusal(
    "malformed_request",
    "a proof is made for https addresses",
    "Call the service by https; plain http is for this machine, in development.",
  );
}

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

function evidenceOf(held: Held): string {
  const value = base64url(utf8(JSON.stringify(writeBundle(held.bundle))));
  if (value.length > MAX_EVIDENCE_CHARACTERS)
    throw new Refusal("too_large", "the evidence does not fit a header");
  return value;
}

/**
 * A proof of possession for one address. The key stays here; the agent gets the token and the proof only.
 * @throws Refusal `outside_ceiling`, `outside_audiences`, `malformed_request`, `too_large`
 */
export async function makeProof(
  w: ProxyWorld,
  entry: Entry,
  held: Held,
  asked: ProofRequest,
): Promise<Proof> {
  const audience = checkedAudience(asked.aud, w.server().state?.development ?? false);
  checkReach(audience, entry, held);
  const now = w.clock();
  const exp = Math.min(now + PROOF_LIFE_SECONDS, held.exp);
  const evidence = asked.wantsEvidence ? evidenceOf(held) : undefined;
  const covered = {
    ...asked.headers,
    ...(evidence === undefined ? {} : { [EVIDENCE_HEADER]: evidence }),
  };
  const oth = Object.fromEntries(
    Object.entries(covered).map(([name, value]) => [name, hashOf(w.c, value)]),
  );
  const proof = await sealWpt(
    w.c,
    {
      aud: audience,
      exp,
      jti: base64url(w.random(JTI_BYTES)),
      wth: hashOf(w.c, held.wit),
      ...(asked.txn === undefined ? {} : { tth: hashOf(w.c, asked.txn) }),
      ...(Object.keys(oth).length === 0 ? {} : { oth }),
    },
    held.signer,
  );
  return {
    wit: held.wit,
    wpt: proof.octets,
    ...(evidence === undefined ? {} : { evidence }),
    expires_at: exp,
  };
}
