import type { Bytes } from "../crypto.ts";
import { serverId } from "../identifier/workload.ts";
import { Refusal } from "../refusal.ts";
import { parseCertificate } from "./certificate.ts";

/**
 * Refuses every peer but one: the certificate has exactly one URI, and that is compared whole. Host names count for
 * nothing. Whether it leads to a root is judged beside this.
 * @returns a check of a DER certificate that throws Refusal `untrusted_chain`, and as `parseCertificate`
 */
export function checkNamed(expected: string, why: string): (certificate: Bytes) => void {
  return (der) => {
    const { uris } = parseCertificate(der);
    if (uris.length !== 1 || uris[0] !== expected) throw new Refusal("untrusted_chain", why);
  };
}

/** Refuses every server that is not the one of this trust domain. */
export function checkServer(trustDomain: string): (certificate: Bytes) => void {
  return checkNamed(serverId(trustDomain), "not the server of this trust domain");
}
