import { parseJsonObject, problemOf, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { Log } from "../log.ts";

/** Objects in the bodies of our calls nest less than this. The outermost counts as 1. */
const MAX_BODY_DEPTH = 12;

/**
 * The answer to a call that failed (RFC 9457). A Refusal says its row of the table and nothing of its detail; any
 * other throw is a bug: 500 `internal` for the caller, a log line for us.
 */
export function problemResponse(error: unknown, log?: Log): Response {
  const refusal = error instanceof Refusal ? error : new Refusal("internal");
  if (refusal !== error)
    log?.error("http.failed", {
      error,
      stack: error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 8) : [],
    });
  else log?.debug("http.refused", { code: refusal.code, detail: refusal.message });
  const problem = problemOf(refusal);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

/** Whether the header names this media type; a charset may only be UTF-8 (RFC 8259 section 8.1). */
function isMediaType(header: string | null, type: string): boolean {
  const [essence, ...parameters] = (header ?? "").toLowerCase().split(";");
  return (
    essence?.trim() === type &&
    parameters.every((parameter) => /^ *charset="?utf-8"? *$/.test(parameter))
  );
}

/**
 * The body as one strict JSON object.
 * @param maxBytes most octets of the body; the listener's own bound holds besides
 * @throws Refusal `unsupported_media_type`, `too_large`, `malformed_json`, `malformed_request` (the body broke off)
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<JsonObject> {
  if (!isMediaType(request.headers.get("content-type"), "application/json"))
    throw new Refusal("unsupported_media_type");
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes)
    throw new Refusal("too_large", `body over ${maxBytes} bytes`);
  let body: ArrayBuffer;
  try {
    body = await request.arrayBuffer();
  } catch {
    throw new Refusal("malformed_request", "the body broke off");
  }
  return parseJsonObject(new Uint8Array(body), { maxBytes, maxDepth: MAX_BODY_DEPTH });
}
