import type { Bytes } from "../crypto.ts";
import { utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { isObject } from "./strict.ts";
import type { Json, JsonObject } from "./strict.ts";

/** In unicode mode a surrogate that has its pair is no surrogate. */
const LONE_SURROGATE = /\p{Surrogate}/u;
/** Printable ASCII without quotation mark and backslash: stands between quotation marks as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** JSON.stringify escapes as RFC 8785 3.2.2.2 does, except for lone surrogates, which have no form at all. */
function text(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (LONE_SURROGATE.test(value)) throw new Refusal("malformed_json", "lone surrogate");
  return JSON.stringify(value);
}

function writeList(value: readonly Json[]): string {
  let out = "[";
  for (const [index, item] of value.entries()) out += (index === 0 ? "" : ",") + write(item);
  return `${out}]`;
}

/** Names go by UTF-16 code unit, as RFC 8785 3.2.3 demands; so `sort` and `<` compare where they are not told how. */
function namesOf(value: JsonObject): readonly string[] {
  const names = Object.keys(value);
  const isSorted = names.every((name, i) => i === 0 || (names[i - 1] ?? "") < name);
  return isSorted ? names : names.toSorted();
}

function writeObject(value: JsonObject): string {
  let out = "";
  for (const name of namesOf(value)) {
    const item = value[name];
    if (item !== undefined) out += `${out === "" ? "" : ","}${text(name)}:${write(item)}`;
  }
  return `{${out}}`;
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
      return isObject(value) ? writeObject(value) : writeList(value);
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
