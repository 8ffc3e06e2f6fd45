import type { Bytes } from "../crypto.ts";
import { asciiOf, readDer } from "../der/read.ts";
import type { DerReader } from "../der/read.ts";
import { boolean, contextConstructedTag, octetString, oid, sequence } from "../der/write.ts";
import type { RefusalCode } from "../refusal.ts";
import { OID } from "./oids.ts";
import { decodeOwnerBinding } from "./owner-binding.ts";
import type { OwnerBinding } from "./owner-binding.ts";

export interface BasicConstraints {
  readonly isCa: boolean;
  /** How many CA certificates may stand between this one and the leaf. */
  readonly pathLength?: number;
}

export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

/** What the extensions of a certificate say. Names in forms not listed (e-mail, addresses …) are ignored. */
export interface Extensions {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly sanCritical: boolean;
  readonly basicConstraints?: BasicConstraints;
  readonly basicConstraintsCritical: boolean;
  readonly keyUsage?: KeyUsage;
  readonly keyUsageCritical: boolean;
  /** Object identifiers in dotted form. */
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectKeyId?: Bytes;
  readonly authorityKeyId?: Bytes;
  readonly ownerBinding?: OwnerBinding;
  readonly hasNameConstraints: boolean;
  /** Object identifiers of critical extensions that are not processed here. */
  readonly unknownCritical: readonly string[];
}

const MAX_EXTENSIONS = 32;
const MAX_NAMES = 64;
const MAX_PURPOSES = 32;
const MAX_KEY_ID_BYTES = 64;
const MAX_VALUE_BYTES = 16_384;
const MAX_PATH_LENGTH = 255;
/** Bits of RFC 5280 section 4.2.1.3. */
export const KEY_USAGE_BIT = { digitalSignature: 0, keyCertSign: 5, crlSign: 6 } as const;
/** Choices of GeneralName (RFC 5280 section 4.2.1.6). */
export const GENERAL_NAME = { dns: 2, uri: 6, ip: 7 } as const;

/** One extension (RFC 5280 section 4.1.2.9); `value` is the DER inside `extnValue`. */
export function writeExtension(name: string, isCritical: boolean, value: Bytes): Bytes {
  return sequence(oid(name), ...(isCritical ? [boolean(true)] : []), octetString(value));
}

/** URI and DNS names of a subjectAltName; an empty list is refused unless the caller allows it. */
export function readAltNames(
  outer: DerReader,
  emptyAllowed = false,
): { readonly uris: readonly string[]; readonly dns: readonly string[] } {
  const names = outer.sequence();
  const uris: string[] = [];
  const dns: string[] = [];
  if (names.isDone && !emptyAllowed) names.fail("no name");
  for (let count = 0; !names.isDone; count += 1) {
    const { tag, content } = names.any();
    if (count >= MAX_NAMES || (tag & 0xc0) !== 0x80 || (tag & 0x1f) > 8) names.fail("not a name");
    const list =
      tag === (0x80 | GENERAL_NAME.uri)
        ? uris
        : tag === (0x80 | GENERAL_NAME.dns)
          ? dns
          : undefined;
    list?.push(asciiOf(content) ?? names.fail("a name is not ASCII"));
  }
  return { uris, dns };
}

function readBasicConstraints(outer: DerReader): BasicConstraints {
  const reader = outer.sequence();
  // DER leaves out a default, so a FALSE that is written is refused
  const isCa = reader.has(0x01) && (reader.boolean() || reader.fail("a default is written"));
  const pathLength = reader.isDone ? undefined : reader.small(MAX_PATH_LENGTH);
  reader.end();
  if (pathLength === undefined) return { isCa };
  return isCa ? { isCa, pathLength } : reader.fail("path length without CA");
}

function readKeyUsage(outer: DerReader): KeyUsage {
  const bits = outer.namedBits();
  return {
    digitalSignature: bits.has(KEY_USAGE_BIT.digitalSignature),
    keyCertSign: bits.has(KEY_USAGE_BIT.keyCertSign),
    crlSign: bits.has(KEY_USAGE_BIT.crlSign),
  };
}

function readPurposes(outer: DerReader): readonly string[] {
  const reader = outer.sequence();
  const purposes = [reader.oid()];
  while (!reader.isDone && purposes.length < MAX_PURPOSES) purposes.push(reader.oid());
  reader.end();
  return purposes;
}

function boundedKeyId(reader: DerReader, octets: Bytes): Bytes {
  if (octets.length === 0 || octets.length > MAX_KEY_ID_BYTES)
    reader.fail("key id has a bad length");
  return octets;
}

function readAuthorityKeyId(outer: DerReader): Bytes | undefined {
  const reader = outer.sequence();
  const keyId = reader.optionalPrimitive(0);
  // issuer and serial may be there too; chaining goes by name and key identifier
  if (reader.has(contextConstructedTag(1))) reader.any();
  reader.optionalPrimitive(2);
  reader.end();
  return keyId === undefined ? undefined : boundedKeyId(outer, keyId);
}

/** Extensions as they are found, written one by one: joining objects of many shapes is slow. */
export type FoundExtensions = { -readonly [M in keyof Extensions]: Extensions[M] };

type Read = (found: FoundExtensions, reader: DerReader, isCritical: boolean, value: Bytes) => void;

/** Every extension that is processed; all others refuse when they are critical and are ignored when not. */
const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  [
    OID.subjectAltName,
    (found, reader, isCritical) => {
      const { uris, dns } = readAltNames(reader);
      found.uris = uris;
      found.dns = dns;
      found.sanCritical = isCritical;
    },
  ],
  [
    OID.basicConstraints,
    (found, reader, isCritical) => {
      found.basicConstraints = readBasicConstraints(reader);
      found.basicConstraintsCritical = isCritical;
    },
  ],
  [
    OID.keyUsage,
    (found, reader, isCritical) => {
      found.keyUsage = readKeyUsage(reader);
      found.keyUsageCritical = isCritical;
    },
  ],
  [
    OID.extendedKeyUsage,
    (found, reader) => {
      found.extendedKeyUsage = readPurposes(reader);
    },
  ],
  [
    OID.subjectKeyIdentifier,
    (found, reader) => {
      found.subjectKeyId = boundedKeyId(reader, reader.octets());
    },
  ],
  [
    OID.authorityKeyIdentifier,
    (found, reader) => {
      const keyId = readAuthorityKeyId(reader);
      if (keyId !== undefined) found.authorityKeyId = keyId;
    },
  ],
  [
    OID.nameConstraints,
    (found, reader) => {
      reader.any();
      found.hasNameConstraints = true;
    },
  ],
  [
    OID.ownerBinding,
    (found, reader, isCritical, value) => {
      reader.any();
      if (isCritical) reader.fail("the owner binding is critical");
      found.ownerBinding = decodeOwnerBinding(value);
    },
  ],
]);

/** One extension: its name, whether it is critical, and the DER inside `extnValue`. */
export interface RawExtension {
  readonly name: string;
  readonly isCritical: boolean;
  readonly value: Bytes;
}

/** SEQUENCE OF Extension, none twice (RFC 5280 section 4.2), at least one. */
export function readExtensionList(outer: DerReader): readonly RawExtension[] {
  const reader = outer.sequence();
  const list: RawExtension[] = [];
  if (reader.isDone) reader.fail("no extension");
  while (!reader.isDone) {
    const one = reader.sequence();
    const name = one.oid();
    const isCritical = one.has(0x01) && (one.boolean() || one.fail("a default is written"));
    const value = one.octets();
    one.end();
    if (list.length >= MAX_EXTENSIONS || list.some((other) => other.name === name))
      one.fail("too many extensions, or one twice");
    list.push({ name, isCritical, value });
  }
  return list;
}

/** Reads a list of extensions into what a certificate says. */
export function readExtensions(found: FoundExtensions, outer: DerReader, code: RefusalCode): void {
  const unknownCritical: string[] = [];
  for (const { name, isCritical, value } of readExtensionList(outer)) {
    const read = READERS.get(name);
    if (read !== undefined) {
      const inner = readDer(value, MAX_VALUE_BYTES, code);
      read(found, inner, isCritical, value);
      inner.end();
    } else if (isCritical) unknownCritical.push(name);
  }
  found.unknownCritical = unknownCritical;
}
