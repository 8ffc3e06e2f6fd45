import type { Digest } from "../crypto.ts";
import { isBase64urlOf } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import type { Json, JsonObject } from "./strict.ts";
import { isObject } from "./strict.ts";

/**
 * Reads the members of one parsed object, each with its type, and refuses with one code whatever does not fit.
 * A closed object ends with `end()`, which refuses members nobody asked for.
 */
export class Members {
  readonly #object: JsonObject;
  readonly #code: RefusalCode;
  readonly #where: string;
  readonly #seen: string[] = []; // a handful: shorter to search than a set is to make

  /** @throws Refusal `code` when `value` is not an object */
  constructor(value: Json | undefined, code: RefusalCode, where = "") {
    if (!isObject(value)) throw new Refusal(code, `${where || "value"} is not an object`);
    this.#object = value;
    this.#code = code;
    this.#where = where;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  /** The raw member, counted as known; `undefined` when absent. */
  raw(name: string): Json | undefined {
    this.#seen.push(name);
    return this.has(name) ? this.#object[name] : undefined;
  }

  fail(name: string, why: string): never {
    throw new Refusal(this.#code, `${this.#where}${this.#where === "" ? "" : "."}${name} ${why}`);
  }

  /** A string of at most `maxLength` UTF-16 units that matches `pattern` where one is given. */
  text(
    name: string,
    options: { pattern?: RegExp; maxLength?: number; minLength?: number } = {},
  ): string {
    const value = this.raw(name);
    if (typeof value !== "string") return this.fail(name, "is not a string");
    if (value.length > (options.maxLength ?? 2048) || value.length < (options.minLength ?? 1))
      return this.fail(name, "has a bad length");
    if (options.pattern !== undefined && !options.pattern.test(value))
      return this.fail(name, "has a bad form");
    return value;
  }

  /** One of the given strings. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.raw(name);
    const found = choices.find((choice) => choice === value);
    return found ?? this.fail(name, `is not one of ${choices.join(", ")}`);
  }

  /** An integer within [min, max]; default 0 … 2^53−1. */
  integer(name: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.raw(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
      return this.fail(name, "is not an integer in range");
    return value;
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    return typeof value === "boolean" ? value : this.fail(name, "is not true or false");
  }

  /** `sha-256:` and the base64url of 32 octets. */
  digest(name: string): Digest {
    const value = this.raw(name);
    return isDigest(value) ? value : this.fail(name, "is not a sha-256 digest");
  }

  /** Bare base64url of exactly 32 octets: a thumbprint or a bare hash. */
  thumbprint(name: string): string {
    const value = this.raw(name);
    return isHash(value) ? value : this.fail(name, "is not 32 octets of base64url");
  }

  list<T>(name: string, read: (item: Json, where: string) => T, maxItems: number): readonly T[] {
    const value = this.raw(name);
    if (!Array.isArray(value) || value.length > maxItems)
      return this.fail(name, `is not a list of at most ${maxItems}`);
    return value.map((item: Json, index) => read(item, `${this.#where}.${name}[${index}]`));
  }

  object(name: string): Members {
    return new Members(
      this.raw(name),
      this.#code,
      `${this.#where}${this.#where === "" ? "" : "."}${name}`,
    );
  }

  /** Runs the reader if the member is there; the answer fits an exact optional property when spread. */
  optional<T>(name: string, read: (name: string) => T): T | undefined {
    return this.has(name) ? read(name) : undefined;
  }

  /** The object as parsed; counts no member as read. */
  whole(): JsonObject {
    return this.#object;
  }

  /** Refuses members that nobody has read. */
  end(): void {
    for (const name of Object.keys(this.#object))
      if (!this.#seen.includes(name)) this.fail(name, "is not a known member");
  }
}

/** Whether the value is bare base64url of exactly 32 octets. */
export function isHash(value: unknown): value is string {
  return typeof value === "string" && isBase64urlOf(value, 32);
}

/** Whether the value is a digest as it stands in JSON. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && value.startsWith("sha-256:") && isHash(value.slice(8));
}
