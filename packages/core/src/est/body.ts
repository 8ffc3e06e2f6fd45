import type { Bytes } from "../crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { wrapBase64 } from "../x509/pem.ts";

/** Media types of EST bodies (RFC 7030 section 3.2.4). */
export const EST_MEDIA_TYPE = {
  request: "application/pkcs10",
  certificates: "application/pkcs7-mime",
  certsOnly: "application/pkcs7-mime; smime-type=certs-only",
} as const;

/** Room for line ends: EST bodies of others have up to one for every few characters. */
const MAX_CHARACTERS_PER_BYTE = 2;

/** What a server answers (RFC 8951 section 3): one line and a newline, the only form that every known client reads. */
export function writeEstBody(der: Bytes): string {
  return `${base64(der)}\n`;
}

/** What a client sends: lines of 64 columns, since a known server refuses longer ones. */
export function writeEstRequestBody(der: Bytes): string {
  return wrapBase64(der);
}

/**
 * DER from an EST body. CR, LF, SP and TAB are left out, as RFC 8951 asks, and NUL, which a known server adds.
 * @throws Refusal `too_large`, `malformed_request`
 */
export function readEstBody(text: string, maxBytes: number): Bytes {
  if (text.length > maxBytes * MAX_CHARACTERS_PER_BYTE)
    throw new Refusal("too_large", `body over ${maxBytes} bytes`);
  const body = text.replaceAll(/[\r\n \t\0]/g, "");
  const der = decode(body);
  if (der.length > maxBytes) throw new Refusal("too_large", `body over ${maxBytes} bytes`);
  return der;
}

function decode(body: string): Bytes {
  try {
    return fromBase64(body);
  } catch {
    throw new Refusal("malformed_request", "the body is not base64");
  }
}
