import type { Bytes, Crypto, Jwk, SignatureAlgorithm } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { readDer } from "../der/read.ts";
import type { DerReader, Element } from "../der/read.ts";
import { readAlgorithm, readSignature } from "../x509/algorithm.ts";
import {
  MAX_CERTIFICATE_BYTES,
  readAllExtensions,
  readName,
  readSerial,
  readValidity,
} from "../x509/certificate.ts";
import type { Certificate } from "../x509/certificate.ts";
import type { FoundExtensions } from "../x509/extension.ts";
import { readSpki } from "../x509/spki.ts";

/**
 * A certificate of a maker of authenticators; nothing is verified yet. Unlike the certificates of agents and servers it
 * may be signed with RSA, and a CA's key may be one.
 */
export interface MakerCertificate extends Omit<
  Certificate,
  "key" | "serialHex" | "signatureAlgorithm"
> {
  /** Absent: an RSA key. */
  readonly key?: Jwk;
  readonly signatureAlgorithm: SignatureAlgorithm | "RS256";
}

const CODE = "malformed_certificate";
const VERSION_3 = 2;
const RSA = { key: "1.2.840.113549.1.1.1", signature: "1.2.840.113549.1.1.11" } as const;

/** Whether the SEQUENCE names this RSA identifier, with the NULL that RFC 4055 asks for and nothing else. */
function isRsa(reader: DerReader, name: string): boolean {
  const inner = reader.sequence();
  if (inner.oid() !== name) return false;
  inner.null();
  inner.end();
  return true;
}

function algorithmOf({ der }: Element): MakerCertificate["signatureAlgorithm"] {
  const again = (): DerReader => readDer(der, MAX_CERTIFICATE_BYTES, CODE);
  return isRsa(again(), RSA.signature) ? "RS256" : readAlgorithm(again(), "unsupported_alg");
}

/** The key of SubjectPublicKeyInfo; of an RSA key the octets alone. */
function keyOf(tbs: DerReader): { readonly key?: Jwk; readonly spki: Bytes } {
  const { der } = tbs.element(0x30);
  const again = (): DerReader => readDer(der, MAX_CERTIFICATE_BYTES, CODE);
  if (!isRsa(again().sequence(), RSA.key)) return readSpki(again(), "unsupported_alg");
  return { spki: der };
}

/**
 * Parses one DER certificate of a maker as strictly as `parseCertificate`, RSA with SHA-256 besides.
 * @throws Refusal `malformed_certificate`, `unsupported_alg`
 */
export function parseMakerCertificate(der: Bytes): MakerCertificate {
  const file = readDer(der, MAX_CERTIFICATE_BYTES, CODE);
  const outer = file.sequence();
  file.end();
  const tbsElement = outer.element(0x30);
  const algorithm = outer.any();
  const tbs = outer.inside(tbsElement);
  const version = tbs.context(0);
  if (version.small(VERSION_3) !== VERSION_3) version.fail("not version 3");
  version.end();
  readSerial(tbs);
  if (!equalBytes(tbs.any().der, algorithm.der)) tbs.fail("algorithms differ");
  const signatureAlgorithm = algorithmOf(algorithm);
  const issuer = readName(tbs);
  const validity = readValidity(tbs);
  const subject = readName(tbs);
  const keyed = keyOf(tbs);
  const found: FoundExtensions = {
    uris: [],
    dns: [],
    sanCritical: false,
    basicConstraintsCritical: false,
    keyUsageCritical: false,
    hasNameConstraints: false,
    unknownCritical: [],
  };
  readAllExtensions(found, tbs);
  tbs.end();
  const signature =
    signatureAlgorithm === "RS256"
      ? outer.wholeBits()
      : readSignature(outer, signatureAlgorithm, CODE);
  outer.end();
  return {
    ...found,
    ...validity,
    ...keyed,
    der,
    tbs: tbsElement.der,
    issuer: issuer.der,
    subject: subject.der,
    subjectIsEmpty: subject.isEmpty,
    signatureAlgorithm,
    signature,
  };
}

/** Whether the issuer's key signed the certificate. */
export async function isSignedBy(
  c: Crypto,
  { tbs, signature, signatureAlgorithm: alg }: MakerCertificate,
  { key, spki }: MakerCertificate,
): Promise<boolean> {
  if (alg === "RS256") return (await c.verifyRs256?.(spki, tbs, signature)) ?? false;
  return key !== undefined && c.verify(alg, key, tbs, signature);
}
