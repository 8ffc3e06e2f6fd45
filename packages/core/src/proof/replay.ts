import type { Seconds } from "../crypto.ts";

/** Whether a single-use name was free; `unavailable` when nobody can tell, which refuses (fail closed). */
export type FirstUse = "first" | "used" | "unavailable";

/**
 * Remembers single-use names.
 *
 * `first` is one atomic call: of any number of calls with the same scope and id exactly one is answered `first`,
 * at any concurrency, and there is no separate read. The name is kept at least until `until`; after that it may be
 * forgotten, since what carries it has expired. Durability: as far as the proofs must survive a restart of the
 * verifier within their life; a store of one process does not stop replay against another process. Limits: bounded;
 * a store that is full or out of reach answers `unavailable` and never forgets a live name to make room. The caller
 * does not retry: a lost answer refuses the proof, and its sender makes another.
 */
export interface ReplayStore {
  /** `scope` is the caller (the WIT's `sub`), `id` the hash of caller, key and `jti`. */
  first(scope: string, id: string, until: Seconds, now: Seconds): Promise<FirstUse>;
}

/**
 * A replay store in memory, for one process. Bounded by `maxEntries` live names over all scopes. A scope may hold at
 * most as many names as are still free: a caller who floods it stops at half, and the next ones still find room.
 * An expiry at or before the newest `now` seen is `unavailable`, so that a clock that steps back opens nothing.
 */
export function memoryReplayStore(options: { readonly maxEntries: number }): ReplayStore {
  const held = new Map<string, Set<string>>();
  const expiring = new Map<Seconds, [scope: string, id: string][]>();
  let size = 0;
  let newest = -Infinity;

  function forget(scope: string, id: string): void {
    const ids = held.get(scope);
    if (ids?.delete(id) === true) size -= 1;
    if (ids?.size === 0) held.delete(scope);
  }

  function sweep(now: Seconds): void {
    if (now <= newest) return;
    newest = now;
    for (const [until, names] of expiring) {
      if (until > now) continue;
      for (const [scope, id] of names) forget(scope, id);
      expiring.delete(until);
    }
  }

  function first(scope: string, id: string, until: Seconds, now: Seconds): FirstUse {
    sweep(now);
    if (until <= newest) return "unavailable";
    const ids = held.get(scope) ?? new Set();
    if (ids.has(id)) return "used";
    if (ids.size >= options.maxEntries - size) return "unavailable";
    held.set(scope, ids.add(id));
    size += 1;
    const names = expiring.get(until);
    if (names === undefined) expiring.set(until, [[scope, id]]);
    else names.push([scope, id]);
    return "first";
  }

  return {
    first: (scope, id, until, now) => Promise.resolve(first(scope, id, until, now)),
  };
}
