import type { Bytes } from "../../crypto.ts";
import { concat, fromUtf8, utf8 } from "../../bytes.ts";
import { Refusal } from "../../refusal.ts";
import type { RefusalCode } from "../../refusal.ts";

/** The longest string that any SSH object here may hold. */
export const MAX_SSH_STRING_BYTES = 16_384;

/** Reads the data types of RFC 4251 section 5 from octets of somebody else; refuses with one code. */
export class SshReader {
  readonly #data: Bytes;
  readonly #code: RefusalCode;
  #at = 0;

  constructor(data: Bytes, code: RefusalCode) {
    this.#data = data;
    this.#code = code;
  }

  fail(why: string): never {
    throw new Refusal(this.#code, why);
  }

  /** The next octets as they are. */
  take(byteCount: number): Bytes {
    const end = this.#at + byteCount;
    if (end > this.#data.length) return this.fail("SSH data ends early");
    const part = this.#data.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  uint8(): number {
    return this.take(1)[0] ?? 0;
  }

  uint32(): number {
    return this.take(4).reduce((value, octet) => value * 256 + octet, 0);
  }

  string(maxBytes: number = MAX_SSH_STRING_BYTES): Bytes {
    const length = this.uint32();
    return length > maxBytes ? this.fail("SSH string over its limit") : this.take(length);
  }

  text(maxBytes = 256): string {
    const data = this.string(maxBytes);
    try {
      return fromUtf8(data);
    } catch {
      return this.fail("SSH string is not UTF-8");
    }
  }

  /** A positive multiple-precision integer in its shortest form, as `width` octets, big endian. */
  mpint(width: number): Bytes {
    const data = this.string(width + 1);
    const [first = 0, second = 0] = data;
    const isShortest = first !== 0 || (data.length > 1 && second >= 0x80);
    if (data.length === 0 || first >= 0x80 || !isShortest)
      return this.fail("SSH integer is not positive and shortest");
    const digits = first === 0 ? data.subarray(1) : data;
    if (digits.length > width) return this.fail("SSH integer is too long");
    return concat(new Uint8Array(width - digits.length), digits);
  }

  isAtEnd(): boolean {
    return this.#at === this.#data.length;
  }

  end(): void {
    if (!this.isAtEnd()) this.fail("SSH data has octets left over");
  }
}

export function sshUint32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function sshString(data: Bytes | string): Bytes {
  const octets = typeof data === "string" ? utf8(data) : data;
  return concat(sshUint32(octets.length), octets);
}

/** A positive integer of big-endian octets in its shortest form. */
export function sshMpint(data: Bytes): Bytes {
  let start = 0;
  while (start < data.length && data[start] === 0) start += 1;
  const digits = data.subarray(start);
  return sshString((digits[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), digits) : digits);
}
