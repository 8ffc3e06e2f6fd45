import { base64url } from "../bytes.ts";
import type { Measurement } from "../consent/statement.ts";
import type { Crypto, Digest, Jwk, Seconds, Signer } from "../crypto.ts";
import type { Appraisal } from "../evidence/appraisal.ts";
import { EVIDENCE } from "../evidence/eat.ts";
import type { EvidenceClaims } from "../evidence/eat.ts";
import { agentId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { seal } from "../jose/signed.ts";
import type { Signed } from "../jose/signed.ts";
import type { PostedRequest } from "./attest.ts";
import type { Attested } from "./decide.ts";
import { ENDORSEMENT } from "./endorsement.ts";
import type { EndorsementClaims } from "./endorsement.ts";
import type { Entry } from "./entry.ts";
import { REQUEST } from "./request.ts";
import type { RequestClaims } from "./request.ts";

export const NOW: Seconds = 1_800_000_000;
export const ISSUER = "https://id.example.org";
export const PROXY = "spiffe://example.org/proxy/host-1";
export const OWNER = "urn:agent-owner:example.org:alice-0001";
export const NONCE = "AAAAAAAAAAAAAAAAAAAAAA";

/** A digest that stands for a number. */
export const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;
export const MEASURED: readonly Measurement[] = [
  { n: "binary", d: d(1) },
  { n: "script", d: d(2) },
];

/** An owner-bound entry with nothing special about it. */
export const ENTRY: Entry = {
  id: "spiffe://example.org/agent/mailer",
  proxy: PROXY,
  uid: 1001,
  door: "run",
  facts: [],
  pins: [],
  interpreterOptions: [],
  audiences: ["https://mail.example.com/"],
  binding: "owner",
  owner: OWNER,
  grant: { use: "standing", maxTtlSeconds: 900, maxLive: 8, ceiling: [] },
  evidence: "public",
  offlineProofs: true,
  insecureSameUid: false,
  insecureSoftKeyStanding: false,
};

/** Who signs: K the request, the anchor the endorsement, the proxy the evidence. */
export interface Hands {
  readonly key: Signer;
  readonly anchor: Signer;
  readonly proxy: Signer;
}

/** What differs from a request that is in order. Later parts follow from earlier ones unless they say otherwise. */
export interface RequestChange {
  readonly request?: Partial<RequestClaims>;
  readonly endorsement?: Partial<EndorsementClaims>;
  readonly evidence?: Partial<EvidenceClaims>;
  readonly by?: Partial<Hands>;
}

export interface Triple {
  readonly request: Signed<RequestClaims>;
  readonly endorsement: Signed<EndorsementClaims>;
  readonly evidence: Signed<EvidenceClaims>;
  readonly agent: string;
  readonly posted: PostedRequest;
}

const SUBMODS: EvidenceClaims["submods"] = {
  host: { countersign_os: { kernel: "6.1" } },
  agent: {
    countersign_proc: {
      pid: 4711,
      start: 1,
      uid: 1001,
      gid: 1001,
      groups: [],
      exe: { path: "/usr/bin/node", d: d(1), dev: "8:1", ino: 1 },
      args: [{ path: "/app/agent.mjs", d: d(2), basis: "argv" }],
      ptraced: false,
      parents: [],
      key: { store: "proxy", exportable: false },
    },
  },
};

/** R, N and E as a proxy would make them, with one thing changed. */
export async function makeTriple(
  c: Crypto,
  hands: Hands,
  change: RequestChange = {},
): Promise<Triple> {
  const jkt = thumbprint(c, hands.anchor.key);
  const agent = agentId(ENTRY.id, jkt);
  const by = { ...hands, ...change.by };
  const request = await seal(
    c,
    REQUEST,
    {
      aud: ISSUER,
      nonce: NONCE,
      iat: NOW,
      exp: NOW + 300,
      sub: ENTRY.id,
      anchor: jkt,
      ...change.request,
    },
    by.key,
  );
  const endorsement = await seal(
    c,
    ENDORSEMENT,
    {
      sub: agent,
      aud: ISSUER,
      jkt: thumbprint(c, hands.key.key),
      iat: NOW,
      exp: NOW + 900,
      jti: NONCE,
      ...change.endorsement,
    },
    by.anchor,
  );
  const evidence = await seal(
    c,
    EVIDENCE,
    {
      eatNonce: NONCE,
      aud: ISSUER,
      iat: NOW,
      key: hands.key.key,
      req: request.digest,
      submods: SUBMODS,
      ...change.evidence,
    },
    by.proxy,
  );
  const posted = {
    request: request.octets,
    endorsement: endorsement.octets,
    evidence: evidence.octets,
  };
  return { request, endorsement, evidence, agent, posted };
}

const PASSED: Appraisal = {
  host: { ear_status: "none", ear_trustworthiness_vector: {}, ear_appraisal_policy_ids: [] },
  agent: { ear_status: "affirming", ear_trustworthiness_vector: {}, ear_appraisal_policy_ids: [] },
  measurements: [
    { n: "binary", d: d(1) },
    { n: "script", d: d(2) },
  ],
  recognised: true,
  warnings: [],
  verdict: "ok",
  reasons: [],
};

/** What a decision is made from, with an appraisal that found nothing against it. */
export function attestedOf(
  { request, endorsement, evidence, agent }: Triple,
  change: { readonly appraisal?: Partial<Appraisal>; readonly proxy?: string } = {},
): Attested {
  const key: Jwk = request.key;
  return {
    proxy: change.proxy ?? PROXY,
    agent,
    anchor: request.claims.anchor,
    key,
    request,
    endorsement,
    evidence,
    appraisal: { ...PASSED, ...change.appraisal },
    measurements: MEASURED,
  };
}
