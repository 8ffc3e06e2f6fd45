import type { Bytes, Crypto, Jwk, Signer } from "../crypto.ts";
import { readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import {
  contextConstructedTag,
  implicitConstructed,
  integer,
  oid,
  sequence,
  setOf,
} from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import { readAlgorithm, readSignature, writeAlgorithm, writeSignature } from "./algorithm.ts";
import { subjectAltName } from "./build.ts";
import { readName } from "./certificate.ts";
import { readAltNames, readExtensionList } from "./extension.ts";
import { OID } from "./oids.ts";
import { readSpki, spkiOf } from "./spki.ts";

/** A certificate request whose signature by its own key was verified. Its names are wishes: the entry decides. */
export interface Csr {
  readonly key: Jwk;
  readonly spki: Bytes;
  /** URIs of the subjectAltName that is asked for; may be empty. */
  readonly uris: readonly string[];
  /** DER of the subject name. */
  readonly subject: Bytes;
}

const MAX_CSR_BYTES = 8192;
const MAX_ATTRIBUTES = 16;
const CODE = "malformed_csr";

function readRequestedUris(values: DerReader): readonly string[] {
  const wanted = readExtensionList(values).find(({ name }) => name === OID.subjectAltName);
  if (wanted === undefined) return [];
  const reader = readDer(wanted.value, MAX_CSR_BYTES, CODE);
  // strongSwan asks with an empty list where it should name a URI
  const { uris } = readAltNames(reader, true);
  reader.end();
  return uris;
}

function readAttributes(attributes: DerReader): readonly string[] {
  const seen: string[] = [];
  let uris: readonly string[] = [];
  while (!attributes.isDone) {
    const attribute = attributes.sequence();
    const name = attribute.oid();
    const values = attribute.set();
    attribute.end();
    if (seen.includes(name) || seen.length >= MAX_ATTRIBUTES)
      attributes.fail("too many attributes, or one twice");
    seen.push(name);
    if (name !== OID.extensionRequest) continue;
    uris = readRequestedUris(values);
    values.end();
  }
  return uris;
}

/**
 * Reads a PKCS#10 request (RFC 2986) and verifies that its own key signed it, which is the proof of possession.
 * Attributes other than the requested subjectAltName are ignored. At most 8 KiB; keys on P-256, P-384, or Ed25519.
 * @throws Refusal `malformed_csr`, `invalid_key`, `invalid_signature`
 */
export async function parseCsr(c: Crypto, der: Bytes): Promise<Csr> {
  const file = readDer(der, MAX_CSR_BYTES, CODE);
  const outer = file.sequence();
  file.end();
  const infoElement = outer.element(0x30);
  const info = outer.inside(infoElement);
  info.small(0);
  const subject = readName(info).der;
  const { key, spki } = readSpki(info, "invalid_key");
  const uris = readAttributes(info.inside(info.element(contextConstructedTag(0))));
  info.end();
  if (key.crv === "P-521" || !c.isValidKey(key)) throw new Refusal("invalid_key");
  const alg = readAlgorithm(outer, "invalid_signature");
  const signature = readSignature(outer, alg, CODE);
  outer.end();
  if (!(await c.verify(alg, key, infoElement.der, signature)))
    throw new Refusal("invalid_signature");
  return { key, spki, uris, subject };
}

/**
 * A PKCS#10 request for the signer's key, without a subject; with the identifier that is expected, where given.
 * Reads back what was signed.
 * @throws Refusal `signer_unsuitable`, and as `parseCsr`
 */
export async function buildCsr(c: Crypto, by: Signer, uri?: string): Promise<Bytes> {
  const request =
    uri === undefined
      ? []
      : [sequence(oid(OID.extensionRequest), setOf(sequence(subjectAltName({ uri }, true))))];
  const info = sequence(integer(0), sequence(), spkiOf(by.key), implicitConstructed(0, ...request));
  const signature = writeSignature(by.alg, await by.sign(info));
  const der = sequence(info, writeAlgorithm(by.alg), signature);
  await parseCsr(c, der);
  return der;
}
