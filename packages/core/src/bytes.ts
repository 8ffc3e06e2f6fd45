import type { Bytes } from "./crypto.ts";
import { Refusal } from "./refusal.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64 = `${BASE64URL.slice(0, 62)}+/`;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 octets of a string. Lone surrogates become U+FFFD, so callers that sign strings check them first. */
export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/**
 * The string that these octets encode; nothing is stripped, not even a byte order mark.
 * @throws Refusal `malformed_json` when they are not UTF-8.
 */
export function fromUtf8(data: Bytes): string {
  try {
    return strictDecoder.decode(data);
  } catch {
    throw new Refusal("malformed_json", "the octets are not UTF-8");
  }
}

/** One array from many. */
export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Equality in time that depends on the lengths only. */
export function equalBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Equality of two strings in time that depends on the lengths only. */
export function equalText(a: string, b: string): boolean {
  return equalBytes(utf8(a), utf8(b));
}

const asciiDecoder = new TextDecoder("utf-8");

/** Character codes of an alphabet, and the value of each octet: `NO_VALUE` is none, and its high bits stay when values are joined. */
interface Alphabet {
  readonly codes: Uint8Array;
  readonly values: Uint8Array;
}

const NO_VALUE = 0xff;
const ABOVE_VALUES = 0xc0;

function alphabetOf(text: string): Alphabet {
  const codes = utf8(text);
  const values = new Uint8Array(256).fill(NO_VALUE);
  for (const [value, code] of codes.entries()) values[code] = value;
  return { codes, values };
}
const URL_ALPHABET = alphabetOf(BASE64URL);
const STANDARD_ALPHABET = alphabetOf(BASE64);
const PAD = 0x3d;

function encode(data: Bytes, { codes }: Alphabet, pad: boolean): string {
  const { length } = data;
  const rest = length % 3;
  const whole = length - rest;
  const out = new Uint8Array(pad ? Math.ceil(length / 3) * 4 : Math.ceil((length * 4) / 3)).fill(
    PAD,
  );
  let at = 0;
  for (let i = 0; i < whole; i += 3) {
    const group = ((data[i] ?? 0) << 16) | ((data[i + 1] ?? 0) << 8) | (data[i + 2] ?? 0);
    out[at] = codes[group >> 18] ?? 0;
    out[at + 1] = codes[(group >> 12) & 63] ?? 0;
    out[at + 2] = codes[(group >> 6) & 63] ?? 0;
    out[at + 3] = codes[group & 63] ?? 0;
    at += 4;
  }
  if (rest > 0) {
    const group = ((data[whole] ?? 0) << 16) | ((data[whole + 1] ?? 0) << 8);
    out[at] = codes[group >> 18] ?? 0;
    out[at + 1] = codes[(group >> 12) & 63] ?? 0;
    if (rest === 2) out[at + 2] = codes[(group >> 6) & 63] ?? 0;
  }
  return asciiDecoder.decode(out);
}

/** The octets, or undefined for what is no canonical spelling: other characters, a lone last one, non-zero trailing bits. */
function decode(text: string, { values }: Alphabet): Bytes | undefined {
  const codes = encoder.encode(text); // octets are read faster than the characters of a slice
  const { length } = codes;
  const rest = length & 3;
  if (rest === 1) return undefined;
  const whole = length - rest;
  const out = new Uint8Array((length * 3) >> 2);
  let seen = 0;
  let at = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = values[codes[i] ?? 0] ?? 0;
    const b = values[codes[i + 1] ?? 0] ?? 0;
    const c = values[codes[i + 2] ?? 0] ?? 0;
    const d = values[codes[i + 3] ?? 0] ?? 0;
    seen |= a | b | c | d;
    out[at] = (a << 2) | (b >> 4);
    out[at + 1] = (b << 4) | (c >> 2);
    out[at + 2] = (c << 6) | d;
    at += 3;
  }
  if (rest > 0) {
    const a = values[codes[whole] ?? 0] ?? 0;
    const b = values[codes[whole + 1] ?? 0] ?? 0;
    const c = rest === 3 ? (values[codes[whole + 2] ?? 0] ?? 0) : 0;
    seen |= a | b | c;
    if (((rest === 3 ? c << 6 : b << 4) & 0xff) !== 0) return undefined;
    out[at] = (a << 2) | (b >> 4);
    if (rest === 3) out[at + 1] = (b << 4) | (c >> 2);
  }
  return (seen & ABOVE_VALUES) === 0 ? out : undefined;
}

/** Base64url without padding (RFC 4648 section 5). */
export function base64url(data: Bytes): string {
  return encode(data, URL_ALPHABET, false);
}

/**
 * Strict base64url: no padding, no white space, no non-zero trailing bits, so that one value has one spelling.
 * @throws Refusal `malformed_token`
 */
export function fromBase64url(text: string): Bytes {
  const data = decode(text, URL_ALPHABET);
  if (data === undefined) throw new Refusal("malformed_token", "not canonical base64url");
  return data;
}

/** One unit of base64url for each length that is a whole number of octets, with no bit that says nothing. */
const LAST_UNIT = ["", "", "[AQgw]", "[AEIMQUYcgkosw048]"] as const;
const FORMS: Readonly<Record<32 | 48 | 66, RegExp>> = {
  32: formOf(32),
  48: formOf(48),
  66: formOf(66),
};

function formOf(byteCount: number): RegExp {
  const length = Math.ceil((byteCount * 4) / 3);
  const last = LAST_UNIT[length % 4] ?? "";
  return new RegExp(`^[A-Za-z0-9_-]{${length - (last === "" ? 0 : 1)}}${last}$`);
}

/** Whether a text is the base64url of so many octets, as `fromBase64url` takes it. */
export function isBase64urlOf(text: string, byteCount: 32 | 48 | 66): boolean {
  return FORMS[byteCount].test(text);
}

/** Base64 with padding on one line (RFC 4648 section 4). */
export function base64(data: Bytes): string {
  return encode(data, STANDARD_ALPHABET, true);
}

/**
 * Strict padded base64 on one line.
 * @throws Refusal `malformed_token`
 */
export function fromBase64(text: string): Bytes {
  const body = text.endsWith("==")
    ? text.slice(0, -2)
    : text.endsWith("=")
      ? text.slice(0, -1)
      : text;
  const data = text.length % 4 === 0 ? decode(body, STANDARD_ALPHABET) : undefined;
  if (data === undefined) throw new Refusal("malformed_token", "not canonical base64");
  return data;
}

const HEX = "0123456789abcdef";

/** Lower-case hexadecimal. */
export function hex(data: Bytes): string {
  let out = "";
  for (const octet of data) out += HEX.charAt(octet >> 4) + HEX.charAt(octet & 15);
  return out;
}
