import { base64url, concat, utf8 } from "./bytes.ts";
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

/**
 * The same primitives, with signatures that verified once remembered: one credential, approval and endorsement come
 * with many requests, and what a server signs is verified as it is made and once more as a stranger would. Only the
 * mathematics is remembered. Times, trust, bounds and what is demanded are judged anew at every request.
 */
export function rememberingCrypto(c: Crypto, maxEntries: number): Crypto {
  const good = bounded<true>(maxEntries);
  return {
    ...c,
    verify: async (alg, key, data, signature) => {
      // JSON ends where it ends, so no other data and header make the same octets
      const header = utf8(JSON.stringify([alg, key, base64url(signature)]));
      const name = base64url(c.sha256(concat(header, data)));
      if (good.get(name) === true) return true;
      const fits = await c.verify(alg, key, data, signature);
      if (fits) good.set(name, true);
      return fits;
    },
  };
}
