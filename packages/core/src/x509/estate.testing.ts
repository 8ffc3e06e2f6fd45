import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { Bytes, Jwk, Seconds, Signer } from "../crypto.ts";
import {
  bitString,
  explicit,
  integer,
  oid,
  sequence,
  setOf,
  time,
  utf8String,
} from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import { writeAlgorithm, writeSignature } from "./algorithm.ts";
import {
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyId,
} from "./build.ts";
import { parseCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { buildIssuingCa, buildRoot, buildWic } from "./profiles.ts";
import { OID } from "./oids.ts";
import { keyIdOf, spkiOf } from "./spki.ts";

export { c };
export const NOW: Seconds = 1_800_000_000;
export const ORIGIN = "spiffe://example.org";
export const AGENT = "spiffe://example.org/agent/mail/0011223344556677";
const DAY = 86_400;

/** The code of the refusal, `ok`, or what the bug is. */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

export function serialOf(octet: number): Bytes {
  return new Uint8Array(16).fill(octet);
}

export function nameOf(text: string): Bytes {
  return sequence(setOf(sequence(oid(OID.commonName), utf8String(text))));
}

/** Every part of a certificate as DER, so that a test can replace one. */
export interface Parts {
  readonly version: Bytes;
  readonly serial: Bytes;
  readonly innerAlgorithm: Bytes;
  readonly issuer: Bytes;
  readonly validity: Bytes;
  readonly subject: Bytes;
  readonly spki: Bytes;
  readonly rest: readonly Bytes[];
  readonly outerAlgorithm: Bytes;
}

/** Parts of a plain leaf of `issuer`; `extensions` replaces all of them. */
export function leafParts(
  issuer: Certificate,
  key: Jwk,
  change: Partial<Parts> = {},
  extensions: readonly Bytes[] = leafExtensions(issuer, key),
): Parts {
  const algorithm = writeAlgorithm("ES256");
  return {
    version: explicit(0, integer(2)),
    serial: integer(serialOf(0x55)),
    innerAlgorithm: algorithm,
    issuer: issuer.subject,
    validity: sequence(time(NOW - 60), time(NOW + 900)),
    subject: sequence(),
    spki: spkiOf(key),
    rest: extensions.length === 0 ? [] : [explicit(3, sequence(...extensions))],
    outerAlgorithm: algorithm,
    ...change,
  };
}

export function leafExtensions(issuer: Certificate, key: Jwk): readonly Bytes[] {
  return [
    subjectAltName({ uri: AGENT }, true),
    basicConstraints("end entity"),
    keyUsage("digitalSignature"),
    subjectKeyId(c, key),
    authorityKeyId(keyIdOf(c, issuer.key)),
    extendedKeyUsage("serverAuth", "clientAuth"),
  ];
}

/** Signs parts without looking at them. */
export async function assemble(parts: Parts, by: Signer): Promise<Bytes> {
  const { version, serial, innerAlgorithm, issuer, validity, subject, spki, rest } = parts;
  const tbs = sequence(version, serial, innerAlgorithm, issuer, validity, subject, spki, ...rest);
  return sequence(tbs, parts.outerAlgorithm, writeSignature(by.alg, await by.sign(tbs)));
}

/** A CA made by hand: any name, any extensions. */
export async function assembleCa(input: {
  readonly name: string;
  readonly key: Jwk;
  readonly by: Signer;
  readonly issuer?: Certificate;
  readonly extensions: readonly Bytes[];
  readonly validity?: Bytes;
}): Promise<Certificate> {
  const subject = nameOf(input.name);
  const algorithm = writeAlgorithm(input.by.alg);
  const parts: Parts = {
    version: explicit(0, integer(2)),
    serial: integer(serialOf(0x66)),
    innerAlgorithm: algorithm,
    issuer: input.issuer?.subject ?? subject,
    validity: input.validity ?? sequence(time(NOW - DAY), time(NOW + DAY)),
    subject,
    spki: spkiOf(input.key),
    rest: input.extensions.length === 0 ? [] : [explicit(3, sequence(...input.extensions))],
    outerAlgorithm: algorithm,
  };
  return parseCertificate(await assemble(parts, input.by));
}

/** One hierarchy with its keys. */
export interface Estate {
  readonly rootKey: Signer;
  readonly root: Certificate;
  readonly issuingKey: Signer;
  readonly issuing: Certificate;
}

export async function makeEstate(origin: string = ORIGIN, name = "example.org"): Promise<Estate> {
  const rootKey = generateSigner();
  const issuingKey = generateSigner();
  const common = { notBefore: NOW - DAY, origin, hierarchy: "agents", name } as const;
  const root = parseCertificate(
    await buildRoot(c, { ...common, serial: serialOf(1), notAfter: NOW + 3650 * DAY }, rootKey),
  );
  const ca = { ...common, serial: serialOf(2), notAfter: NOW + 30 * DAY, key: issuingKey.key };
  const issuing = parseCertificate(await buildIssuingCa(c, { ...ca, issuer: root }, rootKey));
  return { rootKey, root, issuingKey, issuing };
}

/** A WIC of the estate for a fresh or given key. */
export function makeWic(estate: Estate, uri: string = AGENT, key?: Jwk): Promise<Bytes> {
  const template = {
    uri,
    key: key ?? generateSigner().key,
    serial: serialOf(3),
    notBefore: NOW - 60,
    notAfter: NOW + 900,
    issuer: estate.issuing,
  };
  return buildWic(c, template, estate.issuingKey);
}

/** A point that lies on no curve, well formed otherwise. */
export const OFF_CURVE_SPKI: Bytes = sequence(
  sequence(oid(OID.ecPublicKey), oid(OID.p256)),
  bitString(Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : 7))),
);
