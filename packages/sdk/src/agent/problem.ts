import { parseJsonObject, Refusal, REFUSALS } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";

export const MAX_PROBLEM_BYTES = 16_384;
const MAX_PROBLEM_DEPTH = 8;
const MAX_NEXT_CHARACTERS = 400;
/** Words of another side are shown to people: no escape sequences, no line breaks. */
const UNPRINTABLE = /[^\x20-\x7e]/g;

function isRefusalCode(reason: unknown): reason is RefusalCode {
  return typeof reason === "string" && Object.hasOwn(REFUSALS, reason);
}

/** The refusal in a problem document (RFC 9457); `undefined` where it is none, or of a reason that is not known. */
export function problemIn(body: Uint8Array, contentType: string | undefined): Refusal | undefined {
  if (contentType?.startsWith("application/problem+json") !== true) return undefined;
  try {
    const limits = { maxBytes: MAX_PROBLEM_BYTES, maxDepth: MAX_PROBLEM_DEPTH };
    const { reason, next } = parseJsonObject(body, limits);
    if (!isRefusalCode(reason)) return undefined;
    const words =
      typeof next === "string" && next.length <= MAX_NEXT_CHARACTERS
        ? next.replace(UNPRINTABLE, "?")
        : undefined;
    return new Refusal(reason, "said by the other side", words);
  } catch {
    return undefined;
  }
}
