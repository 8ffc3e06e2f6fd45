import type { Bytes, Crypto, Jwk, Seconds, Signer } from "../crypto.ts";
import { asciiOf } from "../der/read.ts";
import { LAST_SECOND } from "../der/time.ts";
import {
  boolean,
  explicit,
  implicitPrimitive,
  integer,
  namedBits,
  octetString,
  oid,
  sequence,
  time,
} from "../der/write.ts";
import { utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { ipOctets } from "./address.ts";
import { writeAlgorithm, writeSignature } from "./algorithm.ts";
import { readCertificate } from "./certificate.ts";
import { GENERAL_NAME, KEY_USAGE_BIT, writeExtension } from "./extension.ts";
import type { KeyUsage } from "./extension.ts";
import { OID } from "./oids.ts";
import { keyIdOf, spkiOf } from "./spki.ts";

/** All that a certificate says except its signature. */
export interface CertificateTemplate {
  /** 16–20 random octets; the top bits are set so that the number is positive and keeps its length. */
  readonly serial: Bytes;
  /** DER of both names. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  readonly notBefore: Seconds;
  readonly notAfter: Seconds;
  readonly key: Jwk;
  /** Extensions in DER, in the order in which they are written; see the writers below. */
  readonly extensions: readonly Bytes[];
}

const VERSION_3 = 2;
const MIN_SERIAL_OCTETS = 16;
const MAX_SERIAL_OCTETS = 20;

function unfit(why: string): never {
  throw new Refusal("signer_unsuitable", why);
}

function positiveSerial(serial: Bytes): Bytes {
  if (serial.length < MIN_SERIAL_OCTETS || serial.length > MAX_SERIAL_OCTETS)
    return unfit("a serial has 16 to 20 octets");
  const copy = Uint8Array.from(serial);
  copy[0] = ((copy[0] ?? 0) & 0x7f) | 0x40;
  return integer(copy);
}

function validity(notBefore: Seconds, notAfter: Seconds): Bytes {
  const areInstants = Number.isSafeInteger(notBefore) && Number.isSafeInteger(notAfter);
  if (!areInstants || notBefore < 0 || notBefore >= notAfter || notAfter > LAST_SECOND)
    return unfit("the certificate's times are no period");
  return sequence(time(notBefore), time(notAfter));
}

/**
 * Signs a certificate, then reads and verifies what was signed as a stranger would.
 * @throws Refusal `signer_unsuitable` for a template or signer that makes no certificate; as `parseCertificate`
 */
export async function buildCertificate(
  c: Crypto,
  template: CertificateTemplate,
  by: Signer,
): Promise<Bytes> {
  const algorithm = writeAlgorithm(by.alg);
  const tbs = sequence(
    explicit(0, integer(VERSION_3)),
    positiveSerial(template.serial),
    algorithm,
    template.issuer,
    validity(template.notBefore, template.notAfter),
    template.subject,
    spkiOf(template.key),
    explicit(3, sequence(...template.extensions)),
  );
  const der = sequence(tbs, algorithm, writeSignature(by.alg, await by.sign(tbs)));
  const made = readCertificate(c, der);
  if (!(await c.verify(made.signatureAlgorithm, by.key, made.tbs, made.signature)))
    return unfit("the signer's signature does not fit its key");
  return der;
}

/** Names for a subjectAltName. */
export interface AltNames {
  readonly uri: string;
  readonly dns?: readonly string[];
  /** Addresses as text: `127.0.0.1`, `::1`. */
  readonly ips?: readonly string[];
}

function asciiName(choice: number, text: string): Bytes {
  const octets = utf8(text);
  if (text === "" || asciiOf(octets) === undefined) unfit("a name is empty or not ASCII");
  return implicitPrimitive(choice, octets);
}

/** GeneralNames with one URI, then DNS names and addresses. */
export function altNames(names: AltNames): Bytes {
  return sequence(
    asciiName(GENERAL_NAME.uri, names.uri),
    ...(names.dns ?? []).map((name) => asciiName(GENERAL_NAME.dns, name)),
    ...(names.ips ?? []).map((text) => implicitPrimitive(GENERAL_NAME.ip, ipOctets(text))),
  );
}

export function subjectAltName(names: AltNames, isCritical: boolean): Bytes {
  return writeExtension(OID.subjectAltName, isCritical, altNames(names));
}

/** Critical basicConstraints; for a CA with its path length. */
export function basicConstraints(ca: { readonly pathLength: number } | "end entity"): Bytes {
  const value = ca === "end entity" ? sequence() : sequence(boolean(true), integer(ca.pathLength));
  return writeExtension(OID.basicConstraints, true, value);
}

/** Critical keyUsage with one bit. */
export function keyUsage(bit: keyof KeyUsage): Bytes {
  return writeExtension(OID.keyUsage, true, namedBits([KEY_USAGE_BIT[bit]]));
}

/** Non-critical extendedKeyUsage. */
export function extendedKeyUsage(...purposes: readonly ("serverAuth" | "clientAuth")[]): Bytes {
  const value = sequence(...purposes.map((purpose) => oid(OID[purpose])));
  return writeExtension(OID.extendedKeyUsage, false, value);
}

export function subjectKeyId(c: Crypto, key: Jwk): Bytes {
  return writeExtension(OID.subjectKeyIdentifier, false, octetString(keyIdOf(c, key)));
}

/** authorityKeyIdentifier with the issuer's own key identifier. */
export function authorityKeyId(keyId: Bytes): Bytes {
  return writeExtension(OID.authorityKeyIdentifier, false, sequence(implicitPrimitive(0, keyId)));
}
