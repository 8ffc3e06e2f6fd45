import type { Bytes } from "../crypto.ts";
import { base64url, fromBase64url, utf8 } from "../bytes.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { bounded } from "../remember.ts";

/** A compact JWS, split and decoded; nothing is verified yet. */
export interface CompactJws {
  readonly octets: string;
  /** The octets as such. */
  readonly bytes: Bytes;
  readonly header: JsonObject;
  readonly payload: Bytes;
  /** What the signature covers: the octets up to the second dot. */
  readonly signingInput: Bytes;
  /** May be empty: `alg: none` is refused by its name, not by its missing signature. */
  readonly signature: Bytes;
}

const MAX_HEADER_BYTES = 2048;

/** Headers without a key of their own are the same for very many tokens. */
const MAX_HEADERS = 64;
const MAX_HEADER_LENGTH = 200;
const headers = bounded<JsonObject>(MAX_HEADERS);

function readHeader(part: string): JsonObject {
  const known = headers.get(part);
  if (known !== undefined) return known;
  const header = tokenJson(fromBase64url(part), MAX_HEADER_BYTES);
  if (part.length <= MAX_HEADER_LENGTH) headers.set(part, header);
  return header;
}

/**
 * Splits a compact JWS (RFC 7515 section 7.1) strictly: three canonical base64url parts, header a JSON object
 * without duplicate members.
 * @throws Refusal `too_large`, `malformed_token`
 */
export function parseCompact(octets: string, maxBytes: number): CompactJws {
  if (octets.length > maxBytes) throw new Refusal("too_large", `token over ${maxBytes} bytes`);
  const parts = octets.split(".");
  const [first, second, third] = parts;
  if (parts.length !== 3 || !first || !second || third === undefined)
    throw new Refusal("malformed_token", "not three parts");
  const header = readHeader(first);
  const payload = fromBase64url(second);
  const signature = fromBase64url(third);
  const bytes = utf8(octets); // ASCII, now that each part is base64url: characters and octets have the same places
  const signingInput = bytes.subarray(0, first.length + 1 + second.length);
  return { octets, bytes, header, payload, signingInput, signature };
}

/**
 * A JSON object that stands in a token. Claims of strangers may hold null and fractions; what is read is judged by type.
 * @throws Refusal `malformed_token`
 */
export function tokenJson(data: Bytes, maxBytes: number): JsonObject {
  try {
    return parseJsonObject(data, {
      maxBytes,
      maxDepth: 16,
      nullAllowed: true,
      fractionsAllowed: true,
    });
  } catch {
    throw new Refusal("malformed_token", "header or claims are not strict JSON");
  }
}

/** The compact form of a signed payload. */
export function writeCompact(signingInput: string, signature: Bytes): string {
  return `${signingInput}.${base64url(signature)}`;
}
