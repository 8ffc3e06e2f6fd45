import type { Bytes, Crypto, Seconds } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { parseCertificate, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { OID } from "./oids.ts";

/**
 * What the leaf is used for; `any` asks nothing of its extended key usage, `eku` that the leaf states this one, by its
 * object identifier.
 */
export type Purpose = "server" | "client" | "any" | { readonly eku: string };
/** `wic`: what the draft asks. `x509-svid`: also what SPIFFE asks of every certificate. */
export type PathLevel = "wic" | "x509-svid";

export interface PathInput {
  /** DER: leaf first, then intermediates upwards; a root at the end is left out of account. */
  readonly chain: readonly Bytes[];
  /** DER of the trusted roots, from configuration only. */
  readonly anchors: readonly Bytes[];
  readonly purpose: Purpose;
  readonly now: Seconds;
  /** Default 0. */
  readonly skewSeconds?: number;
  /** Default `wic`. */
  readonly level?: PathLevel;
}

export interface VerifiedPath {
  readonly leaf: Certificate;
  readonly anchor: Certificate;
  /** Leaf first, anchor last. */
  readonly path: readonly Certificate[];
}

/** Longest path, counting leaf and root. */
export const MAX_PATH_CERTIFICATES = 4;
const MAX_ANCHORS = 64;

function untrusted(why: string): never {
  throw new Refusal("untrusted_chain", why);
}

function parseChain(c: Crypto, input: PathInput): readonly [Certificate, ...Certificate[]] {
  const { chain, anchors } = input;
  const last = chain.at(-1);
  const hasRoot =
    chain.length > 1 && last !== undefined && anchors.some((anchor) => equalBytes(anchor, last));
  const own = hasRoot ? chain.slice(0, -1) : chain;
  if (own.length >= MAX_PATH_CERTIFICATES || anchors.length > MAX_ANCHORS)
    return untrusted("too many certificates");
  const [leaf, ...above] = own.map((der) => readCertificate(c, der));
  return leaf === undefined ? untrusted("no certificate") : [leaf, ...above];
}

/** Names octet by octet, key identifiers where both are there; no signature yet. */
function fitsIssuer(child: Certificate, issuer: Certificate): boolean {
  const { authorityKeyId } = child;
  const { subjectKeyId } = issuer;
  const fitsKeyId =
    authorityKeyId === undefined ||
    subjectKeyId === undefined ||
    equalBytes(authorityKeyId, subjectKeyId);
  return !issuer.subjectIsEmpty && equalBytes(child.issuer, issuer.subject) && fitsKeyId;
}

async function isIssuedBy(c: Crypto, child: Certificate, issuer: Certificate): Promise<boolean> {
  return (
    fitsIssuer(child, issuer) &&
    (await c.verify(child.signatureAlgorithm, issuer.key, child.tbs, child.signature))
  );
}

/** Anchors are configuration: their octets never change, and each is read once. */
const parsedAnchors = new WeakMap<Bytes, Certificate>();

function parseAnchor(der: Bytes): Certificate {
  const known = parsedAnchors.get(der);
  if (known !== undefined) return known;
  const anchor = parseCertificate(der);
  parsedAnchors.set(der, anchor);
  return anchor;
}

async function findAnchor(
  c: Crypto,
  top: Certificate,
  anchors: readonly Bytes[],
): Promise<Certificate> {
  for (const der of anchors) {
    const anchor = parseAnchor(der);
    if (await isIssuedBy(c, top, anchor)) return anchor;
  }
  return untrusted("no configured anchor issued it");
}

/** RFC 5280 6.1.4 (k)–(n) for the certificate that has `below` CA certificates between it and the leaf. */
function checkCa(ca: Certificate, below: number, level: PathLevel): void {
  const { basicConstraints, keyUsage } = ca;
  if (basicConstraints?.isCa !== true) untrusted("an issuer is not a CA");
  if ((basicConstraints?.pathLength ?? below) < below) untrusted("path length exceeded");
  if (keyUsage === undefined ? level === "x509-svid" : !keyUsage.keyCertSign)
    untrusted("an issuer may not sign certificates");
}

/** @throws Refusal `not_yet_valid`, `expired` */
export function checkDates(certificate: Certificate, now: Seconds, skewSeconds: number): void {
  if (now + skewSeconds < certificate.notBefore) throw new Refusal("not_yet_valid");
  // refused in the second of notAfter itself, as OpenSSL does and as the token of the same issue is
  if (now - skewSeconds >= certificate.notAfter) throw new Refusal("expired");
}

function checkLeaf(leaf: Certificate, level: PathLevel): void {
  const { basicConstraints, keyUsage } = leaf;
  if (
    basicConstraints?.isCa === true ||
    keyUsage?.keyCertSign === true ||
    keyUsage?.crlSign === true
  )
    throw new Refusal("not_end_entity");
  if (keyUsage !== undefined && !keyUsage.digitalSignature)
    throw new Refusal("wrong_purpose", "the key may not sign");
  if (level === "wic") return;
  if (basicConstraints === undefined) throw new Refusal("not_end_entity", "no basic constraints");
  if (keyUsage === undefined || !leaf.keyUsageCritical)
    throw new Refusal("wrong_purpose", "no critical key usage");
  if (leaf.subjectIsEmpty && !leaf.sanCritical)
    throw new Refusal("malformed_certificate", "no name that must be understood");
}

/** @param path without its anchor */
function checkPurpose(path: readonly Certificate[], purpose: Purpose): void {
  if (purpose === "any") return;
  const mustState = typeof purpose === "object";
  const wanted = mustState ? purpose.eku : purpose === "server" ? OID.serverAuth : OID.clientAuth;
  // an intermediate that is limited to other purposes limits what is below it, as TLS stacks agree
  for (const [index, { extendedKeyUsage }] of path.entries()) {
    const allows =
      extendedKeyUsage === undefined
        ? index > 0 || !mustState
        : extendedKeyUsage.includes(wanted) ||
          (index > 0 && extendedKeyUsage.includes(OID.anyExtendedKeyUsage));
    if (!allows) throw new Refusal("wrong_purpose", "extended key usage");
  }
}

/**
 * Verifies a certificate path to one of the anchors (RFC 5280 section 6, without policies, name constraints and
 * revocation): form, signatures and names, constraints that are not supported, CAs, dates of every certificate,
 * end entity, purpose – in this order. Who the leaf is, and whether these anchors may speak for it, is judged by
 * `verifyWic`.
 * @throws Refusal `malformed_certificate`, `unsupported_alg`, `untrusted_chain`, `unsupported_constraint`, `not_yet_valid`, `expired`, `not_end_entity`, `wrong_purpose`
 */
export async function verifyPath(c: Crypto, input: PathInput): Promise<VerifiedPath> {
  const { now, skewSeconds = 0, level = "wic" } = input;
  const chain = parseChain(c, input);
  const [leaf] = chain;
  if (!c.isValidKey(leaf.key)) throw new Refusal("malformed_certificate", "no point of its curve");
  for (const [index, issuer] of chain.slice(1).entries())
    if (!(await isIssuedBy(c, chain[index] ?? leaf, issuer))) untrusted("a link does not hold");
  const anchor = await findAnchor(c, chain.at(-1) ?? leaf, input.anchors);
  const path = [...chain, anchor];
  if (path.some((one) => one.hasNameConstraints || one.unknownCritical.length > 0))
    throw new Refusal("unsupported_constraint");
  for (const [index, ca] of path.slice(1).entries()) checkCa(ca, index, level);
  for (const certificate of path) checkDates(certificate, now, skewSeconds);
  checkLeaf(leaf, level);
  checkPurpose(chain, input.purpose);
  return { leaf, anchor, path };
}

/**
 * What `verifyPath` asks of a leaf itself: form, constraints, dates, end entity, purpose. Only for a leaf whose path
 * somebody else has verified.
 * @throws Refusal `malformed_certificate`, `unsupported_constraint`, `not_yet_valid`, `expired`, `not_end_entity`, `wrong_purpose`
 */
export function checkLeafAlone(
  c: Crypto,
  leaf: Certificate,
  input: Pick<PathInput, "purpose" | "now" | "skewSeconds">,
): void {
  if (!c.isValidKey(leaf.key)) throw new Refusal("malformed_certificate", "no point of its curve");
  if (leaf.hasNameConstraints || leaf.unknownCritical.length > 0)
    throw new Refusal("unsupported_constraint");
  checkDates(leaf, input.now, input.skewSeconds ?? 0);
  checkLeaf(leaf, "wic");
  checkPurpose([leaf], input.purpose);
}
