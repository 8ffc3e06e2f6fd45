import type { Bytes, Crypto, Jwk, Seconds } from "../crypto.ts";
import { fromBase64 } from "../bytes.ts";
import { sameKey } from "../jose/jwk.ts";
import { Refusal } from "../refusal.ts";
import type { Certificate } from "../x509/certificate.ts";
import { checkDates, verifyPath } from "../x509/path.ts";

/** Who certifies owners of one trust domain: configuration, never read from a certificate. */
export interface OwnerCa {
  /** DER of the trusted CAs. */
  readonly certificates: readonly Bytes[];
  /** Object identifier of the extended key usage that marks a certificate of an owner. */
  readonly eku: string;
}

/** Whose certificate it must be, and when. */
export interface OwnerCertificateQuery {
  /** As in `key.x5c`: DER in base64, leaf first. */
  readonly x5c: readonly string[];
  readonly cas: readonly OwnerCa[];
  /** `urn:agent-owner:<td>:<opaque>` */
  readonly owner: string;
  readonly key: Jwk;
  /** When the key signed: `iat` of its statement. */
  readonly signedAt: Seconds;
  readonly now: Seconds;
  /** Default 0. */
  readonly skewSeconds?: Seconds;
}

async function verifyUnder(
  c: Crypto,
  ca: OwnerCa,
  { x5c, signedAt, now, skewSeconds = 0 }: OwnerCertificateQuery,
): Promise<Certificate> {
  const { leaf, path } = await verifyPath(c, {
    chain: x5c.map(fromBase64),
    anchors: ca.certificates,
    purpose: { eku: ca.eku },
    now,
    skewSeconds,
  });
  for (const certificate of path) checkDates(certificate, signedAt, skewSeconds);
  return leaf;
}

/** What a leaf says of its owner: exactly this one, by its one URI, for exactly this key. */
function checkOwner(leaf: Certificate, { owner, key }: OwnerCertificateQuery): void {
  if (leaf.keyUsage?.digitalSignature !== true)
    throw new Refusal("wrong_purpose", "the certificate does not say that its key signs");
  const [uri, ...others] = leaf.uris;
  if (uri !== owner || others.length > 0)
    throw new Refusal(
      "owner_key_unaccepted",
      "the certificate does not name this owner, and no other, as its URI",
      `Have it issued with exactly one URI in its subjectAltName: ${owner}`,
    );
  if (!sameKey(leaf.key, key))
    throw new Refusal("owner_key_unaccepted", "the certificate is of another key");
}

/**
 * Verifies that a configured CA certifies this key as this owner's (DESIGN 5.2): path, extended key usage, one URI that
 * is the owner's id, digitalSignature, the key itself; every certificate valid now and when the key signed. Name
 * constraints and unknown critical extensions are refused, and nothing is fetched: no issuer, no revocation list.
 * @throws Refusal `owner_key_unaccepted`, and as `verifyPath`; with several CAs the reason of the one that came furthest
 */
export async function verifyOwnerCertificate(
  c: Crypto,
  query: OwnerCertificateQuery,
): Promise<Certificate> {
  let why = new Refusal("untrusted_chain", "no CA is configured for owners");
  for (const ca of query.cas) {
    try {
      const leaf = await verifyUnder(c, ca, query);
      checkOwner(leaf, query);
      return leaf;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (why.code === "untrusted_chain") why = error;
    }
  }
  throw why;
}
