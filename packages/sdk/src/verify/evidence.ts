import {
  fromBase64url,
  MAX_EVIDENCE_CHARACTERS,
  OWNER_EVIDENCE_HEADER,
  parseJsonObject,
  readApprovalPart,
  readBundle,
  readCredentialPart,
  Refusal,
} from "@countersign/core";
import type { Bundle, Bytes, HeaderLines, Json, OwnerClaim } from "@countersign/core";

const MAX_ANSWER_BYTES = 65_536;
const FETCH_TIMEOUT_MS = 5000;

/** How evidence is fetched: the platform's `fetch`, or one that goes through a proxy or a cache. */
export type Fetch = (
  url: string,
  init: { readonly redirect: "error"; readonly signal: AbortSignal },
) => Promise<Response>;

/**
 * The bundle in the request's header; `undefined` where there is none. That the header is there once and covered by
 * the proof was judged with the proof.
 * @throws Refusal `too_large`, `malformed_token`, `malformed_json`, `malformed_request`
 */
export function evidenceInHeader(headers: HeaderLines): Bundle | undefined {
  const value = headers.find(([name]) => name.toLowerCase() === OWNER_EVIDENCE_HEADER)?.[1].trim();
  if (value === undefined) return undefined;
  if (value.length > MAX_EVIDENCE_CHARACTERS)
    throw new Refusal("too_large", `evidence over ${MAX_EVIDENCE_CHARACTERS} characters`);
  return readBundle(fromBase64url(value));
}

async function readBounded(response: Response): Promise<Bytes> {
  const whole = new Uint8Array(MAX_ANSWER_BYTES);
  let length = 0;
  for await (const chunk of response.body ?? []) {
    const piece = chunk as Uint8Array; // a body's stream gives octets
    if (length + piece.length > whole.length) throw new Refusal("too_large", "evidence");
    whole.set(piece, length);
    length += piece.length;
  }
  return whole.subarray(0, length);
}

async function getJson(fetch: Fetch, url: string): Promise<Json> {
  const response = await fetch(url, {
    redirect: "error",
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) throw new Refusal("not_found", `answered ${response.status}`);
  const body = await readBounded(response);
  return parseJsonObject(body, { maxBytes: MAX_ANSWER_BYTES, maxDepth: 8 });
}

/**
 * Fetches both parts of the evidence from the origin that the relying party configured; nothing of the address but
 * the two names comes from the token. Whatever goes wrong, the caller may still send the evidence himself: then the
 * server can be switched off.
 * @throws Refusal `owner_evidence_needed`
 */
export async function fetchEvidence(
  fetch: Fetch,
  origin: string,
  owner: OwnerClaim,
  jti: string,
): Promise<Bundle> {
  const approval = `${origin}/e/${owner.cs.slice("sha-256:".length)}`;
  try {
    const [first, second] = await Promise.all([
      getJson(fetch, approval),
      getJson(fetch, `${approval}/${encodeURIComponent(jti)}`),
    ]);
    return { approval: readApprovalPart(first), credential: readCredentialPart(second) };
  } catch (error) {
    const why = error instanceof Refusal ? error.code : "no answer";
    throw new Refusal("owner_evidence_needed", `not fetched: ${why}`);
  }
}
