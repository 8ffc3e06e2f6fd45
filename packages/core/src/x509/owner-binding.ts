import type { Bytes, Digest } from "../crypto.ts";
import { base64url, fromBase64url } from "../bytes.ts";
import { readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import {
  contextConstructedTag,
  contextTag,
  implicitPrimitive,
  integer,
  octetString,
  sequence,
  TAG,
  utf8String,
} from "../der/write.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { jwkOfSpki, readSpki } from "./spki.ts";

/** Who answers for the agent, as the certificate says it (extension 1.3.6.1.4.1.32473.1.1). */
export interface OwnerBinding {
  readonly ownerId: string;
  /** RFC 7638 thumbprint of the owner's key: base64url of 32 octets. */
  readonly ownerKey: string;
  /** Digest of the consent statement. */
  readonly consent: Digest;
  /** 0–4; always there in what we issue. */
  readonly assurance?: number;
  /** UTF-8 JSON of the bundle's approval part; only where the entry asks for it. */
  readonly evidence?: Bytes;
  /** DER SubjectPublicKeyInfo of the owner's key; always there in what we issue. */
  readonly ownerSpki?: Bytes;
}

const HASH_BYTES = 32;
const MAX_ASSURANCE = 4;
/** Without evidence: RADIUS servers of others cut off longer private extensions. */
const MAX_BYTES = 300;
/** With evidence: what still fits into a certificate of 16 KiB. */
const MAX_BYTES_WITH_EVIDENCE = 15_360;
const CODE: RefusalCode = "malformed_certificate";

const ASSURANCE = contextTag(0);
const EVIDENCE = contextTag(2);
const OWNER_SPKI = contextConstructedTag(5);

function hashOctets(text: string): Bytes {
  const octets = fromBase64url(text);
  if (octets.length !== HASH_BYTES) throw new Refusal(CODE, "owner binding: not 32 octets");
  return octets;
}

function checkSize(der: Bytes, hasEvidence: boolean): Bytes {
  const max = hasEvidence ? MAX_BYTES_WITH_EVIDENCE : MAX_BYTES;
  if (der.length > max) throw new Refusal(CODE, `owner binding over ${max} bytes`);
  return der;
}

/** The same elements under another identifier octet: IMPLICIT tagging of a whole element. */
function retagged(der: Bytes, tag: number): Bytes {
  const copy = Uint8Array.from(der);
  copy[0] = tag;
  return copy;
}

/**
 * Content of `extnValue`: DER with IMPLICIT tags, at most 300 bytes unless it carries evidence.
 * @throws Refusal `malformed_certificate` when it does not fit; `invalid_key`, `unsupported_alg` for `ownerSpki`
 */
export function encodeOwnerBinding(binding: OwnerBinding): Bytes {
  const { assurance, evidence, ownerSpki } = binding;
  if (ownerSpki !== undefined) jwkOfSpki(ownerSpki);
  if (assurance !== undefined && assurance > MAX_ASSURANCE)
    throw new Refusal(CODE, "owner binding: assurance is out of range");
  const der = sequence(
    integer(0),
    utf8String(binding.ownerId),
    octetString(hashOctets(binding.ownerKey)),
    octetString(hashOctets(binding.consent.slice("sha-256:".length))),
    ...(assurance === undefined ? [] : [retagged(integer(assurance), ASSURANCE)]),
    ...(evidence === undefined ? [] : [implicitPrimitive(2, evidence)]),
    ...(ownerSpki === undefined ? [] : [retagged(ownerSpki, OWNER_SPKI)]),
  );
  return checkSize(der, evidence !== undefined);
}

function readHash(reader: DerReader): string {
  const octets = reader.octets();
  return octets.length === HASH_BYTES ? base64url(octets) : reader.fail("not 32 octets");
}

function readOwnerSpki(reader: DerReader): Bytes {
  const spki = retagged(reader.any().der, TAG.sequence);
  readSpki(readDer(spki, spki.length, CODE), CODE);
  return spki;
}

/**
 * Reads the content of `extnValue`.
 * @throws Refusal `malformed_certificate`
 */
export function decodeOwnerBinding(data: Bytes): OwnerBinding {
  const outer = readDer(data, MAX_BYTES_WITH_EVIDENCE, CODE);
  const reader = outer.sequence();
  outer.end();
  reader.small(0);
  const ownerId = reader.utf8Text();
  if (ownerId === "") reader.fail("owner id is empty");
  const ownerKey = readHash(reader);
  const consent: Digest = `sha-256:${readHash(reader)}`;
  const assurance = reader.has(ASSURANCE) ? reader.small(MAX_ASSURANCE, ASSURANCE) : undefined;
  const evidence = reader.has(EVIDENCE) ? reader.any().content : undefined;
  const ownerSpki = reader.has(OWNER_SPKI) ? readOwnerSpki(reader) : undefined;
  reader.end();
  checkSize(data, evidence !== undefined);
  return {
    ownerId,
    ownerKey,
    consent,
    ...(assurance === undefined ? {} : { assurance }),
    ...(evidence === undefined ? {} : { evidence }),
    ...(ownerSpki === undefined ? {} : { ownerSpki }),
  };
}
