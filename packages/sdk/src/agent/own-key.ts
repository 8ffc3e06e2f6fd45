import {
  base64url,
  makeWpt,
  OWNER_EVIDENCE_HEADER,
  parseCertificate,
  pemDecode,
  proofAudienceOf,
  Refusal,
  REQUEST,
  REQUEST_LIFE_SECONDS,
  sameKey,
  seal,
  writeEvidenceHeader,
} from "@countersign/core";
import type { Bytes, Random, Seconds } from "@countersign/core";
import { webCrypto } from "../verify/web-crypto.ts";
import { readOwnCredential, readTerms, readWaiting } from "./answers.ts";
import type { OwnCredential, Proof, Terms } from "./answers.ts";
import type { Door } from "./door.ts";
import { makeKey } from "./key.ts";
import type { OwnKey } from "./key.ts";
import { CALL_TIMEOUT_MS, lowered } from "./session.ts";
import type { Gained, ProofRequest } from "./session.ts";
import type { TlsIdentity } from "./tls-identity.ts";

/** A credential with its key. */
export interface Own {
  readonly credential: OwnCredential;
  readonly key: OwnKey;
  readonly lifeSeconds: Seconds;
}

const PROOF_LIFE_SECONDS = 30;
const JTI_BYTES = 16;
const c = webCrypto();

/** R: signed by the key to be certified. Every name in it is the proxy's word. */
async function sealRequest(terms: Terms, note: string | undefined, key: OwnKey): Promise<string> {
  const { aud, nonce, now, sub, anchor } = terms;
  const times = { iat: now, exp: now + REQUEST_LIFE_SECONDS };
  const claims = { aud, nonce, ...times, sub, anchor, ...(note === undefined ? {} : { note }) };
  return (await seal(c, REQUEST, claims, key.signer)).octets;
}

function isFor(key: OwnKey, { wic: [leaf = ""] }: OwnCredential): boolean {
  const [der = new Uint8Array()]: readonly Bytes[] = pemDecode(leaf, "CERTIFICATE", 1);
  return sameKey(parseCertificate(der).key, key.signer.key);
}

/** Terms, a new key, R by it, a credential for it; or the owner is asked. Nothing of a failed try is used again. */
export async function askWithOwnKey(
  door: Door,
  note: string | undefined,
  wait: Seconds,
  signal: AbortSignal | undefined,
): Promise<Gained<Own>> {
  const timeoutMs = wait * 1000 + CALL_TIMEOUT_MS;
  const asked = { method: "POST", path: `/v1/nonce?wait=${wait}`, json: {}, signal } as const;
  const given = await door.call({ ...asked, timeoutMs });
  if (given.status === 202) return { waiting: readWaiting(given.value) };
  const terms = readTerms(given.value);
  const key = makeKey();
  const request = await sealRequest(terms, note, key);
  const { status, value } = await door.call({
    method: "POST",
    path: "/v1/credential",
    json: { request },
    timeoutMs: CALL_TIMEOUT_MS,
    signal,
  });
  if (status === 202) return { waiting: readWaiting(value) };
  const credential = readOwnCredential(value);
  if (!isFor(key, credential)) throw new Refusal("invalid_key", "issued for another key");
  return { got: { credential, key, lifeSeconds: credential.expiresAt - terms.now } };
}

function evidenceOf({ credential }: Own): { readonly evidence?: string } {
  try {
    return { evidence: writeEvidenceHeader(credential.bundle) };
  } catch (error) {
    if (error instanceof Refusal) return {}; // too large for a header: it is for a relying party to fetch
    throw error;
  }
}

/** For TLS. */
export function identityOf(own: Own): TlsIdentity {
  const { wic, wit, expiresAt } = own.credential;
  return { cert: wic.join(""), key: own.key.pem(), expiresAt, wit, ...evidenceOf(own) };
}

/** A proof by the key of this process, for any `https` address. @throws Refusal `malformed_request`, `too_large` */
export async function proveWithOwnKey(
  { credential, key }: Own,
  { url, txn, headers = {}, evidence }: ProofRequest,
  now: Seconds,
  random: Random,
): Promise<Proof> {
  const { wit, bundle, expiresAt } = credential;
  const shown = evidence === true ? writeEvidenceHeader(bundle) : undefined;
  const covered = {
    ...lowered(headers),
    ...(shown === undefined ? {} : { [OWNER_EVIDENCE_HEADER]: shown }),
  };
  const exp = Math.min(now + PROOF_LIFE_SECONDS, expiresAt);
  const jti = base64url(random(JTI_BYTES));
  const aud = proofAudienceOf(url, true);
  const wpt = await makeWpt(c, { wit, aud, exp, jti, txn, headers: covered }, key.signer);
  return { wit, wpt, ...(shown === undefined ? {} : { evidence: shown }), expiresAt: exp };
}
