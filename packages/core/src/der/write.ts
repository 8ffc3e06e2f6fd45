import type { Bytes, Seconds } from "../crypto.ts";
import { utf8 } from "../bytes.ts";
import { digitsOf, GENERALIZED_FROM } from "./time.ts";

/** Identifier octets (X.690 section 8.1.2) of the types used here. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a context-specific primitive element. */
export function contextTag(number: number): number {
  return 0x80 | number;
}
/** Identifier octet of a context-specific constructed element. */
export function contextConstructedTag(number: number): number {
  return 0xa0 | number;
}

/** Octets that say a length: one below 128, else their number and the length. */
function lengthSize(length: number): number {
  if (length < 0x80) return 1;
  return length < 0x100 ? 2 : length < 0x1_0000 ? 3 : length < 0x100_0000 ? 4 : 5;
}

/** One element: tag, definite minimal length, content. */
export function tlv(tag: number, ...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const size = lengthSize(length);
  const whole = new Uint8Array(1 + size + length);
  whole[0] = tag;
  whole[1] = size === 1 ? length : 0x7f + size;
  for (let at = size, rest = length; at > 1; at -= 1, rest >>>= 8) whole[at] = rest & 0xff;
  let at = 1 + size;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** SEQUENCE of elements. */
export function sequence(...parts: readonly Bytes[]): Bytes {
  return tlv(TAG.sequence, ...parts);
}

function compareOctets(a: Bytes, b: Bytes): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The elements of a SET OF in the order that DER wants (X.690 section 11.6). */
export function sorted(parts: readonly Bytes[]): readonly Bytes[] {
  return parts.toSorted(compareOctets);
}

/** SET OF elements, ordered. */
export function setOf(...parts: readonly Bytes[]): Bytes {
  return tlv(TAG.set, ...sorted(parts));
}

const NO_OCTETS: Bytes = new Uint8Array(0);
const ZERO: Bytes = Uint8Array.of(0);

/** Big-endian octets of a safe integer; none for zero. */
function magnitudeOf(value: number): Bytes {
  let size = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) size += 1;
  const octets = new Uint8Array(size);
  for (let at = size - 1, rest = value; at >= 0; at -= 1, rest = Math.floor(rest / 256))
    octets[at] = rest % 256;
  return octets;
}

/** Non-negative INTEGER from a safe integer or from big-endian octets. */
export function integer(value: number | Bytes): Bytes {
  const octets = typeof value === "number" ? magnitudeOf(value) : value;
  const first = octets.findIndex((octet) => octet !== 0);
  const magnitude = first < 0 ? ZERO : octets.subarray(first);
  return tlv(TAG.integer, (magnitude[0] ?? 0) >= 128 ? ZERO : NO_OCTETS, magnitude);
}

/** BIT STRING; `unusedBits` of the last octet must be zero bits. */
export function bitString(octets: Bytes, unusedBits = 0): Bytes {
  return tlv(TAG.bitString, Uint8Array.of(unusedBits), octets);
}

/** BIT STRING of a named bit list: trailing zero bits are cut off (X.690 section 11.2.2). */
export function namedBits(bits: readonly number[]): Bytes {
  const last = Math.max(...bits);
  const octets = new Uint8Array(Math.floor(last / 8) + 1);
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(octets, 7 - (last & 7));
}

export function octetString(octets: Bytes): Bytes {
  return tlv(TAG.octetString, octets);
}

export function boolean(value: boolean): Bytes {
  return tlv(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
}

export function nullValue(): Bytes {
  return tlv(TAG.null);
}

function arcOctets(arc: number): readonly number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    octets.unshift(0x80 | (rest % 128));
  return octets;
}

function oidOctets(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tlv(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(arcOctets)));
}
const oids = new Map<string, Bytes>();

/** OBJECT IDENTIFIER from its dotted form, for constants of ours: arcs are small integers, and each is written once. */
export function oid(dotted: string): Bytes {
  const known = oids.get(dotted);
  if (known !== undefined) return known;
  const made = oidOctets(dotted);
  oids.set(dotted, made);
  return made;
}

export function utf8String(text: string): Bytes {
  return tlv(TAG.utf8String, utf8(text));
}
/** PrintableString; the caller keeps to its alphabet. */
export function printableString(text: string): Bytes {
  return tlv(TAG.printableString, utf8(text));
}
/** IA5String; the caller keeps to ASCII. */
export function ia5String(text: string): Bytes {
  return tlv(TAG.ia5String, utf8(text));
}

/** UTCTime through 2049, GeneralizedTime after it (RFC 5280 section 4.1.2.5). */
export function time(at: Seconds): Bytes {
  const digits = digitsOf(at);
  return at < GENERALIZED_FROM
    ? tlv(TAG.utcTime, utf8(digits.slice(2)))
    : tlv(TAG.generalizedTime, utf8(digits));
}

/** `[number] EXPLICIT`: wraps whole elements. */
export function explicit(number: number, ...parts: readonly Bytes[]): Bytes {
  return tlv(contextConstructedTag(number), ...parts);
}
/** `[number] IMPLICIT` of a primitive type: content octets only. */
export function implicitPrimitive(number: number, content: Bytes): Bytes {
  return tlv(contextTag(number), content);
}
/** `[number] IMPLICIT` of a constructed type: the elements inside it. */
export function implicitConstructed(number: number, ...parts: readonly Bytes[]): Bytes {
  return tlv(contextConstructedTag(number), ...parts);
}
