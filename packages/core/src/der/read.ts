import type { Bytes, Seconds } from "../crypto.ts";
import { fromUtf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { GENERALIZED_FROM, instantOf } from "./time.ts";
import { contextConstructedTag, contextTag, TAG } from "./write.ts";

/** One element: its identifier octet, its content, and both with the length between them. Views are made when asked for. */
export class Element {
  readonly tag: number;
  readonly data: Bytes;
  readonly start: number;
  /** Where the content begins and ends in `data`. */
  readonly from: number;
  readonly to: number;

  constructor(data: Bytes, start: number, from: number, to: number) {
    this.tag = data[start] ?? 0;
    this.data = data;
    this.start = start;
    this.from = from;
    this.to = to;
  }

  get content(): Bytes {
    return this.data.subarray(this.from, this.to);
  }

  get der(): Bytes {
    return this.data.subarray(this.start, this.to);
  }
}

const MAX_DEPTH = 16;
const MAX_OID_OCTETS = 64;

/**
 * A cursor over a run of DER elements. Strict: low tag numbers, definite minimal lengths, minimal integers, each
 * type in its one DER form. Every method reads the next element and refuses, with the one code given, what is not
 * the element asked for. The caller ends each level with `end()`, which refuses trailing octets.
 */
export class DerReader {
  readonly #data: Bytes;
  readonly #code: RefusalCode;
  readonly #depth: number;
  readonly #end: number;
  #at: number;

  /** @param within where the level lies in `data`; default all of it */
  constructor(
    data: Bytes,
    code: RefusalCode,
    depth = 0,
    within: { readonly from: number; readonly to: number } = { from: 0, to: data.length },
  ) {
    this.#data = data;
    this.#code = code;
    this.#depth = depth;
    this.#at = within.from;
    this.#end = within.to;
    if (depth > MAX_DEPTH) this.fail("nested too deeply");
  }

  fail(why: string): never {
    throw new Refusal(this.#code, why);
  }

  /** Whether nothing is left on this level. */
  get isDone(): boolean {
    return this.#at === this.#end;
  }

  /** Refuses what is left on this level. */
  end(): void {
    if (!this.isDone) this.fail("trailing octets");
  }

  /** Whether the next element has this identifier octet. */
  has(tag: number): boolean {
    return !this.isDone && this.#data[this.#at] === tag;
  }

  #octet(): number {
    const octet = this.isDone ? undefined : this.#data[this.#at];
    if (octet === undefined) return this.fail("ends too early");
    this.#at += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) return this.fail("length is indefinite or too large");
    let length = 0;
    for (let i = 0; i < count; i += 1) length = length * 256 + this.#octet();
    if (length < 128 || length < 256 ** (count - 1)) return this.fail("length is not minimal");
    return length;
  }

  /** The next element, whatever it is. */
  any(): Element {
    const start = this.#at;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) return this.fail("tag number is too large");
    const length = this.#length();
    const from = this.#at;
    if (length > this.#end - from) return this.fail("length goes over the end");
    this.#at = from + length;
    return new Element(this.#data, start, from, this.#at);
  }

  /** The next element, which must have this identifier octet. */
  element(tag: number): Element {
    if (!this.has(tag)) return this.fail(`tag ${tag.toString(16)} expected`);
    return this.any();
  }

  /** A reader of what is inside an element that was read. */
  inside(element: Element): DerReader {
    return new DerReader(element.data, this.#code, this.#depth + 1, element);
  }

  sequence(): DerReader {
    return this.inside(this.element(TAG.sequence));
  }

  set(): DerReader {
    return this.inside(this.element(TAG.set));
  }

  /** What is inside `[number]`, explicit or a constructed implicit one. */
  context(number: number): DerReader {
    return this.inside(this.element(contextConstructedTag(number)));
  }

  hasContext(number: number): boolean {
    return this.has(contextConstructedTag(number));
  }

  /** Content of an implicit primitive `[number]`, or undefined where the next element is another one. */
  optionalPrimitive(number: number): Bytes | undefined {
    return this.has(contextTag(number)) ? this.any().content : undefined;
  }

  /** Magnitude of a non-negative INTEGER in big-endian octets, without a sign octet; zero is one zero octet. */
  unsigned(maxOctets: number, tag: number = TAG.integer): Bytes {
    const { content } = this.element(tag);
    const [first, second] = content;
    if (first === undefined || first >= 128) return this.fail("integer is empty or negative");
    if (first === 0 && second !== undefined && second < 128)
      return this.fail("integer is not minimal");
    const magnitude = first === 0 && second !== undefined ? content.subarray(1) : content;
    return magnitude.length > maxOctets ? this.fail("integer is too large") : magnitude;
  }

  /** A non-negative INTEGER up to `max`, which stays below 2^31. */
  small(max: number, tag: number = TAG.integer): number {
    const value = this.unsigned(4, tag).reduce((sum, octet) => sum * 256 + octet, 0);
    return value > max ? this.fail("integer is out of range") : value;
  }

  boolean(): boolean {
    const { content } = this.element(TAG.boolean);
    const [value] = content;
    if (content.length !== 1 || (value !== 0 && value !== 0xff)) return this.fail("not a boolean");
    return value === 0xff;
  }

  null(): void {
    if (this.element(TAG.null).content.length !== 0) this.fail("null has content");
  }

  octets(): Bytes {
    return this.element(TAG.octetString).content;
  }

  /** BIT STRING; the unused bits must be zero (X.690 section 11.2.1). */
  bits(): { readonly octets: Bytes; readonly unusedBits: number } {
    const { content } = this.element(TAG.bitString);
    const unusedBits = content[0];
    const octets = content.subarray(1);
    const last = octets.at(-1) ?? 0;
    if (unusedBits === undefined || unusedBits > 7 || (last & ((1 << unusedBits) - 1)) !== 0)
      return this.fail("bit string is not in DER");
    if (octets.length === 0 && unusedBits !== 0) return this.fail("bit string is not in DER");
    return { octets, unusedBits };
  }

  /** BIT STRING of whole octets. */
  wholeBits(): Bytes {
    const { octets, unusedBits } = this.bits();
    return unusedBits === 0 ? octets : this.fail("bit string is not of whole octets");
  }

  /** The numbers of the bits set in a named bit list, which has no trailing zero bit (X.690 section 11.2.2). */
  namedBits(): ReadonlySet<number> {
    const { octets, unusedBits } = this.bits();
    const last = octets.at(-1);
    if (last === undefined || octets.length > 4 || (last & (1 << unusedBits)) === 0)
      return this.fail("named bits are not in DER");
    const bits = new Set<number>();
    for (let bit = 0; bit < octets.length * 8; bit += 1)
      if (((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) bits.add(bit);
    return bits;
  }

  /** OBJECT IDENTIFIER in dotted form; arcs may be of any size. */
  oid(): string {
    const { content } = this.element(TAG.oid);
    const last = content.at(-1);
    if (last === undefined || last >= 128 || content.length > MAX_OID_OCTETS)
      return this.fail("not an object identifier");
    if (isSmallOid(content)) return smallOid(content);
    const arcs: bigint[] = [];
    let arc = 0n;
    let isStart = true;
    for (const octet of content) {
      if (isStart && octet === 0x80) return this.fail("object identifier is not minimal");
      arc = (arc << 7n) | BigInt(octet & 127);
      isStart = octet < 128;
      if (isStart) {
        arcs.push(arc);
        arc = 0n;
      }
    }
    const [first = 0n, ...rest] = arcs;
    const root = first < 80n ? first / 40n : 2n;
    return [root, first - root * 40n, ...rest].join(".");
  }

  /** Text of a UTF8String. */
  utf8Text(): string {
    const { content } = this.element(TAG.utf8String);
    try {
      return fromUtf8(content);
    } catch {
      return this.fail("not UTF-8");
    }
  }

  /** UTCTime through 2049, GeneralizedTime after it, both to the second in UTC (RFC 5280 section 4.1.2.5). */
  time(): Seconds {
    const { tag, content } = this.any();
    const digits = asciiOf(content) ?? "";
    const century = digits.slice(0, 2) < "50" ? "20" : "19";
    const at = instantOf(tag === TAG.utcTime ? century + digits : digits);
    const isRightForm =
      tag === TAG.utcTime || (tag === TAG.generalizedTime && (at ?? 0) >= GENERALIZED_FROM);
    return at === undefined || !isRightForm ? this.fail("not a time") : at;
  }
}

/** Whether every arc fits a machine integer: at most four octets each, minimal. */
function isSmallOid(content: Bytes): boolean {
  let length = 0;
  for (const octet of content) {
    if (length === 0 && octet === 0x80) return false;
    length = octet < 128 ? 0 : length + 1;
    if (length > 3) return false;
  }
  return true;
}

function smallOid(content: Bytes): string {
  let text = "";
  let arc = 0;
  for (const octet of content) {
    arc = (arc << 7) | (octet & 127);
    if (octet >= 128) continue;
    const root = Math.min(2, Math.floor(arc / 40));
    text += text === "" ? `${root}.${arc - root * 40}` : `.${arc}`;
    arc = 0;
  }
  return text;
}

/** ASCII text of these octets, or undefined where one of them is not ASCII. */
export function asciiOf(octets: Bytes): string | undefined {
  let text = "";
  for (const octet of octets) {
    if (octet >= 128) return undefined;
    text += String.fromCharCode(octet);
  }
  return text;
}

/**
 * Reads DER of at most `maxBytes`.
 * @throws Refusal `code`, here and from every method of the reader
 */
export function readDer(data: Bytes, maxBytes: number, code: RefusalCode): DerReader {
  if (data.length > maxBytes) throw new Refusal(code, `over ${maxBytes} bytes`);
  return new DerReader(data, code);
}
