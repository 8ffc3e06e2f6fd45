import type { Bytes } from "../crypto.ts";
import { utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import type { Json } from "./strict.ts";

/** In unicode mode a surrogate that has its pair is no surrogate. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** JSON.stringify escapes as RFC 8785 3.2.2.2 does, except for lone surrogates, which have no form at all. */
function text(value: string): string {
  if (LONE_SURROGATE.test(value)) throw new Refusal("malformed_json", "lone surrogate");
  return JSON.stringify(value);
}

function write(value: Json | undefined): string {
  switch (typeof value) {
    case "string":
      return text(value);
    case "boolean":
      return String(value);
    case "number":
      if (!Number.isSafeInteger(value) || Object.is(value, -0))
        throw new Refusal("malformed_json", "number");
      return String(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map((item: Json) => write(item)).join(",")}]`;
      return `{${Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)) // by UTF-16 code unit, as RFC 8785 3.2.3 demands
        .map(([name, item]) => `${text(name)}:${write(item)}`)
        .join(",")}}`;
    default:
      throw new Refusal("malformed_json", "not a JSON value");
  }
}

/**
 * RFC 8785 canonical form, for the integers-only profile used here. Optional members that are `undefined` are absent.
 * @throws Refusal `malformed_json` for numbers outside the safe integers and values JSON does not have.
 */
export function canonicalJson(value: object): string {
  return write(value as Json); // every branch of `write` checks what it is given
}

/** UTF-8 octets of the canonical form. */
export function canonicalBytes(value: object): Bytes {
  return utf8(canonicalJson(value));
}
