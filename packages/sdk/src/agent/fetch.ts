import { OWNER_EVIDENCE_HEADER, Refusal } from "@countersign/core";
import { MAX_PROBLEM_BYTES, problemIn } from "./problem.ts";
import type { Session } from "./session.ts";

export type FetchInput = string | URL | Request;

export interface FetchOptions {
  /** Origins to which proofs go; default: every address that the proxy gives one for. */
  readonly origins?: readonly string[];
  /** Names of token headers that the proof covers where a request has them. Default none. */
  readonly contextHeaders?: readonly string[];
}

const TXN_HEADER = "txn-token";
/** Origins remembered as wanting evidence; the oldest leaves first. */
const MAX_EVIDENCE_ORIGINS = 256;

/** What may help a request that was refused; each is tried once. */
type Remedy = "evidence" | "fresh";

/** Lets go of an answer. Not waited for: one half of a copied body is cancelled only when both are. */
function drop(body: { cancel: () => Promise<void> } | null): void {
  body?.cancel().catch(() => undefined);
}

/** The body up to what a problem document may have. */
async function readStart(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  while (byteCount <= MAX_PROBLEM_BYTES) {
    const piece = await reader.read();
    if (piece.done) break;
    const octets = piece.value as Uint8Array; // a body's stream gives octets
    chunks.push(octets);
    byteCount += octets.length;
  }
  drop(reader);
  return new Uint8Array(Buffer.concat(chunks));
}

async function remedyFor(response: Response): Promise<Remedy | undefined> {
  if (response.status === 401)
    return /^\s*wpt\b/i.test(response.headers.get("www-authenticate") ?? "") ? "fresh" : undefined;
  if (response.status !== 400) return undefined;
  const type = response.headers.get("content-type") ?? undefined;
  if (type?.startsWith("application/problem+json") !== true) return undefined;
  const code = problemIn(await readStart(response.clone()), type)?.code;
  return code === "owner_evidence_needed" ? "evidence" : code === "expired" ? "fresh" : undefined;
}

/** A request without anything that only we may say in it. */
function plainRequest(input: FetchInput, init: RequestInit | undefined): Request {
  // the answer to another origin's question is the caller's to give: no redirect is followed with our tokens
  const request = new Request(input, { ...init, redirect: "manual" });
  if (request.headers.has("authorization"))
    throw new Refusal(
      "malformed_request",
      "Authorization carries the proof, and nothing beside it",
    );
  request.headers.delete("workload-identity-token");
  request.headers.delete(OWNER_EVIDENCE_HEADER);
  return request;
}

function contextOf(request: Request, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}

/**
 * A `fetch` that says who calls: token and proof with every request, made for exactly its address. Evidence goes only
 * to an origin that has asked for it. A request is sent again once with evidence and once with a fresh proof, where
 * the answer says that this is what it lacks. Redirects are answers: follow them with another call.
 */
export function agentFetch(
  session: Session,
  options: FetchOptions,
): (input: FetchInput, init?: RequestInit) => Promise<Response> {
  const allowed = options.origins?.map((origin) => new URL(origin).origin);
  const wantEvidence = new Set<string>();

  function rememberEvidence(origin: string): void {
    const [oldest] = wantEvidence;
    if (wantEvidence.size >= MAX_EVIDENCE_ORIGINS && oldest !== undefined)
      wantEvidence.delete(oldest);
    wantEvidence.add(origin);
  }

  async function sendOnce(request: Request, origin: string): Promise<Response> {
    const txn = request.headers.get(TXN_HEADER);
    const proof = await session.prove({
      url: request.url,
      ...(txn === null ? {} : { txn }),
      headers: contextOf(request, options.contextHeaders ?? []),
      evidence: wantEvidence.has(origin),
    });
    const attempt = request.clone(); // its body is kept for another attempt
    attempt.headers.set("workload-identity-token", proof.wit);
    attempt.headers.set("authorization", `WPT ${proof.wpt}`);
    if (proof.evidence !== undefined) attempt.headers.set(OWNER_EVIDENCE_HEADER, proof.evidence);
    return fetch(attempt);
  }

  return async (input, init) => {
    const request = plainRequest(input, init);
    const { origin } = new URL(request.url);
    if (allowed?.includes(origin) === false)
      throw new Refusal("outside_audiences", origin, "Name the origin when connecting.");
    const tried = new Set<Remedy>(wantEvidence.has(origin) ? ["evidence"] : []);
    for (;;) {
      const response = await sendOnce(request, origin);
      const remedy = await remedyFor(response);
      if (remedy === undefined || tried.has(remedy)) return response;
      tried.add(remedy);
      drop(response.body);
      if (remedy === "evidence") rememberEvidence(origin);
      else await session.renew();
    }
  };
}
