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
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
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

function encode(data: Bytes, alphabet: string, pad: boolean): string {
  let out = "";
  for (let i = 0; i < data.length; i += 3) {
    const a = data[i] ?? 0;
    const b = data[i + 1] ?? 0;
    const c = data[i + 2] ?? 0;
    const have = data.length - i;
    out += alphabet.charAt(a >> 2) + alphabet.charAt(((a & 3) << 4) | (b >> 4));
    if (have > 1) out += alphabet.charAt(((b & 15) << 2) | (c >> 6));
    if (have > 2) out += alphabet.charAt(c & 63);
    if (pad && have < 3) out += have === 1 ? "==" : "=";
  }
  return out;
}

function tableOf(alphabet: string): Int16Array {
  const table = new Int16Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i += 1) table[alphabet.charCodeAt(i)] = i;
  return table;
}
const TABLE_URL = tableOf(BASE64URL);
const TABLE_STD = tableOf(BASE64);

function decode(text: string, table: Int16Array): Bytes | undefined {
  const rest = text.length % 4;
  if (rest === 1) return undefined;
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (table[code] ?? -1) : -1;
    if (value < 0) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at] = (held >> bits) & 255;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? out : undefined;
}

/** Base64url without padding (RFC 4648 section 5). */
export function base64url(data: Bytes): string {
  return encode(data, BASE64URL, false);
}

/**
 * Strict base64url: no padding, no white space, no non-zero trailing bits, so that one value has one spelling.
 * @throws Refusal `malformed_token`
 */
export function fromBase64url(text: string): Bytes {
  const data = decode(text, TABLE_URL);
  if (data === undefined) throw new Refusal("malformed_token", "not canonical base64url");
  return data;
}

/** Base64 with padding on one line (RFC 4648 section 4). */
export function base64(data: Bytes): string {
  return encode(data, BASE64, true);
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
  const data = text.length % 4 === 0 ? decode(body, TABLE_STD) : undefined;
  if (data === undefined) throw new Refusal("malformed_token", "not canonical base64");
  return data;
}

/** Lower-case hexadecimal. */
export function hex(data: Bytes): string {
  return Array.from(data, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
