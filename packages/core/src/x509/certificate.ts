import type { Bytes, Crypto, Jwk, Seconds, SignatureAlgorithm } from "../crypto.ts";
import { equalBytes, hex } from "../bytes.ts";
import { readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import { readAlgorithm, readSignature } from "./algorithm.ts";
import { readExtensions } from "./extension.ts";
import type { Extensions, FoundExtensions } from "./extension.ts";
import { Refusal } from "../refusal.ts";
import { readOnce } from "../remember.ts";
import { readSpki } from "./spki.ts";

/** A parsed X.509 certificate; nothing is verified yet. Octets are views into `der`. */
export interface Certificate extends Extensions {
  readonly der: Bytes;
  /** What the signature covers. */
  readonly tbs: Bytes;
  /** Lower-case hexadecimal of the serial number, without a sign octet. */
  readonly serialHex: string;
  /** DER of the names: compared octet by octet. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  readonly subjectIsEmpty: boolean;
  readonly notBefore: Seconds;
  readonly notAfter: Seconds;
  readonly key: Jwk;
  readonly spki: Bytes;
  readonly signatureAlgorithm: SignatureAlgorithm;
  /** r ‖ s, or the 64 octets of Ed25519. */
  readonly signature: Bytes;
}

/** Largest certificate that is read. */
export const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_SERIAL_OCTETS = 20;
const MAX_NAME_PARTS = 32;
const VERSION_3 = 2;
const CODE = "malformed_certificate";
const NOT_READ: Bytes = new Uint8Array(0);

/** The next element as a Name (RFC 5280 section 4.1.2.4), checked for form and kept as it is. */
export function readName(reader: DerReader): { readonly der: Bytes; readonly isEmpty: boolean } {
  const element = reader.element(0x30);
  const parts = reader.inside(element);
  const isEmpty = parts.isDone;
  for (let count = 0; !parts.isDone; count += 1) {
    const set = parts.set();
    if (set.isDone || count >= MAX_NAME_PARTS) set.fail("name is too long or has an empty part");
    while (!set.isDone) {
      const pair = set.sequence();
      pair.oid();
      pair.any();
      pair.end();
    }
  }
  return { der: element.der, isEmpty };
}

/** The next element as a serial number, positive and of at most 20 octets (RFC 5280 section 4.1.2.2). */
export function readSerial(tbs: DerReader): string {
  const serial = tbs.unsigned(MAX_SERIAL_OCTETS);
  return serial.every((octet) => octet === 0) ? tbs.fail("serial is zero") : hex(serial);
}

/** The next element as the period of a certificate. */
export function readValidity(tbs: DerReader): {
  readonly notBefore: Seconds;
  readonly notAfter: Seconds;
} {
  const validity = tbs.sequence();
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.end();
  return notBefore <= notAfter ? { notBefore, notAfter } : validity.fail("ends before it begins");
}

/** The extensions, if there are any, into what a certificate says. */
export function readAllExtensions(found: FoundExtensions, tbs: DerReader): void {
  if (tbs.isDone) return;
  const wrapped = tbs.context(3);
  readExtensions(found, wrapped, CODE);
  wrapped.end();
}

/**
 * Parses one DER certificate (RFC 5280 section 4.1) strictly: version 3, positive serial, no unique identifiers,
 * no extension twice, both algorithm identifiers equal, nothing after it, at most 16 KiB. Keys and signatures are
 * ECDSA on P-256 with SHA-256, on P-384 with SHA-384, or Ed25519.
 * @throws Refusal `malformed_certificate`, `unsupported_alg`
 */
export function parseCertificate(der: Bytes): Certificate {
  const file = readDer(der, MAX_CERTIFICATE_BYTES, CODE);
  const outer = file.sequence();
  file.end();
  const tbsElement = outer.element(0x30);
  const outerAlgorithm = outer.any();
  const tbs = outer.inside(tbsElement);
  const version = tbs.context(0);
  if (version.small(VERSION_3) !== VERSION_3) version.fail("not version 3");
  version.end();
  const serialHex = readSerial(tbs);
  const innerAlgorithm = tbs.any();
  if (!equalBytes(innerAlgorithm.der, outerAlgorithm.der)) tbs.fail("algorithms differ");
  const signatureAlgorithm = readAlgorithm(
    readDer(innerAlgorithm.der, MAX_CERTIFICATE_BYTES, CODE),
    "unsupported_alg",
  );
  const issuer = readName(tbs);
  const { notBefore, notAfter } = readValidity(tbs);
  const subject = readName(tbs);
  const { key, spki } = readSpki(tbs, "unsupported_alg");
  if (key.crv === "P-521") throw new Refusal("unsupported_alg", "P-521");
  // spelt out: an object that begins with the members of another is several times slower to make and to fill
  const certificate: { -readonly [M in keyof Certificate]: Certificate[M] } = {
    uris: [],
    dns: [],
    sanCritical: false,
    basicConstraintsCritical: false,
    keyUsageCritical: false,
    hasNameConstraints: false,
    unknownCritical: [],
    der,
    tbs: tbsElement.der,
    serialHex,
    issuer: issuer.der,
    subject: subject.der,
    subjectIsEmpty: subject.isEmpty,
    notBefore,
    notAfter,
    key,
    spki,
    signatureAlgorithm,
    signature: NOT_READ,
  };
  readAllExtensions(certificate, tbs);
  tbs.end();
  certificate.signature = readSignature(outer, signatureAlgorithm, CODE);
  outer.end();
  return certificate;
}

/** As `parseCertificate`, once for equal octets where `c` remembers. */
export function readCertificate(c: Crypto, der: Bytes): Certificate {
  return readOnce(c, "certificate", der, parseCertificate);
}
