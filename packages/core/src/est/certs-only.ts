import type { Bytes } from "../crypto.ts";
import { readDer } from "../der/read.ts";
import {
  contextConstructedTag,
  explicit,
  implicitConstructed,
  integer,
  oid,
  sequence,
  setOf,
  sorted,
} from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import { MAX_CERTIFICATE_BYTES } from "../x509/certificate.ts";

const ID_DATA = "1.2.840.113549.1.7.1";
const ID_SIGNED_DATA = "1.2.840.113549.1.7.2";
const SIGNED_DATA_VERSION = 1;
/** Most certificates in one answer; RFC 7030 cacerts needs the roots, intermediates and rollover certificates. */
const MAX_CERTIFICATES = 16;
const MAX_BYTES = MAX_CERTIFICATES * MAX_CERTIFICATE_BYTES;
const CERTIFICATES = 0;
const CRLS = 1;
const CODE = "malformed_certificate";

/**
 * A degenerate CMS SignedData that only carries certificates (RFC 5652 section 5.1, RFC 7030 section 4.1.3). The
 * order is that of a DER SET OF, so a reader tells leaf and CA apart by what they say.
 * @throws Refusal `malformed_certificate` for no or too many certificates
 */
export function writeCertsOnly(certificates: readonly Bytes[]): Bytes {
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES)
    throw new Refusal(CODE, "no or too many certificates");
  const signedData = sequence(
    integer(SIGNED_DATA_VERSION),
    setOf(),
    sequence(oid(ID_DATA)),
    implicitConstructed(CERTIFICATES, ...sorted(certificates)),
    setOf(),
  );
  return sequence(oid(ID_SIGNED_DATA), explicit(0, signedData));
}

/**
 * The certificates of a certs-only SignedData, in the order in which they stand, none parsed. Content, signers and
 * certificates of other kinds are refused; CRLs are left out of account.
 * @throws Refusal `malformed_certificate`
 */
export function readCertsOnly(der: Bytes): readonly Bytes[] {
  const file = readDer(der, MAX_BYTES, CODE);
  const contentInfo = file.sequence();
  file.end();
  if (contentInfo.oid() !== ID_SIGNED_DATA) contentInfo.fail("not SignedData");
  const wrapped = contentInfo.context(0);
  contentInfo.end();
  const signedData = wrapped.sequence();
  wrapped.end();
  if (signedData.small(SIGNED_DATA_VERSION) !== SIGNED_DATA_VERSION) signedData.fail("version");
  signedData.set().end();
  const content = signedData.sequence();
  if (content.oid() !== ID_DATA) content.fail("content type");
  content.end();
  const set = signedData.context(CERTIFICATES);
  if (signedData.has(contextConstructedTag(CRLS))) signedData.any();
  signedData.set().end();
  signedData.end();
  const certificates = [set.element(0x30).der];
  while (!set.isDone && certificates.length < MAX_CERTIFICATES)
    certificates.push(set.element(0x30).der);
  set.end();
  return certificates;
}
