import type { Bytes } from "../crypto.ts";
import { fromUtf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

/** What strict JSON can be here: no floats, no null unless asked for. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: Json;
}

export interface JsonLimits {
  readonly maxBytes: number;
  /** The outermost object counts as 1. */
  readonly maxDepth: number;
  /** Whether `null` may stand anywhere; default no. */
  readonly nullAllowed?: boolean;
  /** Whether finite numbers that are not integers may stand; default no. */
  readonly fractionsAllowed?: boolean;
}

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/**
 * Counts the members written in a text, before anything else has parsed it: one for each colon outside of strings.
 * A member name with an escape is refused. It could be a second spelling of another name, and some releases of V8
 * read escaped names wrongly once they have met a name that is a lone backslash, for the rest of the process.
 * @throws Refusal `malformed_json`
 */
function countMembersWritten(text: string): number {
  let count = 0;
  let inString = false;
  let isEscaped = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) {
        isEscaped = true;
        i += 1;
      } else if (code === 0x22) inString = false;
    } else if (code === 0x22) {
      inString = true;
      isEscaped = false;
    } else if (code === 0x3a) {
      if (isEscaped) throw new Refusal("malformed_json", "escaped member name");
      count += 1;
    }
  }
  return count;
}

/** Walks the tree once, refuses what I-JSON forbids, and counts the members that survived the parse. */
function checkTree(value: unknown, depth: number, limits: JsonLimits): number {
  if (typeof value === "string") {
    if (LONE_SURROGATE.test(value)) throw new Refusal("malformed_json", "lone surrogate");
    return 0;
  }
  if (typeof value === "number") {
    const fits =
      limits.fractionsAllowed === true && !Number.isInteger(value)
        ? Number.isFinite(value)
        : Number.isSafeInteger(value);
    if (!fits || Object.is(value, -0))
      throw new Refusal("malformed_json", "number outside the safe integers");
    return 0;
  }
  if (typeof value === "boolean") return 0;
  if (value === null) {
    if (limits.nullAllowed !== true) throw new Refusal("malformed_json", "null");
    return 0;
  }
  if (depth > limits.maxDepth) throw new Refusal("malformed_json", "nested too deeply");
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += checkTree(item, depth + 1, limits);
    return members;
  }
  for (const [name, item] of Object.entries(value as object)) {
    if (name === "__proto__" || LONE_SURROGATE.test(name))
      throw new Refusal("malformed_json", "forbidden member name");
    members += 1 + checkTree(item, depth + 1, limits);
  }
  return members;
}

/**
 * Parses JSON without any of the ways in which two readers can see two things: duplicate members, escapes in member
 * names, unsafe numbers, lone surrogates, a byte order mark, `__proto__`. Linear in the input's length.
 * @throws Refusal `too_large`, `malformed_json`
 */
export function parseJson(input: Bytes | string, limits: JsonLimits): Json {
  if (input.length > limits.maxBytes)
    throw new Refusal("too_large", `JSON over ${limits.maxBytes} bytes`);
  const text = typeof input === "string" ? input : fromUtf8(input);
  const written = countMembersWritten(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal("malformed_json", "not JSON");
  }
  const members = checkTree(value, 1, limits);
  if (written !== members) throw new Refusal("malformed_json", "duplicate member");
  return value as Json; // checkTree has seen every node
}

/** Whether the value is a JSON object (not an array, not null). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * As `parseJson`, for inputs that must be an object.
 * @throws Refusal `too_large`, `malformed_json`
 */
export function parseJsonObject(input: Bytes | string, limits: JsonLimits): JsonObject {
  const value = parseJson(input, limits);
  if (!isObject(value)) throw new Refusal("malformed_json", "not an object");
  return value;
}
