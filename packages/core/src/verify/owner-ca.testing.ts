import { generateSigner } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import type { Bytes, Jwk, Signer } from "../crypto.ts";
import { boolean, integer, namedBits, oid, sequence, time } from "../der/write.ts";
import {
  altNames,
  authorityKeyId,
  basicConstraints,
  keyUsage,
  subjectKeyId,
} from "../x509/build.ts";
import type { Certificate } from "../x509/certificate.ts";
import { assemble, assembleCa, c, leafParts } from "../x509/estate.testing.ts";
import { writeExtension } from "../x509/extension.ts";
import { OID } from "../x509/oids.ts";
import { pemEncode } from "../x509/pem.ts";
import { keyIdOf } from "../x509/spki.ts";
import type { OwnerCa } from "./owner-certificate.ts";

/** The extended key usage of the tests' owners. */
export const OWNER_EKU = "1.3.6.1.4.1.32473.5.1";

/** One thing of a certificate that is otherwise than in a good one. */
export interface CertificateChange {
  readonly uris?: readonly string[];
  /** Extended key usages; an empty list: the extension is absent. */
  readonly ekus?: readonly string[];
  readonly isCa?: boolean;
  /** Bit of key usage; `none`: the extension is absent. */
  readonly usage?: "digitalSignature" | "nonRepudiation" | "none";
  readonly validity?: readonly [notBefore: number, notAfter: number];
  readonly more?: readonly Bytes[];
}

/** A company's CA for its owners, as somebody else's software runs it. */
export interface Company {
  readonly signer: Signer;
  readonly certificate: Certificate;
  readonly pem: string;
  /** As a relying party or a server configures it. */
  readonly ca: OwnerCa;
  /** DER of a certificate for this owner and key. */
  certify(owner: string, key: Jwk, change?: CertificateChange): Promise<Bytes>;
}

const NAME_CONSTRAINTS = writeExtension("2.5.29.30", true, sequence());
export const CONSTRAINED: readonly Bytes[] = [NAME_CONSTRAINTS];

function leafExtensionsOf(
  issuer: Certificate,
  owner: string,
  key: Jwk,
  { uris = [owner], ekus = [OWNER_EKU], usage = "digitalSignature", ...change }: CertificateChange,
): readonly Bytes[] {
  const names = sequence(...uris.map((uri) => altNames({ uri }).subarray(2)));
  const nonRepudiation = writeExtension(OID.keyUsage, true, namedBits([1]));
  return [
    ...(uris.length === 0 ? [] : [writeExtension(OID.subjectAltName, false, names)]),
    change.isCa === true ? basicConstraints({ pathLength: 0 }) : basicConstraints("end entity"),
    ...(usage === "none" ? [] : [usage === "digitalSignature" ? keyUsage(usage) : nonRepudiation]),
    ...(ekus.length === 0
      ? []
      : [writeExtension(OID.extendedKeyUsage, false, sequence(...ekus.map((eku) => oid(eku))))]),
    subjectKeyId(c, key),
    authorityKeyId(keyIdOf(c, issuer.key)),
    ...(change.more ?? []),
  ];
}

async function issue(
  issuer: Certificate,
  by: Signer,
  owner: string,
  key: Jwk,
  change: CertificateChange,
): Promise<Bytes> {
  const [notBefore, notAfter] = change.validity ?? [issuer.notBefore, issuer.notAfter];
  const validity = sequence(time(notBefore), time(notAfter));
  return assemble(
    leafParts(issuer, key, { validity }, leafExtensionsOf(issuer, owner, key, change)),
    by,
  );
}

/**
 * @param life of the CA, and of what it issues
 * @param above absent: it signs itself
 */
export async function makeCompany(
  life: readonly [notBefore: number, notAfter: number],
  name = "Example Corp Owners",
  above?: Company,
  more: readonly Bytes[] = [],
): Promise<Company> {
  const signer = generateSigner();
  const path = above === undefined ? 1 : 0;
  const constraints = writeExtension(
    OID.basicConstraints,
    true,
    sequence(boolean(true), integer(path)),
  );
  const certificate = await assembleCa({
    name,
    key: signer.key,
    by: above?.signer ?? signer,
    ...(above === undefined ? {} : { issuer: above.certificate }),
    validity: sequence(time(life[0]), time(life[1])),
    extensions: [constraints, keyUsage("keyCertSign"), subjectKeyId(c, signer.key), ...more],
  });
  return {
    signer,
    certificate,
    pem: pemEncode("CERTIFICATE", certificate.der),
    ca: { certificates: [certificate.der], eku: OWNER_EKU },
    certify: (owner, key, change = {}) => issue(certificate, signer, owner, key, change),
  };
}

/** `x5c` of these certificates. */
export const x5cOf = (...chain: readonly Bytes[]): readonly string[] => chain.map(base64);
