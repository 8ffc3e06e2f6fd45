import type { Bytes } from "../crypto.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";

/** Where owners sign with WebAuthn: the relying party's configuration, never read from a signature. */
export interface ConsentPages {
  readonly rpId: string;
  /** Exact origins: scheme, host and port. */
  readonly origins: readonly string[];
}

const LIMITS = { maxBytes: 4096, maxDepth: 4, nullAllowed: true, fractionsAllowed: true } as const;

function parse(octets: Bytes): JsonObject {
  try {
    return parseJsonObject(octets, LIMITS);
  } catch (problem) {
    if (problem instanceof Refusal)
      throw new Refusal("signature_invalid", `client data: ${problem.message}`);
    throw problem;
  }
}

/**
 * Client data of one ceremony, made at one of the consent pages itself (WebAuthn 5.8.1). Browsers add members of their
 * own: unknown ones are ignored, duplicates refused by the parser. The challenge is for the caller.
 * @throws Refusal `signature_invalid`, `origin_mismatch`
 */
export function readClientData(
  octets: Bytes,
  ceremony: "webauthn.get" | "webauthn.create",
  pages: ConsentPages,
): JsonObject {
  const data = parse(octets);
  const { type, origin, crossOrigin = false } = data;
  if (type !== ceremony)
    throw new Refusal("signature_invalid", "the client data are of another ceremony");
  if (!pages.origins.some((page) => page === origin)) throw new Refusal("origin_mismatch");
  // a page inside a frame of another origin is not what its owner sees
  if (crossOrigin !== false || Object.hasOwn(data, "topOrigin"))
    throw new Refusal("origin_mismatch", "made inside a frame of another origin");
  return data;
}
