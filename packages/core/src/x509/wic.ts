import type { Bytes, Crypto } from "../crypto.ts";
import { parseWorkloadId } from "../identifier/workload.ts";
import type { WorkloadId } from "../identifier/workload.ts";
import { Refusal } from "../refusal.ts";
import { readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { checkLeafAlone, verifyPath } from "./path.ts";
import type { PathInput, VerifiedPath } from "./path.ts";

/**
 * The one URI of a certificate, of any scheme; its grammar is for `parseWorkloadId`.
 * @throws Refusal `invalid_identifier` where there is none or more than one
 */
export function workloadOfCertificate(certificate: Certificate): string {
  const [uri, second] = certificate.uris;
  if (uri === undefined || second !== undefined)
    throw new Refusal("invalid_identifier", "not exactly one URI");
  return uri;
}

/** A path to judge, with the anchors of every origin that is configured here. */
export interface WicInput extends Omit<PathInput, "anchors"> {
  /** Origin (`spiffe://example.org`) to the DER of its roots. */
  readonly anchorsOf: ReadonlyMap<string, readonly Bytes[]>;
  /** Origins of which this peer may be; default: every origin that is configured. */
  readonly expectedOrigins?: readonly string[];
}

export interface VerifiedWic extends VerifiedPath {
  readonly workload: WorkloadId;
}

async function leadsElsewhere(c: Crypto, input: WicInput, origin: string): Promise<boolean> {
  for (const [other, anchors] of input.anchorsOf) {
    if (other === origin) continue;
    try {
      await verifyPath(c, { ...input, anchors });
      return true;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }
  return false;
}

/**
 * Verifies a Workload Identity Certificate (draft-ietf-wimse-mutual-tls 3.2 and 5): exactly one URI, canonical; its
 * origin is configured and expected; a path with only the anchors of that origin; and no CA of the path names
 * another origin, or a workload.
 * @throws Refusal `invalid_identifier`, `unknown_trust_domain`, `trust_domain_mismatch`, and as `verifyPath`
 */
export async function verifyWic(c: Crypto, input: WicInput): Promise<VerifiedWic> {
  const [first] = input.chain;
  if (first === undefined) throw new Refusal("untrusted_chain", "no certificate");
  const workload = parseWorkloadId(workloadOfCertificate(readCertificate(c, first)));
  const { origin } = workload;
  const anchors = input.anchorsOf.get(origin);
  if (anchors === undefined || input.expectedOrigins?.includes(origin) === false)
    throw new Refusal("unknown_trust_domain");
  try {
    const verified = await verifyPath(c, { ...input, anchors });
    if (verified.path.slice(1).some(({ uris }) => uris.some((uri) => uri !== origin)))
      throw new Refusal("trust_domain_mismatch", "a CA is not of the leaf's origin");
    return { ...verified, workload };
  } catch (refusal) {
    // a chain that is good under another origin's anchors gets a name of its own: it is an attack, not a mistake
    const isStray = refusal instanceof Refusal && refusal.code === "untrusted_chain";
    if (isStray && (await leadsElsewhere(c, input, origin)))
      throw new Refusal("trust_domain_mismatch", "the anchor is another origin's");
    throw refusal;
  }
}

/** A leaf that was shown in a TLS handshake. */
export interface TlsLeafInput extends Pick<PathInput, "purpose" | "now" | "skewSeconds"> {
  /** DER. */
  readonly leaf: Bytes;
  /** The one origin with whose roots, and no others, the TLS stack has verified the path to this leaf. */
  readonly origin: string;
}

/**
 * Judges a leaf whose path the TLS stack has built with the roots of one origin: exactly one URI, canonical, of that
 * origin, and the leaf itself as `verifyPath` does. For stacks that show the application no more than the leaf.
 * @throws Refusal `malformed_certificate`, `invalid_identifier`, `trust_domain_mismatch`, and as `checkLeafAlone`
 */
export function verifyTlsLeaf(
  c: Crypto,
  input: TlsLeafInput,
): Pick<VerifiedWic, "leaf" | "workload"> {
  const leaf = readCertificate(c, input.leaf);
  const workload = parseWorkloadId(workloadOfCertificate(leaf));
  if (workload.origin !== input.origin)
    throw new Refusal("trust_domain_mismatch", "the roots are another origin's");
  checkLeafAlone(c, leaf, input);
  return { leaf, workload };
}
