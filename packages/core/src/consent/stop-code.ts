import type { Bytes, Random } from "../crypto.ts";
import { concat, utf8 } from "../bytes.ts";
import { crockford } from "./code.ts";

/** Codes that are printed at a time. */
export const STOP_CODE_COUNT = 8;

const RANDOM_BYTES = 10;
const CODE = /^[0-9A-HJKMNP-TV-Z]{16}$/;
const MAX_TYPED_LENGTH = 64;
const TAG = "countersign-stop-code/1";

/** A fresh code: 80 random bits as sixteen Crockford characters in four groups. */
export function makeStopCode(random: Random): string {
  return grouped(crockford(random(RANDOM_BYTES), 16));
}

const grouped = (text: string): string => text.replace(/(.{4})(?=.)/g, "$1-");

/**
 * The code that a person typed, as it was printed; `undefined` when it is none. Lower case, `o` for 0, `i` and `l` for
 * 1, spaces and hyphens are taken.
 */
export function readStopCode(typed: string): string | undefined {
  if (typed.length > MAX_TYPED_LENGTH) return undefined;
  const text = typed.replace(/[ -]/g, "").toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
  return CODE.test(text) ? grouped(text) : undefined;
}

/** The octets whose keyed hash is stored in place of the code (DESIGN 12). No other use of that key has this form. */
export function stopCodePayload(code: string): Bytes {
  return concat(utf8(TAG), new Uint8Array([0]), utf8(code));
}
