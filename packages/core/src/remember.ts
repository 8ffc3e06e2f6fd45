import { base64url } from "./bytes.ts";
import type { Crypto } from "./crypto.ts";

/** A map that forgets its oldest entry to make room. */
export interface Bounded<V> {
  get(name: string): V | undefined;
  set(name: string, value: V): void;
  delete(name: string): void;
}

/** Every list has a bound: what callers send must not fill our memory. */
export function bounded<V>(maxEntries: number): Bounded<V> {
  const held = new Map<string, V>();
  return {
    get: (name) => held.get(name),
    set: (name, value) => {
      const oldest = held.size >= maxEntries && !held.has(name) ? held.keys().next() : undefined;
      if (oldest?.done === false) held.delete(oldest.value);
      held.set(name, value);
    },
    delete: (name) => {
      held.delete(name);
    },
  };
}

/** Things read that are kept: what is read has several times the size of its octets. */
const MAX_READ = 1024;

/**
 * The same primitives, with signatures that verified once remembered: one credential, approval and endorsement come
 * with many requests, and what a server signs is verified as it is made and once more as a stranger would. Only the
 * mathematics, and the form of statements and certificates, is remembered. Times, trust, bounds and what is demanded
 * are judged anew at every request.
 */
export function rememberingCrypto(c: Crypto, maxEntries: number): Crypto {
  const good = bounded<true>(maxEntries);
  const things = bounded<unknown>(Math.min(maxEntries, MAX_READ));
  const nameOf = (data: Uint8Array): string => base64url(c.sha256(data));
  return {
    ...c,
    verify: async (alg, key, data, signature) => {
      const point = key.kty === "EC" ? `${key.x}.${key.y}` : key.x;
      // no field but the last can hold a full stop, so no other five make the same name
      const name = `${alg}.${key.crv}.${base64url(signature)}.${nameOf(data)}.${point}`;
      if (good.get(name) === true) return true;
      const fits = await c.verify(alg, key, data, signature);
      if (fits) good.set(name, true);
      return fits;
    },
    readOnce: <T>(what: string, data: Uint8Array, read: (data: Uint8Array) => T): T => {
      const name = `${what}.${nameOf(data)}`;
      const known = things.get(name);
      if (known !== undefined) return known as T; // `what` names one reader
      const made = read(data);
      things.set(name, made);
      return made;
    },
  };
}

/** Reads octets, or takes what they gave before where this `c` remembers. Refusals are not remembered. */
export function readOnce<T>(
  c: Crypto,
  what: string,
  data: Uint8Array,
  read: (d: Uint8Array) => T,
): T {
  return c.readOnce === undefined ? read(data) : c.readOnce(what, data, read);
}
