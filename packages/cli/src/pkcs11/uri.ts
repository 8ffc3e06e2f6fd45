import { fromUtf8, hex, Refusal } from "@countersign/core";

/**
 * Which key of which token (RFC 7512). What is absent is not asked for; a key is named by `object`, `id` or both.
 */
export interface Pkcs11Uri {
  readonly token?: string;
  readonly manufacturer?: string;
  readonly model?: string;
  readonly serial?: string;
  readonly slotId?: number;
  /** CKA_LABEL */
  readonly object?: string;
  /** CKA_ID in lower-case hexadecimal. */
  readonly id?: string;
  /** Absolute path of the module to load; absent: a well-known one. */
  readonly modulePath?: string;
}

const MAX_LENGTH = 2048;
const SCHEME = "pkcs11:";
/** Characters that a value may hold as they are: RFC 7512 section 2.3, in the path and in the query. */
const IN_PATH = /^(?:[A-Za-z0-9._~:[\]@!$'()*+,=&-]|%[0-9A-Fa-f]{2})+$/;
const IN_QUERY = /^(?:[A-Za-z0-9._~:[\]@!$'()*+,=/?|-]|%[0-9A-Fa-f]{2})+$/;
const CONTROL = /[\u0000-\u001f\u007f]/;
const MAX_SLOT_ID = 0xffff_ffff;
/** What names a private key and what names its public half name one key here. */
const TYPES = ["private", "public"];

const EXAMPLE =
  "Write it like pkcs11:token=corp;object=approve, or copy what p11tool --list-all prints.";

function fail(why: string, next = EXAMPLE): never {
  throw new Refusal("malformed_request", `pkcs11 URI: ${why}`, next);
}

/** Whether a key is named by URI, not by file. */
export function isPkcs11Uri(text: string): boolean {
  return /^pkcs11:/i.test(text);
}

function octetsOf(value: string): Uint8Array {
  const octets: number[] = [];
  for (let at = 0; at < value.length; at += 1) {
    const isEscape = value[at] === "%";
    octets.push(isEscape ? Number.parseInt(value.slice(at + 1, at + 3), 16) : value.charCodeAt(at));
    if (isEscape) at += 2;
  }
  return Uint8Array.from(octets);
}

function textOf(name: string, value: string): string {
  try {
    const text = fromUtf8(octetsOf(value));
    if (CONTROL.test(text)) return fail(`${name} holds a control character`);
    return text;
  } catch (error) {
    if (error instanceof Refusal && error.code === "malformed_json")
      return fail(`${name} is not UTF-8`);
    throw error;
  }
}

/** Attributes by name, none twice, each with a value in the characters allowed. No word of a value is repeated: it may be a PIN. */
function attributes(part: string, separator: string, allowed: RegExp): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (part === "") return found;
  for (const one of part.split(separator)) {
    const at = one.indexOf("=");
    const name = one.slice(0, Math.max(at, 0));
    if (!/^[a-z][a-z-]{0,31}$/.test(name)) return fail("an attribute has no name");
    if (name === "pin-value" || name === "pin-source")
      return fail(
        `${name} is not taken`,
        "A PIN stands in no command line and in no file: the token asks for it at the terminal.",
      );
    if (found.has(name)) return fail(`${name} stands there twice`);
    const value = one.slice(at + 1);
    if (!allowed.test(value)) return fail(`${name} is empty, or holds what must be %-encoded`);
    found.set(name, value);
  }
  return found;
}

function slotOf(value: string): number {
  const slot = /^(0|[1-9][0-9]{0,9})$/.test(value) ? Number(value) : Number.NaN;
  return slot <= MAX_SLOT_ID ? slot : fail("slot-id is no number of a slot");
}

function moduleOf(value: string): string {
  const path = textOf("module-path", value);
  return path.startsWith("/") ? path : fail("module-path is not an absolute path");
}

type Found = { -readonly [M in keyof Pkcs11Uri]: Pkcs11Uri[M] };
type Take = (found: Found, value: string) => void;

const PATH: ReadonlyMap<string, Take> = new Map<string, Take>([
  ["token", (found, value) => (found.token = textOf("token", value))],
  ["manufacturer", (found, value) => (found.manufacturer = textOf("manufacturer", value))],
  ["model", (found, value) => (found.model = textOf("model", value))],
  ["serial", (found, value) => (found.serial = textOf("serial", value))],
  ["slot-id", (found, value) => (found.slotId = slotOf(value))],
  ["object", (found, value) => (found.object = textOf("object", value))],
  ["id", (found, value) => (found.id = hex(octetsOf(value)))],
  [
    "type",
    (_found, value) => {
      if (!TYPES.includes(value)) fail("type is neither private nor public");
    },
  ],
]);
const QUERY: ReadonlyMap<string, Take> = new Map<string, Take>([
  ["module-path", (found, value) => (found.modulePath = moduleOf(value))],
]);

function take(found: Found, given: ReadonlyMap<string, string>, known: typeof PATH): void {
  for (const [name, value] of given)
    (known.get(name) ?? fail(`${name} is not known here`))(found, value);
}

/**
 * Reads a PKCS#11 URI, closed: `token manufacturer model serial slot-id object id type` and `module-path`. A URI that
 * holds a PIN is refused, and no part of it is repeated.
 * @throws Refusal `malformed_request`
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (text.length > MAX_LENGTH) return fail("too long");
  if (!text.startsWith(SCHEME)) return fail("it does not begin with pkcs11:");
  const [path = "", query, ...rest] = text.slice(SCHEME.length).split("?");
  if (query === "" || rest.length > 0) return fail("its query is empty, or there are two");
  const found: Found = {};
  take(found, attributes(path, ";", IN_PATH), PATH);
  take(found, attributes(query ?? "", "&", IN_QUERY), QUERY);
  if (found.object === undefined && found.id === undefined)
    return fail("it names no key", "Name one by object=LABEL or id=%01.");
  return found;
}
