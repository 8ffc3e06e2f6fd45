import type { Bytes } from "../crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { MAX_CERTIFICATE_BYTES } from "./certificate.ts";

/** Base64 of the largest certificate, its line ends and labels. */
const MAX_BLOCK_CHARACTERS = 2 * MAX_CERTIFICATE_BYTES;
const BODY_LINE = /^[A-Za-z0-9+/]{1,76}={0,2}$/;

/** Base64 in lines of 64 columns, each ended by a newline. */
export function wrapBase64(der: Bytes): string {
  const lines = base64(der).match(/.{1,64}/g) ?? [];
  return lines.map((line) => `${line}\n`).join("");
}

/** One block of RFC 7468 strict textual encoding. `label` for example `CERTIFICATE`. */
export function pemEncode(label: string, der: Bytes): string {
  return `-----BEGIN ${label}-----\n${wrapBase64(der)}-----END ${label}-----\n`;
}

/**
 * The blocks of a PEM text, one to `max` of them, all with this label; between them only blank lines.
 * @throws Refusal `code`, default `malformed_certificate`
 */
export function pemDecode(
  text: string,
  label: string,
  max: number,
  code: RefusalCode = "malformed_certificate",
): readonly Bytes[] {
  const fail = (why: string): never => {
    throw new Refusal(code, `PEM: ${why}`);
  };
  if (text.length > max * MAX_BLOCK_CHARACTERS) fail("too large");
  const blocks: Bytes[] = [];
  let body: string[] | undefined;
  for (const line of text.split("\n").map((raw) => raw.trimEnd())) {
    if (body === undefined) {
      if (line === `-----BEGIN ${label}-----`) body = [];
      else if (line !== "") fail(`something other than ${label}`);
    } else if (line === `-----END ${label}-----`) {
      blocks.push(decodeBody(body.join(""), fail));
      body = undefined;
    } else if (BODY_LINE.test(line)) body.push(line);
    else fail("not base64");
  }
  if (body !== undefined || blocks.length === 0 || blocks.length > max)
    fail("blocks missing or too many");
  return blocks;
}

function decodeBody(body: string, fail: (why: string) => never): Bytes {
  try {
    return body === "" ? fail("empty block") : fromBase64(body);
  } catch {
    return fail("not base64");
  }
}
