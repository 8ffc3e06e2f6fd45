import type { Bytes } from "../crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { MAX_CERTIFICATE_BYTES } from "../x509/certificate.ts";

/**
 * The header in which a gateway says whose call it passes on: that caller's certificate, as the gateway's handshake
 * has verified it (RFC 9440 section 2.2). It proves nothing by itself: certificates are public.
 */
export const CLIENT_CERT_HEADER = "client-cert";
const FORM = /^:([A-Za-z0-9+/]+={0,2}):$/;

/** A certificate as a byte sequence of structured fields (RFC 8941 section 3.3.5). */
export function writeClientCert(der: Bytes): string {
  return `:${base64(der)}:`;
}

/**
 * The DER in the header.
 * @param lines every line of that name; more than one is refused
 * @returns undefined where there is none
 * @throws Refusal `malformed_request`
 */
export function readClientCert(lines: readonly string[]): Bytes | undefined {
  const [line, second] = lines;
  if (line === undefined) return undefined;
  const [, text] = FORM.exec(line.trim()) ?? [];
  const isLong = line.length > MAX_CERTIFICATE_BYTES * 1.4;
  if (text === undefined || second !== undefined || isLong)
    throw new Refusal("malformed_request", "not one certificate in Client-Cert");
  try {
    return fromBase64(text);
  } catch {
    throw new Refusal("malformed_request", "Client-Cert is no base64");
  }
}
