import type { Bytes } from "../crypto.ts";
import { fromUtf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

/** What is read of CBOR: integers, octets, text, lists, maps, and the two truth values that authenticators' extensions use. */
export type Cbor = number | boolean | string | Bytes | readonly Cbor[] | CborMap;
export type CborMap = ReadonlyMap<string | number, Cbor>;

/** Longest input. An attestation object with three certificates is under half of it. */
export const MAX_CBOR_BYTES = 8192;
const MAX_DEPTH = 5;
const MAX_ITEMS = 32;
const TYPE = { unsigned: 0, negative: 1, octets: 2, text: 3, list: 4, map: 5, simple: 7 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;

/** A cursor over one run of octets. */
class CborReader {
  readonly #data: Bytes;
  #at: number;

  constructor(data: Bytes, at: number) {
    this.#data = data;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  fail(why: string): never {
    throw new Refusal("malformed_request", `CBOR: ${why}`);
  }

  #octet(): number {
    const octet = this.#data[this.#at];
    if (octet === undefined) return this.fail("ends too early");
    this.#at += 1;
    return octet;
  }

  /** The number in a head: at most four octets, in its shortest form (RFC 8949 section 4.2.1). */
  #argument(head: number): number {
    const short = head & 0x1f;
    if (short < 24) return short;
    const count = short === 24 ? 1 : short === 25 ? 2 : short === 26 ? 4 : 0;
    if (count === 0) return this.fail("a length is indefinite or too large");
    let value = 0;
    for (let i = 0; i < count; i += 1) value = value * 256 + this.#octet();
    const least = count === 1 ? 24 : 256 ** (count / 2);
    return value < least ? this.fail("a number is not in its shortest form") : value;
  }

  #run(length: number): Bytes {
    const from = this.#at;
    if (length > this.#data.length - from) return this.fail("a length goes over the end");
    this.#at = from + length;
    return this.#data.subarray(from, this.#at);
  }

  #text(length: number): string {
    const octets = this.#run(length);
    try {
      return fromUtf8(octets);
    } catch {
      return this.fail("a text is not UTF-8");
    }
  }

  #list(length: number, depth: number): readonly Cbor[] {
    if (length > MAX_ITEMS) return this.fail("too many items");
    const items: Cbor[] = [];
    while (items.length < length) items.push(this.item(depth + 1));
    return items;
  }

  /** Members in any order: some clients do not sort, and what is signed is inside one of them. None stands twice. */
  #map(length: number, depth: number): CborMap {
    if (length > MAX_ITEMS) return this.fail("too many members");
    const members = new Map<string | number, Cbor>();
    for (let i = 0; i < length; i += 1) {
      const name = this.item(depth + 1);
      if (typeof name !== "string" && typeof name !== "number")
        return this.fail("a member's name is neither text nor integer");
      if (members.has(name)) return this.fail("a member stands twice");
      members.set(name, this.item(depth + 1));
    }
    return members;
  }

  /** The next item, of definite length. */
  item(depth: number): Cbor {
    if (depth > MAX_DEPTH) return this.fail("nested too deeply");
    const head = this.#octet();
    const type = head >> 5;
    if (type === TYPE.simple)
      return head === TRUE || (head === FALSE ? false : this.fail("a value of another type"));
    if (type > TYPE.map) return this.fail("a tag");
    const argument = this.#argument(head);
    if (type === TYPE.unsigned) return argument;
    if (type === TYPE.negative) return -1 - argument;
    if (type === TYPE.octets) return this.#run(argument);
    if (type === TYPE.text) return this.#text(argument);
    return type === TYPE.list ? this.#list(argument, depth) : this.#map(argument, depth);
  }
}

/**
 * The CBOR item that begins at `from`, and where it ends. Strict (RFC 8949 section 4.2, as CTAP 2 narrows it): definite
 * lengths, shortest numbers of at most 32 bits, at most five levels of 32 items; no tags, fractions or null. Octets are
 * views into `data`.
 * @throws Refusal `malformed_request`
 */
export function readCborAt(
  data: Bytes,
  from: number,
): { readonly value: Cbor; readonly end: number } {
  const reader = new CborReader(data, from);
  if (data.length > MAX_CBOR_BYTES) reader.fail(`over ${MAX_CBOR_BYTES} octets`);
  return { value: reader.item(1), end: reader.at };
}

/** As `readCborAt`, of all the octets. @throws Refusal `malformed_request` */
export function readCbor(data: Bytes): Cbor {
  const { value, end } = readCborAt(data, 0);
  if (end !== data.length) throw new Refusal("malformed_request", "CBOR: trailing octets");
  return value;
}

/** The value as a map with exactly these names. @throws Refusal `malformed_request` */
export function closedMap(value: Cbor | undefined, names: readonly (string | number)[]): CborMap {
  if (!(value instanceof Map)) throw new Refusal("malformed_request", "CBOR: not a map");
  const map = value as CborMap; // the only maps that the reader makes
  if (map.size !== names.length || !names.every((name) => map.has(name)))
    throw new Refusal("malformed_request", `CBOR: not exactly ${names.join(", ")}`);
  return map;
}
