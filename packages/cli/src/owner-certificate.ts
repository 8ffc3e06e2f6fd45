import { base64, fromUtf8, MAX_OWNER_CERTIFICATES, pemDecode } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { readBounded } from "./files.ts";
import { instant } from "./terminal.ts";

const MAX_FILE_BYTES = 65_536;

/**
 * The certificates of a PEM file as `x5c`: the owner's first, then the CAs above it.
 * @throws Refusal `not_found`, `too_large`, `malformed_certificate`
 */
export async function certificatesFrom(path: string): Promise<readonly string[]> {
  const text = fromUtf8(await readBounded(path, MAX_FILE_BYTES));
  return pemDecode(text, "CERTIFICATE", MAX_OWNER_CERTIFICATES).map(base64);
}

/** Until when a CA of owners certifies a key, in words for `owner list`. */
export function certifiedUntil(key: JsonObject): string {
  const until = key["certified_until"];
  return typeof until === "number" ? `  certified until ${instant(until)}` : "";
}

/** How services come to accept a key that was enrolled so. */
export function acceptedHow(
  jkt: string,
  by: { readonly isCertified: boolean; readonly isCoSigned: boolean },
): string {
  if (by.isCertified)
    return "  Services that configure the CA of owners (owner_cas) accept it; others pin its thumbprint.";
  return by.isCoSigned
    ? "  Services that pin the key which co-signed accept this one too."
    : `  Services that verify offline pin this key: thumbprint ${jkt}.`;
}
