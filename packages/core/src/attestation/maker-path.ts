import type { Bytes, Crypto, Seconds } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { isSignedBy, parseMakerCertificate } from "./maker-certificate.ts";
import type { MakerCertificate } from "./maker-certificate.ts";

/** Longest path, counting leaf and root. */
export const MAX_MAKER_PATH = 4;

function untrusted(why: string): never {
  throw new Refusal("untrusted_chain", why);
}

/** Names octet by octet, key identifiers where both are there, then the signature. */
async function isIssuedBy(
  c: Crypto,
  child: MakerCertificate,
  issuer: MakerCertificate,
): Promise<boolean> {
  const [wanted, given] = [child.authorityKeyId, issuer.subjectKeyId];
  const fitsKeyId = wanted === undefined || given === undefined || equalBytes(wanted, given);
  const fitsName = !issuer.subjectIsEmpty && equalBytes(child.issuer, issuer.subject);
  return fitsName && fitsKeyId && isSignedBy(c, child, issuer);
}

/** RFC 5280 6.1.4 for the certificate that has `below` CA certificates between it and the leaf. */
function checkCa({ basicConstraints, keyUsage }: MakerCertificate, below: number): void {
  if (basicConstraints?.isCa !== true) untrusted("an issuer is not a CA");
  if ((basicConstraints?.pathLength ?? below) < below) untrusted("path length exceeded");
  if (keyUsage?.keyCertSign === false) untrusted("an issuer may not sign certificates");
}

/** Roots are configuration: their octets never change, and each is read once. */
const parsedRoots = new WeakMap<Bytes, MakerCertificate>();

function rootOf(der: Bytes): MakerCertificate {
  const known = parsedRoots.get(der);
  if (known !== undefined) return known;
  const root = parseMakerCertificate(der);
  parsedRoots.set(der, root);
  return root;
}

async function findRoot(
  c: Crypto,
  top: MakerCertificate,
  roots: readonly Bytes[],
): Promise<MakerCertificate> {
  for (const der of roots) {
    const root = rootOf(der);
    if (await isIssuedBy(c, top, root)) return root;
  }
  return untrusted("no configured root issued it");
}

/**
 * Leads an attestation certificate to one of the configured roots: names, signatures, CAs, dates, and no constraint that
 * is not understood (RFC 5280 section 6, without policies and revocation). A root may stand at the end of the chain.
 * @param at the second at which the authenticator attested: makers' certificates end, what they attested stays true
 * @returns the root
 * @throws Refusal `untrusted_chain`, `unsupported_constraint`, `not_yet_valid`, `expired`, `malformed_certificate`, `unsupported_alg`
 */
export async function leadToRoot(
  c: Crypto,
  x5c: readonly [Bytes, ...Bytes[]],
  roots: readonly Bytes[],
  at: Seconds,
): Promise<MakerCertificate> {
  const [leaf, ...above] = x5c;
  const last = above.at(-1);
  const hasRoot = last !== undefined && roots.some((root) => equalBytes(root, last));
  const chain = [leaf, ...(hasRoot ? above.slice(0, -1) : above)].map(parseMakerCertificate);
  if (chain.length >= MAX_MAKER_PATH) untrusted("too many certificates");
  let top: MakerCertificate | undefined;
  for (const certificate of chain) {
    if (top !== undefined && !(await isIssuedBy(c, top, certificate)))
      untrusted("a link does not hold");
    top = certificate;
  }
  const root = top === undefined ? untrusted("no certificate") : await findRoot(c, top, roots);
  const path = [...chain, root];
  if (path.some((one) => one.hasNameConstraints || one.unknownCritical.length > 0))
    throw new Refusal("unsupported_constraint");
  for (const [below, ca] of path.slice(1).entries()) checkCa(ca, below);
  for (const { notBefore, notAfter } of path) {
    if (at < notBefore) throw new Refusal("not_yet_valid");
    if (at >= notAfter) throw new Refusal("expired");
  }
  return root;
}
