import type { Bytes } from "../crypto.ts";
import { fromUtf8, utf8 } from "../bytes.ts";
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

/** What a text holds before anything else has parsed it. */
interface Written {
  readonly members: number;
  /** Whether a string may hold a surrogate without its other half: there is an escape. UTF-8 itself has none. */
  readonly mayHoldSurrogates: boolean;
}

const BACKSLASH = 0x5c;
const QUOTATION_MARK = 0x22;
const COLON = 0x3a;

/**
 * Counts the members written: one for each colon outside of strings.
 * A member name with an escape is refused. It could be a second spelling of another name, and some releases of V8
 * read escaped names wrongly once they have met a name that is a lone backslash, for the rest of the process.
 * @throws Refusal `malformed_json`
 */
function readWritten(data: Bytes): Written {
  let members = 0;
  let inString = false;
  let isEscaped = false;
  let mayHoldSurrogates = false;
  const { length } = data;
  for (let i = 0; i < length; i += 1) {
    const code = data[i] ?? 0; // no octet of a longer sequence is one of these
    if (inString) {
      if (code === BACKSLASH) {
        isEscaped = true;
        mayHoldSurrogates = true;
        i += 1;
      } else if (code === QUOTATION_MARK) inString = false;
    } else if (code === QUOTATION_MARK) {
      inString = true;
      isEscaped = false;
    } else if (code === COLON) {
      if (isEscaped) throw new Refusal("malformed_json", "escaped member name");
      members += 1;
    }
  }
  return { members, mayHoldSurrogates };
}

function checkNumber(value: number, limits: JsonLimits): void {
  const fits =
    limits.fractionsAllowed === true && !Number.isInteger(value)
      ? Number.isFinite(value)
      : Number.isSafeInteger(value);
  if (!fits || Object.is(value, -0))
    throw new Refusal("malformed_json", "number outside the safe integers");
}

/** Walks a tree once, refuses what I-JSON forbids, and counts the members that survived the parse. */
class TreeCheck {
  readonly #limits: JsonLimits;
  readonly #mayHoldSurrogates: boolean;
  members = 0;

  constructor(limits: JsonLimits, mayHoldSurrogates: boolean) {
    this.#limits = limits;
    this.#mayHoldSurrogates = mayHoldSurrogates;
  }

  check(value: unknown, depth: number): void {
    if (typeof value === "string") this.#text(value, "lone surrogate");
    else if (typeof value === "number") checkNumber(value, this.#limits);
    else if (typeof value === "object") this.#node(value, depth);
  }

  #text(value: string, why: string): void {
    if (this.#mayHoldSurrogates && LONE_SURROGATE.test(value))
      throw new Refusal("malformed_json", why);
  }

  #node(node: object | null, depth: number): void {
    if (node === null) {
      if (this.#limits.nullAllowed === true) return;
      throw new Refusal("malformed_json", "null");
    }
    if (depth > this.#limits.maxDepth) throw new Refusal("malformed_json", "nested too deeply");
    if (Array.isArray(node)) {
      for (const item of node) this.check(item, depth + 1);
      return;
    }
    for (const name of Object.keys(node)) {
      if (name === "__proto__") throw new Refusal("malformed_json", "forbidden member name");
      this.#text(name, "forbidden member name");
      this.members += 1;
      this.check((node as Readonly<Record<string, unknown>>)[name], depth + 1); // an object without its names
    }
  }
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
  if (typeof input === "string" && LONE_SURROGATE.test(input))
    throw new Refusal("malformed_json", "lone surrogate");
  const written = readWritten(typeof input === "string" ? utf8(input) : input);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal("malformed_json", "not JSON");
  }
  const tree = new TreeCheck(limits, written.mayHoldSurrogates);
  tree.check(value, 1);
  if (written.members !== tree.members) throw new Refusal("malformed_json", "duplicate member");
  return value as Json; // every node was checked
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
