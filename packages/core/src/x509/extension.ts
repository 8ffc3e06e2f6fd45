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

function readAuthorityKeyId(outer: DerReader): { readonly authorityKeyId?: Bytes } {
  const reader = outer.sequence();
  const keyId = reader.optionalPrimitive(0);
  // issuer and serial may be there too; chaining goes by name and key identifier
  if (reader.has(contextConstructedTag(1))) reader.any();
  reader.optionalPrimitive(2);
  reader.end();
  return keyId === undefined ? {} : { authorityKeyId: boundedKeyId(outer, keyId) };
}

type Read = (reader: DerReader, isCritical: boolean, value: Bytes) => Partial<Extensions>;

/** Every extension that is processed; all others refuse when they are critical and are ignored when not. */
const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  [
    OID.subjectAltName,
    (reader, isCritical) => ({ ...readAltNames(reader), sanCritical: isCritical }),
  ],
  [
    OID.basicConstraints,
    (reader, isCritical) => ({
      basicConstraints: readBasicConstraints(reader),
      basicConstraintsCritical: isCritical,
    }),
  ],
  [
    OID.keyUsage,
    (reader, isCritical) => ({ keyUsage: readKeyUsage(reader), keyUsageCritical: isCritical }),
  ],
  [OID.extendedKeyUsage, (reader) => ({ extendedKeyUsage: readPurposes(reader) })],
  [OID.subjectKeyIdentifier, (reader) => ({ subjectKeyId: boundedKeyId(reader, reader.octets()) })],
  [OID.authorityKeyIdentifier, (reader) => readAuthorityKeyId(reader)],
  [
    OID.nameConstraints,
    (reader) => {
      reader.any();
      return { hasNameConstraints: true };
    },
  ],
  [
    OID.ownerBinding,
    (reader, isCritical, value) => {
      reader.any();
      if (isCritical) reader.fail("the owner binding is critical");
      return { ownerBinding: decodeOwnerBinding(value) };
    },
  ],
]);

/** What a certificate without extensions says. */
export const NO_EXTENSIONS: Extensions = {
  uris: [],
  dns: [],
  sanCritical: false,
  basicConstraintsCritical: false,
  keyUsageCritical: false,
  hasNameConstraints: false,
  unknownCritical: [],
};

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

/** What a list of extensions says. */
export function readExtensions(outer: DerReader, code: RefusalCode): Extensions {
  const found: Partial<Extensions> = {};
  const unknownCritical: string[] = [];
  for (const { name, isCritical, value } of readExtensionList(outer)) {
    const read = READERS.get(name);
    if (read !== undefined) {
      const inner = readDer(value, MAX_VALUE_BYTES, code);
      Object.assign(found, read(inner, isCritical, value));
      inner.end();
    } else if (isCritical) unknownCritical.push(name);
  }
  return { ...NO_EXTENSIONS, ...found, unknownCritical };
}
